//! One survey in the list of surveys.

use crate::components::copy_link::CopyLink;
use crate::components::survey_state::SurveyStateMark;
use crate::format::count;
use leptos::prelude::*;
use predilect_api::{Survey, SurveyId};

/// Where participants vote.
pub(crate) fn participants_path(id: &SurveyId) -> String {
    format!("/surveys/{id}")
}

/// How many of the votes it asks for are given.
pub(crate) fn votes_of_target(survey: &Survey) -> String {
    let target = count(survey.target_votes, "vote", "votes");
    format!("{} of {target}", survey.votes)
}

/// A survey's name, state, votes and its participants' link.
#[component]
pub(crate) fn SurveyEntry(
    /// The survey, as last read.
    survey: Survey,
) -> impl IntoView {
    let votes = votes_of_target(&survey);
    let compared = survey.arms.join(" · ");
    view! {
        <li class="survey-entry panel">
            <div class="survey-entry-head">
                <h2 class="survey-entry-name">
                    <a href=format!("/admin/surveys/{}", survey.id)>{survey.name.clone()}</a>
                </h2>
                <SurveyStateMark state=survey.state />
            </div>
            <p class="quiet">{compared}</p>
            <p class="survey-entry-votes">{votes}</p>
            <CopyLink path=participants_path(&survey.id) name=format!("Copy link of {}", survey.name) />
        </li>
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use predilect_api::{Audience, SurveyState};

    pub(crate) fn survey(state: SurveyState) -> Survey {
        Survey {
            id: SurveyId("s".into()),
            name: "Guidance".into(),
            state,
            audience: Audience::Everyone,
            arms: vec!["guided".into(), "plain".into()],
            target_votes: 100,
            daily_cap: 50,
            attention_every: 15,
            items: 4,
            votes: 12,
            created_at: "2026-11-23T00:00:00Z".into(),
        }
    }

    #[test]
    fn it_leads_to_the_results_and_to_the_voting() {
        let html = view! { <SurveyEntry survey=survey(SurveyState::Running) /> }.to_html();
        for expected in [
            "href=\"/admin/surveys/s\"",
            "href=\"/surveys/s\"",
            "Guidance",
            "Running",
            "12 of 100 votes",
            "guided · plain",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
