//! Starts, pauses and closes a survey.

use crate::client;
use crate::components::confirm::Confirm;
use crate::components::form::Submission;
use crate::components::notice::Notice;
use leptos::prelude::*;
use predilect_api::{Survey, SurveyState};

/// The changes that a survey's state allows.
#[component]
pub(crate) fn SurveyControls(
    /// The survey, as last read.
    survey: Survey,
    /// Hears of the changed survey.
    on_change: Callback<Survey>,
) -> impl IntoView {
    let submission = Submission::new(&[]);
    let id = StoredValue::new(survey.id);
    let change = move |state: SurveyState| {
        let id = id.get_value();
        submission.send(
            async move { client::change_survey(&id, state).await },
            move |changed| on_change.run(changed),
        );
    };
    let button = move |label: &'static str, class: &'static str, state: SurveyState| {
        view! {
            <button
                type="button"
                class=class
                aria-disabled=move || submission.is_busy().to_string()
                on:click=move |_| change(state)
            >
                {label}
            </button>
        }
    };
    let (primary, plain) = ("button primary", "button");
    let next = match survey.state {
        SurveyState::Draft if survey.items == 0 => None,
        SurveyState::Draft => Some(button("Start", primary, SurveyState::Running)),
        SurveyState::Running => Some(button("Pause", plain, SurveyState::Paused)),
        SurveyState::Paused => Some(button("Go on", primary, SurveyState::Running)),
        SurveyState::Closed => None,
    };
    let close = (survey.state != SurveyState::Closed).then(|| {
        view! {
            <Confirm
                label="Close"
                name=format!("Close {}", survey.name)
                question=format!("Close “{}” for good? Nobody can vote any more; the results stay.", survey.name)
                yes="Yes, close"
                no="Keep it open"
                on_yes=Callback::new(move |()| change(SurveyState::Closed))
            />
        }
    });
    let words = match survey.state {
        SurveyState::Draft if survey.items == 0 => {
            "Add items through the API, at /api/v1/admin/surveys/…/items. Then it can be started."
        }
        SurveyState::Draft => {
            "Nobody is asked before it is started. Once started, it takes no more items."
        }
        SurveyState::Running => "Whoever opens the participants' link is asked.",
        SurveyState::Paused => "Nobody is asked for now.",
        SurveyState::Closed => "Nobody is asked any more.",
    };
    view! {
        <div class="survey-controls">
            <p class="quiet">{words}</p>
            <div class="survey-controls-buttons">{next} {close}</div>
            <Notice message=Signal::derive(move || submission.beyond()) />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::survey_entry::tests::survey;

    fn controls(survey: Survey) -> String {
        view! { <SurveyControls survey=survey on_change=Callback::new(|_| ()) /> }.to_html()
    }

    #[test]
    fn each_state_offers_the_changes_it_allows() {
        for (state, offered) in [
            (SurveyState::Draft, [true, false, false, true]),
            (SurveyState::Running, [false, true, false, true]),
            (SurveyState::Paused, [false, false, true, true]),
            (SurveyState::Closed, [false, false, false, false]),
        ] {
            let html = controls(survey(state));
            let found =
                [">Start<", ">Pause<", ">Go on<", ">Close<"].map(|label| html.contains(label));
            assert_eq!(found, offered, "{state:?}: {html}");
        }
    }

    #[test]
    fn a_draft_without_items_says_what_it_lacks() {
        let mut empty = survey(SurveyState::Draft);
        empty.items = 0;
        let html = controls(empty);
        assert!(
            html.contains("Add items") && !html.contains(">Start<"),
            "{html}"
        );
    }
}
