//! "Choice 2 of 4", in words and as a row of marks.

use leptos::prelude::*;

/// How far the set of choices is.
#[component]
pub(crate) fn ChoiceProgress(
    /// Which counted choice this is, from 1.
    #[prop(into)]
    position: Signal<u32>,
    /// Counted choices a set needs.
    #[prop(into)]
    needed: Signal<u32>,
) -> impl IntoView {
    let mark = move |number: u32| {
        let class = move || match number.cmp(&position.get()) {
            std::cmp::Ordering::Less => "choice-mark made",
            std::cmp::Ordering::Equal => "choice-mark now",
            std::cmp::Ordering::Greater => "choice-mark",
        };
        view! { <span class=class></span> }
    };
    view! {
        <div class="choice-progress">
            <p class="choice-count">{move || format!("Choice {} of {}", position.get(), needed.get())}</p>
            <div class="choice-marks" aria-hidden="true">
                {move || (1..=needed.get()).map(mark).collect_view()}
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_said_in_words_and_marks() {
        let html = view! { <ChoiceProgress position=2 needed=4 /> }.to_html();
        assert!(html.contains("Choice 2 of 4"), "{html}");
        assert_eq!(html.matches("choice-mark made").count(), 1);
        assert_eq!(html.matches("choice-mark now").count(), 1);
    }
}
