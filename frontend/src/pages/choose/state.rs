//! Where a person stands in a set of choices.

use crate::client::{self, Answer, ClientError, preload};
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::{Choice, ChoiceId, NewChoice, Pair, ProfileId};

/// What the page shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    Loading,
    Failed(ClientError),
    Choosing(Pair),
    /// The set is complete; this profile waits for its name.
    Describing(ProfileId),
}

/// The state of the Choose page.
#[derive(Clone, Copy)]
pub(super) struct Choosing {
    pub(super) stage: RwSignal<Stage>,
    /// The choice being sent.
    pub(super) picked: RwSignal<Option<Choice>>,
    /// The choice that an undo takes back, as the server last said. The undo names it: sent again
    /// after its answer got lost, it takes back no second choice.
    last_choice: RwSignal<Option<ChoiceId>>,
    /// Why the last choice or undo did not count.
    pub(super) error: RwSignal<Option<ClientError>>,
    /// What a screen reader is told.
    pub(super) told: RwSignal<String>,
    /// Whether a request is under way; one at a time, so that no choice counts twice.
    busy: RwSignal<bool>,
}

impl Choosing {
    pub(super) fn new() -> Self {
        Self {
            stage: RwSignal::new(Stage::Loading),
            picked: RwSignal::new(None),
            last_choice: RwSignal::new(None),
            error: RwSignal::new(None),
            told: RwSignal::new(String::new()),
            busy: RwSignal::new(false),
        }
    }

    pub(super) fn can_undo(self) -> bool {
        self.last_choice.read().is_some()
    }

    /// Finds out where the person stands and shows it.
    pub(super) fn load(self) {
        self.stage.set(Stage::Loading);
        spawn_local(async move {
            match self.stand().await {
                Ok(stage) => self.show(stage),
                Err(error) => self.stage.set(Stage::Failed(error)),
            }
        });
    }

    /// Where the person stands, as the server has it.
    async fn stand(self) -> Answer<Stage> {
        let session = client::start_session().await?;
        self.last_choice.set(session.last_choice_id);
        match session.pending_profile_id {
            Some(id) => Ok(Stage::Describing(id)),
            None => next_stage().await,
        }
    }

    /// Sends a choice and shows what comes after it.
    pub(super) fn choose(self, choice: Choice) {
        let Stage::Choosing(pair) = self.stage.get_untracked() else {
            return;
        };
        if self.busy.get_untracked() {
            return;
        }
        self.picked.set(Some(choice));
        self.change(async move {
            let sent = client::choose(&NewChoice {
                pair_id: pair.id,
                choice,
                sharpen: None,
            })
            .await?;
            self.last_choice.set(sent.last_choice_id);
            match sent.profile_id {
                Some(id) => Ok(Stage::Describing(id)),
                None => next_stage().await,
            }
        });
    }

    /// Takes the last choice back.
    pub(super) fn undo(self) {
        let Some(last) = self.last_choice.get_untracked() else {
            return;
        };
        if self.busy.get_untracked() {
            return;
        }
        self.change(async move {
            let undone = client::undo_choice(&last).await?;
            self.last_choice.set(undone.last_choice_id);
            next_stage().await
        });
    }

    fn change(self, next: impl Future<Output = Answer<Stage>> + 'static) {
        self.busy.set(true);
        self.error.set(None);
        spawn_local(async move {
            let next = match next.await {
                Err(error) if is_outdated(&error) => {
                    self.error.set(Some(error));
                    self.stand().await
                }
                next => next,
            };
            match next {
                Ok(stage) => self.show(stage),
                Err(error) => self.error.set(Some(error)),
            }
            self.picked.set(None);
            self.busy.set(false);
        });
    }

    fn show(self, stage: Stage) {
        self.told.set(match &stage {
            Stage::Choosing(pair) => format!(
                "Choice {} of {}: {}",
                pair.position, pair.needed, pair.prompt
            ),
            Stage::Describing(_) => "All choices are made. Predilect reads your taste.".into(),
            Stage::Loading | Stage::Failed(_) => String::new(),
        });
        self.stage.set(stage);
    }
}

/// Whether the person stands elsewhere than the page shows: they went on in another tab, or an
/// answer got lost after its choice was stored.
fn is_outdated(error: &ClientError) -> bool {
    matches!(
        error.kind(),
        Some("already-chosen" | "profile-unnamed" | "nothing-to-undo" | "not-last-choice")
    )
}

/// The next pair, its pictures already loaded: the pair on show stays until both are there.
async fn next_stage() -> Answer<Stage> {
    let pair = client::next_pair().await?;
    preload(&[&pair.left, &pair.right]).await;
    Ok(Stage::Choosing(pair))
}
