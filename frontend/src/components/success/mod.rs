//! What has just been done, in words.

use leptos::prelude::*;

/// Says `words` at once to everyone, also to a screen reader.
#[component]
pub(crate) fn Success(
    /// What was done; empty while there is nothing to say.
    #[prop(into)]
    words: Signal<String>,
) -> impl IntoView {
    view! {
        <p class="success" role="status">
            {words}
        </p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_region_is_there_before_its_words() {
        let silent = view! { <Success words=String::new() /> }.to_html();
        assert!(silent.contains("role=\"status\""), "{silent}");
        let said = view! { <Success words="Copied.".to_owned() /> }.to_html();
        assert!(said.contains("Copied."), "{said}");
    }
}
