//! An error in words, where it arose.

use leptos::prelude::*;

/// Says `message` at once to everyone, also to a screen reader; nothing while it is `None`.
#[component]
pub(crate) fn Notice(
    /// What happened and what to do.
    #[prop(into)]
    message: Signal<Option<String>>,
    /// Offers a button "Try again".
    #[prop(optional, into)]
    retry: Option<Callback<()>>,
) -> impl IntoView {
    view! {
        <div role="alert">
            {move || {
                message
                    .get()
                    .map(|message| {
                        view! {
                            <div class="notice">
                                <p>{message}</p>
                                {retry
                                    .map(|retry| {
                                        view! {
                                            <button type="button" class="button" on:click=move |_| retry.run(())>
                                                "Try again"
                                            </button>
                                        }
                                    })}
                            </div>
                        }
                    })
            }}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_appear_only_when_there_are_some() {
        let silent = view! { <Notice message={None::<String>} /> }.to_html();
        assert!(silent.contains("role=\"alert\"") && !silent.contains("notice"));
        let said = view! { <Notice message=Some("Say what to draw.".to_owned()) /> }.to_html();
        assert!(said.contains("Say what to draw.") && !said.contains("Try again"));
    }
}
