//! What the person asked for before.

use leptos::html::Details;
use leptos::prelude::*;
use predilect_api::Generation;

/// A list that unfolds; picking a prompt folds it.
#[component]
pub(crate) fn EarlierPrompts(
    /// The prompts, newest first.
    #[prop(into)]
    prompts: Signal<Vec<String>>,
    /// Hears which one is picked.
    on_pick: Callback<String>,
) -> impl IntoView {
    let details = NodeRef::<Details>::new();
    let pick = move |prompt: String| {
        on_pick.run(prompt);
        if let Some(details) = details.get_untracked() {
            details.set_open(false);
        }
    };
    let entries = move || {
        let entry = |prompt: String| {
            let text = prompt.clone();
            view! {
                <li>
                    <button type="button" class="earlier-prompt" on:click=move |_| pick(prompt.clone())>
                        {text}
                    </button>
                </li>
            }
        };
        prompts.get().into_iter().map(entry).collect_view()
    };
    view! {
        <Show when=move || !prompts.read().is_empty()>
            <details node_ref=details class="earlier-prompts">
                <summary>"Earlier prompts"</summary>
                <ul class="earlier-prompts-list" aria-label="Earlier prompts">
                    {entries}
                </ul>
            </details>
        </Show>
    }
}

/// The prompts of generations in their order, each once.
pub(crate) fn prompts_of(generations: &[Generation]) -> Vec<String> {
    let mut prompts: Vec<String> = Vec::new();
    for generation in generations {
        if !prompts.contains(&generation.prompt) {
            prompts.push(generation.prompt.clone());
        }
    }
    prompts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::tests::queued;

    #[test]
    fn each_prompt_is_offered_once_where_it_was_last_asked_for() {
        let generations = ["a fox", "a dog", "a fox"].map(|prompt| Generation {
            prompt: prompt.into(),
            ..queued()
        });
        let prompts = prompts_of(&generations);
        assert_eq!(prompts, ["a fox", "a dog"]);
        let html =
            view! { <EarlierPrompts prompts=prompts on_pick=Callback::new(|_| ()) /> }.to_html();
        assert!(html.find("a fox") < html.find("a dog"), "{html}");
    }

    #[test]
    fn who_asked_for_nothing_is_offered_nothing() {
        let html =
            view! { <EarlierPrompts prompts=Vec::new() on_pick=Callback::new(|_| ()) /> }.to_html();
        assert!(!html.contains("Earlier prompts"), "{html}");
    }
}
