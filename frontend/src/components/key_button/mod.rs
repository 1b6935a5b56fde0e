//! A button that has a key of its own.

use leptos::prelude::*;

/// A button with the key that does the same beside its words. A screen reader hears the words
/// alone; whoever reads is shown the key where there is a keyboard.
#[component]
pub(crate) fn KeyButton(
    /// What it does.
    label: &'static str,
    /// The key, as printed on it.
    key: &'static str,
    /// Without an edge, for what is rarely wanted.
    #[prop(optional)]
    plain: bool,
    /// Whether it does nothing now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Hears of a press.
    on_press: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button"
            class:plain=plain
            aria-disabled=move || disabled.get().to_string()
            on:click=move |_| on_press.run(())
        >
            {label}
            <kbd class="key" aria-hidden="true">
                {key}
            </kbd>
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_shown_but_not_read_out() {
        let html =
            view! { <KeyButton label="Skip" key="↓" on_press=Callback::new(|()| ()) /> }.to_html();
        assert!(html.contains("Skip"), "{html}");
        assert!(html.contains("aria-disabled=\"false\""), "{html}");
        let key = html.split_once("<kbd").unwrap().1;
        assert!(
            key.contains("aria-hidden=\"true\"") && key.contains('↓'),
            "{html}"
        );
    }
}
