//! What to draw, for whom and how strongly.

use crate::client::ClientError;
use crate::components::notice::Notice;
use crate::components::profile_picker::ProfilePicker;
use crate::components::strength_slider::StrengthSlider;
use crate::format;
use leptos::prelude::*;
use predilect_api::{Bounds, ModelCard, NewGeneration, Profile, ProfileId, ProfileWeight};

/// What [`ModelCard`] says about strength on every server; shown until it is read.
const STRENGTH: Bounds = Bounds {
    min: 0.0,
    max: 3.0,
    default: 1.0,
};
/// The fields of a request that the form shows errors beside.
const FIELDS: [&str; 3] = ["prompt", "strength", PROFILE_FIELD];
const PROFILE_FIELD: &str = "profiles[0].id";

/// The values of the form.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    pub(crate) prompt: RwSignal<String>,
    pub(crate) strength: RwSignal<f32>,
    pub(crate) profile: RwSignal<Option<ProfileId>>,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self {
            prompt: RwSignal::new(String::new()),
            strength: RwSignal::new(STRENGTH.default),
            profile: RwSignal::new(None),
        }
    }

    /// The request for one picture.
    pub(crate) fn request(self) -> NewGeneration {
        let profile = self.profile.get_untracked();
        NewGeneration {
            prompt: self.prompt.get_untracked(),
            profiles: profile
                .into_iter()
                .map(|id| ProfileWeight { id, weight: 1.0 })
                .collect(),
            strength: Some(self.strength.get_untracked()),
            ..NewGeneration::default()
        }
    }
}

/// The form with "Prompt", "Strength", "Profile" and "Generate".
#[component]
pub(crate) fn PromptForm(
    /// The values, changed by the form.
    draft: Draft,
    /// All of the person's profiles.
    #[prop(into)]
    profiles: Signal<Vec<Profile>>,
    /// The limits; `None` until they are read.
    #[prop(into)]
    model: Signal<Option<ModelCard>>,
    /// Why the last request was refused.
    error: RwSignal<Option<ClientError>>,
    /// Whether a picture is being drawn, and "Generate" waits.
    #[prop(into)]
    busy: Signal<bool>,
    /// Hears that a picture is wanted.
    on_generate: Callback<()>,
) -> impl IntoView {
    let about = move |label: &'static str, field: &'static str| {
        Signal::derive(move || {
            let message = error.get().and_then(|error| error.about(field));
            message.map(|message| format::fault(label, &message))
        })
    };
    let prompt_error = about("Prompt", "prompt");
    let elsewhere = Signal::derive(move || error.get().and_then(|error| error.beyond(&FIELDS)));
    let bounds = Signal::derive(move || model.get().map_or(STRENGTH, |model| model.strength));
    let count = move || {
        let used = draft.prompt.get().trim().chars().count();
        model
            .get()
            .map(|model| format!("{used} / {}", model.max_prompt_chars))
    };
    let submit = move || {
        if !busy.get_untracked() {
            on_generate.run(());
        }
    };
    // Enter sends, as in a chat; Shift+Enter breaks the line.
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            submit();
        }
    };
    view! {
        <form
            class="prompt-form panel"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                submit();
            }
        >
            <div class="field">
                <label for="prompt">"Prompt"</label>
                <textarea
                    id="prompt"
                    class="input prompt-text"
                    rows="3"
                    placeholder="A cat with sunglasses"
                    aria-invalid=move || prompt_error.get().is_some().to_string()
                    aria-describedby="prompt-count prompt-error"
                    prop:value=move || draft.prompt.get()
                    on:input=move |event| {
                        draft.prompt.set(event_target_value(&event));
                        error.set(None);
                    }
                    on:keydown=on_key
                ></textarea>
                <div class="prompt-below">
                    <p id="prompt-error" class="field-error" role="alert">
                        {prompt_error}
                    </p>
                    <p id="prompt-count" class="quiet prompt-count">
                        {count}
                    </p>
                </div>
            </div>
            <ProfilePicker profiles=profiles picked=draft.profile error=about("Profile", PROFILE_FIELD) />
            <StrengthSlider strength=draft.strength bounds=bounds error=about("Strength", "strength") />
            <button type="submit" class="button primary prompt-go" aria-disabled=move || busy.get().to_string()>
                "Generate"
            </button>
            <Notice message=elsewhere />
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use predilect_api::{FieldError, Problem};

    fn form(error: Option<ClientError>) -> String {
        view! {
            <PromptForm
                draft=Draft::new()
                profiles=Vec::new()
                model={None::<ModelCard>}
                error=RwSignal::new(error)
                busy=false
                on_generate=Callback::new(|()| ())
            />
        }
        .to_html()
    }

    #[test]
    fn the_parts_have_their_names() {
        let html = form(None);
        for expected in [">Prompt<", ">Strength<", ">Profile<", "Generate"] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn a_fault_is_a_sentence_about_its_field() {
        let html = form(Some(ClientError::Problem(Box::new(Problem {
            kind: "urn:predilect:problem:invalid-request".into(),
            title: "Invalid request".into(),
            status: 422,
            detail: "Some fields have values that are not allowed.".into(),
            errors: ["prompt", "strength"]
                .map(|field| FieldError {
                    field: field.into(),
                    message: "must be otherwise".into(),
                })
                .into(),
            missing: None,
        }))));
        for expected in ["Prompt must be otherwise.", "Strength must be otherwise."] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn a_server_that_is_down_is_said_beside_the_button() {
        let html = form(Some(ClientError::Unreachable));
        assert!(html.contains("Predilect does not answer."), "{html}");
    }

    #[test]
    fn a_draft_asks_for_its_profile_at_full_weight() {
        let draft = Draft::new();
        draft.prompt.set("a fox".into());
        draft.profile.set(Some(ProfileId("p".into())));
        let request = draft.request();
        assert_eq!(
            request.profiles,
            [ProfileWeight {
                id: ProfileId("p".into()),
                weight: 1.0
            }]
        );
        assert_eq!(
            (request.prompt.as_str(), request.strength),
            ("a fox", Some(1.0))
        );
    }
}
