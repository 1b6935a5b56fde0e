//! What is being drawn, followed through its event stream.

use crate::client::{self, Answer, ClientError, Watch, WatchNews};
use crate::components::form::Submission;
use crate::components::profile_picker::is_usable;
use crate::components::prompt_form::{Draft, FIELDS};
use crate::drawing::Drawing;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::{
    BlendedProfile, Generation, GenerationId, ModelCard, Profile, ProfileId, ProfileState,
    ProfileWeight,
};

/// How long to wait before asking a server again that stopped answering.
const RETRY_MS: u32 = 1500;

/// The state of the Create page.
#[derive(Clone, Copy)]
pub(super) struct Creating {
    pub(super) draft: Draft,
    pub(super) profiles: RwSignal<Vec<Profile>>,
    pub(super) model: RwSignal<Option<ModelCard>>,
    pub(super) recent: RwSignal<Vec<Generation>>,
    pub(super) drawing: RwSignal<Option<Drawing>>,
    pub(super) load_error: RwSignal<Option<ClientError>>,
    /// What became of the last request for a picture.
    pub(super) submission: Submission,
    pub(super) cancel_error: RwSignal<Option<ClientError>>,
    /// The stream of the drawing's events; replaced with the drawing.
    watch: StoredValue<Option<Watch>, LocalStorage>,
}

impl Creating {
    pub(super) fn new() -> Self {
        Self {
            draft: Draft::new(),
            profiles: RwSignal::new(Vec::new()),
            model: RwSignal::new(None),
            recent: RwSignal::new(Vec::new()),
            drawing: RwSignal::new(None),
            load_error: RwSignal::new(None),
            submission: Submission::new(&FIELDS),
            cancel_error: RwSignal::new(None),
            watch: StoredValue::new_local(None),
        }
    }

    /// Whether no other picture can be asked for now.
    pub(super) fn busy(self) -> Signal<bool> {
        Signal::derive(move || {
            self.submission.is_busy() || self.drawing.read().as_ref().is_some_and(|d| !d.is_final())
        })
    }

    /// Reads limits, profiles and recent pictures, and goes on following a generation that is
    /// still under way. Picks the profile asked for, else the newest; takes over the settings of
    /// the picture `from`.
    pub(super) fn load(self, asked_for: Option<ProfileId>, from: Option<String>) {
        spawn_local(async move {
            match self.read(asked_for, from).await {
                Ok(()) => self.load_error.set(None),
                Err(error) => self.load_error.set(Some(error)),
            }
        });
    }

    async fn read(self, asked_for: Option<ProfileId>, from: Option<String>) -> Answer<()> {
        client::start_session().await?;
        self.model.set(Some(client::model().await?));
        let profiles = client::profiles().await?;
        let newest = || {
            let mut usable = profiles.iter().filter(|profile| is_usable(profile));
            usable.next().map(|profile| profile.id.clone())
        };
        self.draft.taste.pick(asked_for.or_else(newest));
        self.profiles.set(profiles.clone());
        self.wait_for_profiles();
        let recent = client::recent_generations().await?;
        if let Some(running) = recent
            .iter()
            .find(|generation| !generation.state.is_final())
        {
            self.draft.prompt.set(running.prompt.clone());
            self.draft.strength.set(running.strength);
            self.draft
                .taste
                .take_over(named(&running.profiles, &profiles), &profiles);
            self.follow(running.clone());
        }
        self.recent.set(recent);
        if let Some(from) = from {
            let picture = client::image_details(&from).await?;
            self.draft.take_over(picture.into(), &profiles);
        }
        Ok(())
    }

    /// A profile saved before it was read becomes usable while the page is open.
    fn wait_for_profiles(self) {
        let pending =
            |profile: &Profile| profile.state == ProfileState::Pending && profile.name.is_some();
        spawn_local(async move {
            while self
                .profiles
                .try_read()
                .is_some_and(|profiles| profiles.iter().any(pending))
            {
                TimeoutFuture::new(RETRY_MS).await;
                if let Ok(profiles) = client::profiles().await {
                    self.profiles.try_set(profiles);
                }
            }
        });
    }

    /// Asks for a picture of the draft.
    pub(super) fn generate(self) {
        self.submission.forget_error();
        match self.draft.request() {
            Err((field, message)) => self.submission.refuse(field, message),
            Ok(new) => self.submission.send(
                async move { client::generate(&new).await },
                move |generation| {
                    let seed = generation.seed.to_string();
                    self.draft.settings.seed.set(seed);
                    self.follow(generation);
                },
            ),
        }
    }

