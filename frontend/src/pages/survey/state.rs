//! Where a participant stands in a survey.

use crate::client::{self, Answer, ClientError, preload};
use crate::format::count;
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::{BlindItem, NewSurveyVote, SurveyId, SurveyVote};

/// What the page shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    Loading,
    Failed(ClientError),
    Asking(BlindItem),
    Ended(Ending),
}

/// Why this person is not asked, or not asked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There is nothing left to ask.
    Done,
    /// There is, tomorrow.
    DailyCap,
    /// The survey is paused or closed.
    NotRunning,
    /// The survey asks people with an account.
    AccountNeeded,
    /// There is no such survey, or it was not started yet.
    Unknown,
}

impl Ending {
    /// The ending that a refusal means; `None` where it is worth another try.
    fn of(error: &ClientError) -> Option<Self> {
        match error.kind()? {
            "daily-cap" => Some(Self::DailyCap),
            "survey-not-running" => Some(Self::NotRunning),
            "not-registered" => Some(Self::AccountNeeded),
            "not-found" | "no-route" | "malformed-address" => Some(Self::Unknown),
            _ => None,
        }
    }

    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Done | Self::DailyCap => "Thank you",
            Self::NotRunning => "This survey takes no votes now",
            Self::AccountNeeded => "This survey asks people with an account",
            Self::Unknown => "There is no survey here",
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Done => "There is nothing left to ask you. Every vote you gave is counted.",
            Self::DailyCap => {
                "You have given as many votes as one may a day, and every one is counted. Come back tomorrow for more."
            }
            Self::NotRunning => {
                "It is paused or closed. Votes you gave are counted; whoever invited you knows whether it goes on."
            }
            Self::AccountNeeded => {
                "Log in, or make an account: you keep everything you made here. Then open this address again."
            }
            Self::Unknown => {
                "The address may be mistyped, or the survey has not started. Ask whoever invited you."
            }
        }
    }
}

/// The state of a survey's page.
#[derive(Clone, Copy)]
pub(super) struct Voting {
    survey: Signal<SurveyId>,
    pub(super) stage: RwSignal<Stage>,
    /// The vote being sent.
    pub(super) picked: RwSignal<Option<SurveyVote>>,
    /// Votes this person has given in all, once the server has said so.
    given: RwSignal<Option<u32>>,
    /// Why the last vote did not count.
    pub(super) error: RwSignal<Option<ClientError>>,
    /// What a screen reader is told.
    pub(super) told: RwSignal<String>,
    /// Whether a request is under way; one at a time, so that no vote is sent twice.
    busy: RwSignal<bool>,
}

impl Voting {
    pub(super) fn new(survey: Signal<SurveyId>) -> Self {
        Self {
            survey,
            stage: RwSignal::new(Stage::Loading),
            picked: RwSignal::new(None),
            given: RwSignal::new(None),
            error: RwSignal::new(None),
            told: RwSignal::new(String::new()),
            busy: RwSignal::new(false),
        }
    }

    /// Finds out what to ask and shows it.
    pub(super) fn load(self) {
        let survey = self.survey.get();
        self.stage.set(Stage::Loading);
        self.error.set(None);
        spawn_local(async move {
            let loaded = async {
                client::start_session().await?;
                next_stage(&survey).await
            };
            match loaded.await {
                Ok(stage) => self.show(stage),
                Err(error) => self.stage.set(Stage::Failed(error)),
            }
        });
    }

    /// Sends a vote and shows what comes after it.
    pub(super) fn vote(self, vote: SurveyVote) {
        let Stage::Asking(item) = self.stage.get_untracked() else {
            return;
        };
        if self.busy.get_untracked() {
            return;
        }
        let survey = self.survey.get_untracked();
        self.busy.set(true);
        self.picked.set(Some(vote));
        self.error.set(None);
        spawn_local(async move {
            let new = NewSurveyVote {
                item_id: item.item_id,
                vote,
            };
            match self.send(&survey, &new).await {
                Ok(stage) => self.show(stage),
                Err(error) => self.error.set(Some(error)),
            }
            self.picked.set(None);
            self.busy.set(false);
        });
    }

    async fn send(self, survey: &SurveyId, new: &NewSurveyVote) -> Answer<Stage> {
        match client::vote(survey, new).await {
            Ok(progress) => self.given.set(Some(progress.votes)),
            Err(error) => match error.kind() {
                // Voted on in another tab, or before the answer got lost: the next one waits.
                Some("already-voted" | "not-found") => {}
                _ => {
                    return Ending::of(&error).map(Stage::Ended).ok_or(error);
                }
            },
        }
        next_stage(survey).await
    }

    fn show(self, stage: Stage) {
        self.told.set(match &stage {
            Stage::Asking(item) => format!("{} {}", item.prompt, untrack(|| self.progress(item))),
            Stage::Ended(ending) => format!("{}. {}", ending.heading(), ending.sentence()),
            Stage::Loading | Stage::Failed(_) => String::new(),
        });
        self.stage.set(stage);
    }

    /// How far this person is.
    pub(super) fn progress(self, item: &BlindItem) -> String {
        progress(self.given.get(), item.votes_left_today)
    }
}

/// The next item, its pictures already loaded: the item on show stays until both are there.
async fn next_stage(survey: &SurveyId) -> Answer<Stage> {
    match client::next_item(survey).await {
        Ok(Some(item)) => {
            preload(&[&item.left, &item.right]).await;
            Ok(Stage::Asking(item))
        }
        Ok(None) => Ok(Stage::Ended(Ending::Done)),
        Err(error) => Ending::of(&error).map(Stage::Ended).ok_or(error),
    }
}

fn progress(given: Option<u32>, left_today: u32) -> String {
    match (given, left_today) {
        (None, 0 | 1) => "This is the last one of today.".into(),
        (None, left) => format!("Up to {left} votes today."),
        (Some(given), left) => {
            let given = count(given, "vote", "votes");
            let left = match left {
                0 | 1 => "this is the last one of today".into(),
                left => format!("up to {left} more today"),
            };
            format!("{given} given, thank you; {left}.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use predilect_api::Problem;

    fn refused(kind: &str) -> ClientError {
        ClientError::Problem(Box::new(Problem {
            kind: format!("urn:predilect:problem:{kind}"),
            title: String::new(),
            status: 409,
            detail: String::new(),
            errors: vec![],
            missing: None,
        }))
    }

    #[test]
    fn a_refusal_for_good_ends_the_asking_and_another_does_not() {
        for (kind, ending) in [
            ("daily-cap", Some(Ending::DailyCap)),
            ("survey-not-running", Some(Ending::NotRunning)),
            ("not-registered", Some(Ending::AccountNeeded)),
            ("not-found", Some(Ending::Unknown)),
            ("internal", None),
        ] {
            assert_eq!(Ending::of(&refused(kind)), ending, "{kind}");
        }
        assert_eq!(Ending::of(&ClientError::Unreachable), None);
    }

    #[test]
    fn progress_is_said_in_words() {
        assert_eq!(progress(None, 50), "Up to 50 votes today.");
        assert_eq!(
            progress(Some(1), 49),
            "1 vote given, thank you; up to 49 more today."
        );
        assert_eq!(
            progress(Some(49), 1),
            "49 votes given, thank you; this is the last one of today."
        );
    }
}
