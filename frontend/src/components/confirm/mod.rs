//! A button that asks before it does what can't be undone.

use crate::focus::focus_next;
use leptos::html::Button;
use leptos::prelude::*;

/// A button; pressed, it gives way to a question with two answers.
#[component]
pub(crate) fn Confirm(
    /// What the button says.
    label: &'static str,
    /// What the button does to what: its name where there are several such buttons.
    #[prop(into)]
    name: String,
    /// What is asked.
    #[prop(into)]
    question: String,
    /// The answer that does it.
    yes: &'static str,
    /// The answer that doesn't.
    #[prop(default = "Keep it")]
    no: &'static str,
    /// Hears "yes".
    on_yes: Callback<()>,
) -> impl IntoView {
    let asking = RwSignal::new(false);
    let (opener, keep) = (NodeRef::<Button>::new(), NodeRef::<Button>::new());
    // Whichever was pressed goes from the page; the focus goes to what took its place, which
    // is never what deletes.
    Effect::new(move |asked_before: Option<bool>| {
        let asks = asking.get();
        let next = if asks { keep } else { opener };
        if asked_before.is_some_and(|before| before != asks) {
            focus_next(move || next.try_get_untracked().flatten().map(Into::into));
        }
        asks
    });
    let question_view = move || {
        view! {
            <div class="confirm" role="group" aria-label=question.clone()>
                <p class="confirm-question">{question.clone()}</p>
                <div class="confirm-answers">
                    <button type="button" class="button danger" on:click=move |_| on_yes.run(())>
                        {yes}
                    </button>
                    <button type="button" class="button plain" node_ref=keep on:click=move |_| asking.set(false)>
                        {no}
                    </button>
                </div>
            </div>
        }
    };
    view! {
        <Show
            when=move || !asking.get()
            fallback=question_view
        >
            <button
                type="button"
                class="button plain danger"
                node_ref=opener
                aria-label=name.clone()
                on:click=move |_| asking.set(true)
            >
                {label}
            </button>
        </Show>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_before_the_button_is_pressed() {
        let html = view! {
            <Confirm
                label="Revoke"
                name="Revoke backup"
                question="Revoke “backup” for good?"
                yes="Yes, revoke"
                on_yes=Callback::new(|()| ())
            />
        }
        .to_html();
        assert!(html.contains("aria-label=\"Revoke backup\""), "{html}");
        assert!(
            !html.contains("for good") && !html.contains("Yes"),
            "{html}"
        );
    }
}
