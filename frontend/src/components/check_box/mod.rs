//! Something to switch on.

use leptos::prelude::*;

/// A box to tick, with its words.
#[component]
pub(crate) fn CheckBox(
    /// What is on while it is ticked.
    label: &'static str,
    /// Whether it is ticked.
    checked: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <label class="check-box">
            <input type="checkbox" bind:checked=checked />
            <span>{label}</span>
        </label>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_words_are_its_label() {
        let html =
            view! { <CheckBox label="Ask everybody" checked=RwSignal::new(true) /> }.to_html();
        let (_, inside) = html.split_once("<label").unwrap();
        assert!(
            inside.contains("checkbox") && inside.contains("Ask everybody"),
            "{html}"
        );
    }
}
