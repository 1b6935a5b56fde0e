//! All surveys, and the form for another one.

use crate::client::{self, Answer, ClientError};
use crate::components::admin_room::AdminRoom;
use crate::components::survey_entry::SurveyEntry;
use crate::components::survey_form::SurveyForm;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_navigate;
use predilect_api::Survey;

/// Lists the surveys, and creates them.
#[component]
pub(crate) fn AdminSurveys() -> impl IntoView {
    let surveys = RwSignal::new(None::<Vec<Survey>>);
    let error = RwSignal::new(None::<ClientError>);
    let load = move || {
        spawn_local(async move {
            match read().await {
                Ok(list) => {
                    error.set(None);
                    surveys.set(Some(list));
                }
                Err(failed) => error.set(Some(failed)),
            }
        });
    };
    Effect::new(load);
    let navigate = use_navigate();
    let on_created = Callback::new(move |survey: Survey| {
        navigate(
            &format!("/admin/surveys/{}", survey.id),
            leptos_router::NavigateOptions::default(),
        );
    });
    let read = Memo::new(move |_| surveys.read().is_some());
    let list = move || {
        let all = surveys.get().unwrap_or_default();
        if all.is_empty() {
            view! { <p>"There is no survey yet. Create one below."</p> }.into_any()
        } else {
            let entries = all
                .into_iter()
                .map(|survey| view! { <SurveyEntry survey=survey /> });
            view! { <ul class="surveys-list">{entries.collect_view()}</ul> }.into_any()
        }
    };
    let waiting = move || {
        error
            .read()
            .is_none()
            .then(|| view! { <p class="quiet">"Reading the surveys…"</p> })
    };
    view! {
        <AdminRoom tab="Surveys" heading="Surveys".to_owned() error=error retry=Callback::new(move |()| load())>
            <p class="lede">"People see two pictures without knowing where they come from, and say which is better."</p>
            <Show when=move || read.get() fallback=waiting>
                {list}
                <section class="surveys-new panel" aria-labelledby="new-survey">
                    <h2 id="new-survey">"New survey"</h2>
                    <SurveyForm on_created=on_created />
                </section>
            </Show>
        </AdminRoom>
    }
}

async fn read() -> Answer<Vec<Survey>> {
    client::start_session().await?;
    client::surveys().await
}
