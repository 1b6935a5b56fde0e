//! What the model read from the choices, and the form that names the profile.

use crate::client::{self, ClientError};
use crate::components::form::{Form, Submission};
use crate::components::notice::Notice;
use crate::components::text_field::TextField;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::{Profile, ProfileId, ProfileState};

/// How often to ask whether the description is there.
const POLL_MS: u32 = 700;

/// Waits for the description of the profile `id`, shows it, and asks for a name.
#[component]
pub(crate) fn TasteForm(
    /// The profile that waits for its name.
    id: ProfileId,
    /// Hears of the named profile.
    on_saved: Callback<Profile>,
) -> impl IntoView {
    let profile = RwSignal::new(None::<Profile>);
    let reading_error = RwSignal::new(None::<ClientError>);
    let name = RwSignal::new(String::new());
    let submission = Submission::new(&["name"]);

    let read_on = StoredValue::new(id);
    let follow = move || {
        spawn_local(async move {
            reading_error.set(None);
            loop {
                // The form may have gone from the page meanwhile.
                let Some(id) = read_on.try_get_value() else {
                    return;
                };
                let answer = client::profile(&id).await;
                let pending = match answer {
                    Ok(read) => {
                        let pending = read.state == ProfileState::Pending;
                        profile.try_set(Some(read));
                        pending
                    }
                    Err(failed) => {
                        reading_error.try_set(Some(failed));
                        false
                    }
                };
                if !pending {
                    return;
                }
                TimeoutFuture::new(POLL_MS).await;
            }
        });
    };
    Effect::new(follow);

    let save = move |()| {
        let named = client::name_profile(name.get_untracked());
        submission.send(named, move |saved| on_saved.run(saved));
    };

    view! {
        <section class="taste panel">
            <Description profile=profile />
            <Notice
                message=Signal::derive(move || reading_error.get().map(|error| error.sentence()))
                retry=Callback::new(move |()| follow())
            />
            <Form submission=submission button="Save profile" on_send=Callback::new(save)>
                <TextField
                    id="profile-name"
                    label="Name"
                    field="name"
                    value=name
                    submission=submission
                    placeholder="For example: Soft and round"
                />
            </Form>
        </section>
    }
}

/// The model's words for the taste, or what stands in their place.
#[component]
fn Description(
    /// As last read; `None` before the first answer.
    #[prop(into)]
    profile: Signal<Option<Profile>>,
) -> impl IntoView {
    let words = move || match profile.get() {
        Some(Profile {
            state: ProfileState::Ready,
            description: Some(description),
            ..
        }) => view! { <blockquote class="taste-words">{description}</blockquote> }.into_any(),
        Some(Profile {
            state: ProfileState::Failed,
            failure,
            ..
        }) => {
            let failure = failure.unwrap_or_else(|| "Your choices could not be read.".into());
            view! {
                <div class="notice">
                    <p>{failure} " Undo the last choice and choose again."</p>
                </div>
            }
            .into_any()
        }
        _ => view! {
            <div class="taste-reading">
                <span class="taste-line"></span>
                <span class="taste-line short"></span>
                <p class="quiet">"Reading your choices…"</p>
            </div>
        }
        .into_any(),
    };
    view! {
        <div class="taste-description" aria-live="polite">
            <h2 class="taste-title">"What the model reads in your choices"</h2>
            {words}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(state: ProfileState) -> Profile {
        Profile {
            id: ProfileId("p".into()),
            name: None,
            description: (state == ProfileState::Ready).then(|| "Prefers flat shapes.".into()),
            state,
            failure: (state == ProfileState::Failed)
                .then(|| "The model could not read a picture.".into()),
            choices: 4,
            created_at: "2026-11-23T00:00:00Z".into(),
        }
    }

    #[test]
    fn the_description_shows_once_it_is_ready() {
        let pending =
            view! { <Description profile=Some(profile(ProfileState::Pending)) /> }.to_html();
        assert!(pending.contains("Reading your choices"));
        let ready = view! { <Description profile=Some(profile(ProfileState::Ready)) /> }.to_html();
        assert!(ready.contains("Prefers flat shapes.") && !ready.contains("Reading"));
    }

    #[test]
    fn a_failed_reading_is_said_in_words() {
        let failed =
            view! { <Description profile=Some(profile(ProfileState::Failed)) /> }.to_html();
        assert!(failed.contains("The model could not read a picture."));
    }
}
