//! One survey: its state, and what its votes say.

mod state;

use crate::client::votes_url;
use crate::components::admin_room::AdminRoom;
use crate::components::check_box::CheckBox;
use crate::components::copy_link::CopyLink;
use crate::components::survey_controls::SurveyControls;
use crate::components::survey_entry::{participants_path, votes_of_target};
use crate::components::survey_results::SurveyResultsView;
use crate::components::survey_state::SurveyStateMark;
use crate::focus::focus_next;
use crate::format::count;
use leptos::html::Section;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use predilect_api::{Audience, Survey, SurveyId};
use state::Reviewing;

/// Changes a survey's state and shows its results.
#[component]
pub(crate) fn AdminSurvey() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| SurveyId(params.read().get("id").unwrap_or_default()));
    let reviewing = Reviewing::new(id.into());
    Effect::new(move || reviewing.load());
    let again = Callback::new(move |()| untrack(|| reviewing.load()));
    let heading = Signal::derive(move || {
        let survey = reviewing.survey.read();
        survey
            .as_ref()
            .map_or_else(|| "Survey".to_owned(), |survey| survey.name.clone())
    });
    let place = NodeRef::<Section>::new();
    let on_change = Callback::new(move |changed| {
        reviewing.changed(changed);
        // The button that was pressed has gone from the page.
        focus_next(move || place.try_get_untracked().flatten());
    });
    let about = move || {
        let survey = reviewing.survey.get();
        survey.map(|survey| view! { <About survey=survey place=place on_change=on_change /> })
    };
    let results = move || {
        reviewing
            .results
            .get()
            .map(|results| view! { <SurveyResultsView results=results /> })
    };
    let known = Memo::new(move |_| reviewing.survey.read().is_some());
    let waiting = move || {
        reviewing
            .error
            .read()
            .is_none()
            .then(|| view! { <p class="quiet">"Reading the survey…"</p> })
    };
    view! {
        <AdminRoom tab="Survey" heading=heading error=reviewing.error retry=again>
            <p>
                <a href="/admin/surveys">"All surveys"</a>
            </p>
            <Show when=move || known.get() fallback=waiting>
                {about}
                <Votes reviewing=reviewing on_refresh=again />
                <div aria-busy=move || reviewing.reading.get().to_string()>{results}</div>
            </Show>
            <p class="sr-only" role="status">
                {reviewing.told}
            </p>
        </AdminRoom>
    }
}

/// What the survey is, and how to change its state.
#[component]
fn About(
    survey: Survey,
    /// Where this is, for the focus to come back to.
    #[prop(optional)]
    place: NodeRef<Section>,
    on_change: Callback<Survey>,
) -> impl IntoView {
    let asked = match survey.audience {
        Audience::Everyone => "Asks everybody who has the link",
        Audience::Registered => "Asks people with an account",
    };
    let attention = match survey.attention_every {
        0 => "no attention checks".into(),
        every => format!("one item in {every} is an attention check"),
    };
    let rules = format!(
        "{asked}, up to {} a day each; {attention}.",
        count(survey.daily_cap, "vote", "votes")
    );
    let items = count(survey.items, "item", "items");
    let path = participants_path(&survey.id);
    view! {
        <section node_ref=place class="survey-about panel" aria-label="State" tabindex="-1">
            <div class="survey-about-head">
                <SurveyStateMark state=survey.state />
                <p class="survey-about-votes">
                    {votes_of_target(&survey)}
                    " · "
                    {items}
                </p>
            </div>
            <p class="quiet">{rules}</p>
            <p class="label">"Link for participants"</p>
            <CopyLink path=path name="Copy the participants' link" />
            <SurveyControls survey=survey on_change=on_change />
        </section>
    }
}

/// Which votes the results are made of, and all votes as files.
#[component]
fn Votes(reviewing: Reviewing, on_refresh: Callback<()>) -> impl IntoView {
    let file = move |label: &'static str, format: &'static str| {
        let href = move || {
            let survey = reviewing.survey.read();
            survey.as_ref().map(|survey| votes_url(&survey.id, format))
        };
        view! {
            <a class="button" href=href download="">
                {label}
            </a>
        }
    };
    view! {
        <section class="survey-votes" aria-label="Votes">
            <CheckBox
                label="Only participants who passed every attention check"
                checked=reviewing.attentive_only
            />
            <div class="field">
                <label for="prompt-group">"Only this prompt group"</label>
                <input
                    id="prompt-group"
                    class="input"
                    type="text"
                    autocomplete="off"
                    placeholder="All groups"
                    prop:value=move || reviewing.group.get()
                    on:change=move |event| reviewing.group.set(event_target_value(&event))
                />
            </div>
            <div class="survey-votes-buttons">
                <button type="button" class="button" on:click=move |_| on_refresh.run(())>
                    "Count again"
                </button>
                {file("All votes as CSV", "csv")}
                {file("All votes as JSONL", "jsonl")}
            </div>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::survey_entry::tests::survey;
    use predilect_api::SurveyState;

    #[test]
    fn the_rules_are_said_in_words() {
        let html = view! {
            <About survey=survey(SurveyState::Running) on_change=Callback::new(|_| ()) />
        }
        .to_html();
        for expected in [
            "Running",
            "12 of 100 votes",
            "4 items",
            "Asks everybody who has the link, up to 50 votes a day each; one item in 15 is an attention check.",
            "/surveys/s",
            ">Pause<",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn votes_can_be_chosen_and_downloaded() {
        let reviewing = Reviewing::new(Signal::stored(SurveyId("s".into())));
        reviewing.survey.set(Some(survey(SurveyState::Running)));
        let html =
            view! { <Votes reviewing=reviewing on_refresh=Callback::new(|()| ()) /> }.to_html();
        for expected in [
            "/api/v1/admin/surveys/s/votes?format=csv",
            "/api/v1/admin/surveys/s/votes?format=jsonl",
            "Only this prompt group",
            "passed every attention check",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