    /// Stops the drawing. That it stopped is said by its stream.
    pub(super) fn cancel(self) {
        let Some(id) = self.shown() else { return };
        self.cancel_error.set(None);
        spawn_local(async move {
            if let Err(error) = client::cancel(&id).await {
                self.cancel_error.set(Some(error));
            }
        });
    }

    /// Stops everything of this person that is unfinished, here and elsewhere.
    pub(super) fn cancel_all(self) {
        self.cancel_error.set(None);
        spawn_local(async move {
            match client::cancel_all().await {
                Ok(()) => self.refresh_recent(),
                Err(error) => {
                    self.cancel_error.try_set(Some(error));
                }
            }
        });
    }

    /// How many unfinished generations there are besides the one on show, as last read.
    pub(super) fn others(self) -> Signal<usize> {
        Signal::derive(move || {
            let shown = self.drawing.read();
            let shown = shown.as_ref().map(|drawing| &drawing.generation.id);
            let recent = self.recent.read();
            let unfinished = recent.iter().filter(|one| !one.state.is_final());
            unfinished.filter(|one| Some(&one.id) != shown).count()
        })
    }

    /// Shows a generation and follows it until it ends.
    pub(super) fn follow(self, generation: Generation) {
        self.cancel_error.set(None);
        self.watch.set_value(None);
        let drawing = Drawing::new(generation);
        let (id, is_final) = (drawing.generation.id.clone(), drawing.is_final());
        self.drawing.set(Some(drawing));
        if !is_final {
            self.watch(id);
        }
    }

    fn watch(self, id: GenerationId) {
        let watched = id.clone();
        let watch = Watch::open(&watched, move |news| self.hear(&id, news));
        self.watch.set_value(watch);
    }

    fn hear(self, id: &GenerationId, news: WatchNews) {
        let lost = news == WatchNews::Lost;
        let mut ended = false;
        self.drawing.update(|drawing| {
            let Some(drawing) = drawing.as_mut() else {
                return;
            };
            match news {
                WatchNews::Connected => drawing.connected = true,
                WatchNews::Reconnecting | WatchNews::Lost => drawing.connected = false,
                WatchNews::Event(event) => {
                    drawing.apply(*event);
                    ended = drawing.is_final();
                }
            }
        });
        if ended {
            self.refresh_recent();
        } else if lost {
            self.connect_again(id.clone());
        }
    }

    /// The browser gave the stream up (the server went away): asks until the server answers,
    /// then goes on from what it says.
    fn connect_again(self, id: GenerationId) {
        spawn_local(async move {
            loop {
                TimeoutFuture::new(RETRY_MS).await;
                if self.shown().as_ref() != Some(&id) {
                    return;
                }
                match client::generation(&id).await {
                    Ok(generation) => {
                        let is_final = generation.state.is_final();
                        self.drawing.update(|drawing| {
                            if let Some(drawing) = drawing {
                                drawing.refresh(generation);
                            }
                        });
                        if is_final {
                            self.refresh_recent()
                        } else {
                            self.watch(id)
                        }
                        return;
                    }
                    Err(ClientError::Problem(problem)) => {
                        self.cancel_error.set(Some(ClientError::Problem(problem)));
                        self.drawing.set(None);
                        return;
                    }
                    Err(ClientError::Unreachable | ClientError::Unreadable { .. }) => {}
                }
            }
        });
    }

    fn refresh_recent(self) {
        spawn_local(async move {
            // A list that can't be read now keeps what it shows; the picture itself is there.
            if let Ok(recent) = client::recent_generations().await {
                self.recent.try_set(recent);
            }
        });
    }

    /// The generation on show; `None` also once the page is gone.
    fn shown(self) -> Option<GenerationId> {
        self.drawing
            .try_get_untracked()
            .flatten()
            .map(|drawing| drawing.generation.id)
    }
}

/// The profiles that a generation is drawn for, as far as they have a name still.
fn named(parts: &[ProfileWeight], profiles: &[Profile]) -> Vec<BlendedProfile> {
    let name = |id: &ProfileId| {
        let profile = profiles.iter().find(|profile| profile.id == *id)?;
        profile.name.clone()
    };
    let named = parts.iter().filter_map(|part| {
        Some(BlendedProfile {
            id: part.id.clone(),
            name: name(&part.id)?,
            weight: part.weight,
        })
    });
    named.collect()
}
