//! What is known of a survey, and which of its votes are looked at.

use crate::client::{self, Answer, ClientError, Selection};
use crate::format::count;
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::{Survey, SurveyId, SurveyResults, SurveyState};

/// The state of a survey's page for admins.
#[derive(Clone, Copy)]
pub(super) struct Reviewing {
    id: Signal<SurveyId>,
    pub(super) survey: RwSignal<Option<Survey>>,
    pub(super) results: RwSignal<Option<SurveyResults>>,
    pub(super) attentive_only: RwSignal<bool>,
    pub(super) group: RwSignal<String>,
    pub(super) error: RwSignal<Option<ClientError>>,
    /// Whether the results on show are older than what was asked for.
    pub(super) reading: RwSignal<bool>,
    /// What a screen reader is told.
    pub(super) told: RwSignal<String>,
}

impl Reviewing {
    pub(super) fn new(id: Signal<SurveyId>) -> Self {
        Self {
            id,
            survey: RwSignal::new(None),
            results: RwSignal::new(None),
            attentive_only: RwSignal::new(false),
            group: RwSignal::new(String::new()),
            error: RwSignal::new(None),
            reading: RwSignal::new(false),
            told: RwSignal::new(String::new()),
        }
    }

    /// Reads the survey and its results; called in an effect, again when other votes are to
    /// be looked at.
    pub(super) fn load(self) {
        let (id, selection) = (self.id.get(), self.selection());
        self.reading.set(true);
        spawn_local(async move {
            let answer = read(&id, &selection).await;
            // Other votes were asked for meanwhile, or the page is gone.
            if untrack(|| self.try_selection()) != Some(selection) {
                return;
            }
            self.reading.set(false);
            match answer {
                Ok((survey, results)) => {
                    self.error.set(None);
                    self.told.set(format!(
                        "{} counted.",
                        count(results.votes, "vote", "votes")
                    ));
                    self.survey.set(Some(survey));
                    self.results.set(Some(results));
                }
                Err(error) => self.error.set(Some(error)),
            }
        });
    }

    /// Shows the survey in its new state.
    pub(super) fn changed(self, survey: Survey) {
        self.told.set(
            match survey.state {
                SurveyState::Draft => "The survey is a draft.",
                SurveyState::Running => "The survey is running.",
                SurveyState::Paused => "The survey is paused.",
                SurveyState::Closed => "The survey is closed.",
            }
            .into(),
        );
        self.survey.set(Some(survey));
    }

    fn selection(self) -> Selection {
        Selection {
            attentive_only: self.attentive_only.get(),
            group: self.group.get().trim().to_owned(),
        }
    }

    fn try_selection(self) -> Option<Selection> {
        Some(Selection {
            attentive_only: self.attentive_only.try_get()?,
            group: self.group.try_get()?.trim().to_owned(),
        })
    }
}

async fn read(id: &SurveyId, selection: &Selection) -> Answer<(Survey, SurveyResults)> {
    client::start_session().await?;
    let survey = client::survey(id).await?;
    let results = client::survey_results(id, selection).await?;
    Ok((survey, results))
}
