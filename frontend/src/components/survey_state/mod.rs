//! Where a survey stands.

use leptos::prelude::*;
use predilect_api::SurveyState;

/// The state as a word.
#[component]
pub(crate) fn SurveyStateMark(
    /// The state.
    state: SurveyState,
) -> impl IntoView {
    let (word, class) = match state {
        SurveyState::Draft => ("Draft", "survey-state"),
        SurveyState::Running => ("Running", "survey-state running"),
        SurveyState::Paused => ("Paused", "survey-state"),
        SurveyState::Closed => ("Closed", "survey-state"),
    };
    view! { <span class=class>{word}</span> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survey_that_runs_stands_out() {
        let running = view! { <SurveyStateMark state=SurveyState::Running /> }.to_html();
        let closed = view! { <SurveyStateMark state=SurveyState::Closed /> }.to_html();
        assert!(running.contains("survey-state running") && running.contains("Running"));
        assert!(!closed.contains("running") && closed.contains("Closed"));
    }
}
