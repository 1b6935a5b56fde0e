//! What to draw, for whom and how strongly.

use crate::components::drawing_settings::{DrawingSettings, DrawingSettingsFields};
use crate::components::earlier_prompts::EarlierPrompts;
use crate::components::form::Submission;
use crate::components::notice::Notice;
use crate::components::profile_picker::{ProfilePicker, Taste};
use crate::components::recipe_picker::RecipePicker;
use crate::components::strength_slider::StrengthSlider;
use crate::focus::focus_next;
use crate::format;
use crate::recipe::Recipe;
use leptos::html::Textarea;
use leptos::prelude::*;
use predilect_api::{Bounds, ModelCard, NewGeneration, Profile};

/// What [`ModelCard`] says about strength on every server; shown until it is read.
const STRENGTH: Bounds = Bounds {
    min: 0.0,
    max: 3.0,
    default: 1.0,
};
/// The fields of a request that the form shows faults beside.
pub(crate) const FIELDS: [&str; 7] = [
    "prompt",
    "strength",
    PROFILE_FIELD,
    "count",
    "steps",
    "guidance",
    "seed",
];
const PROFILE_FIELD: &str = "profiles[0].id";

/// The values of the form.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    pub(crate) prompt: RwSignal<String>,
    pub(crate) strength: RwSignal<f32>,
    pub(crate) taste: Taste,
    pub(crate) settings: DrawingSettings,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self {
            prompt: RwSignal::new(String::new()),
            strength: RwSignal::new(STRENGTH.default),
            taste: Taste::new(),
            settings: DrawingSettings::new(),
        }
    }

    /// Takes over all it takes to draw a picture again, for those of `profiles` that it was
    /// drawn for.
    pub(crate) fn take_over(self, recipe: Recipe, profiles: &[Profile]) {
        let settings = self.settings;
        self.prompt.set(recipe.prompt);
        self.strength.set(recipe.strength);
        settings.count.set("1".into());
        settings.steps.set(recipe.steps.to_string());
        settings.guidance.set(recipe.guidance.to_string());
        settings.seed.set(recipe.seed.to_string());
        settings.keep_seed.set(true);
        self.taste.take_over(recipe.profiles, profiles);
    }

    /// The request for pictures.
    ///
    /// # Errors
    /// The field that is not a number, and what it must be.
    pub(crate) fn request(self) -> Result<NewGeneration, (&'static str, &'static str)> {
        self.settings.complete(NewGeneration {
            prompt: self.prompt.get_untracked(),
            profiles: self.taste.weights(),
            strength: Some(self.strength.get_untracked()),
            ..NewGeneration::default()
        })
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
    /// What was asked for before, newest first.
    #[prop(into)]
    earlier: Signal<Vec<String>>,
    /// The limits; `None` until they are read.
    #[prop(into)]
    model: Signal<Option<ModelCard>>,
    /// What became of the last request.
    submission: Submission,
    /// Whether a picture is being drawn, and "Generate" waits.
    #[prop(into)]
    busy: Signal<bool>,
    /// Hears that a picture is wanted.
    on_generate: Callback<()>,
) -> impl IntoView {
    let about = move |label: &'static str, field: &'static str| {
        Signal::derive(move || {
            let message = submission.about(field);
            message.map(|message| format::fault(label, &message))
        })
    };
    let prompt_error = about("Prompt", "prompt");
    let bounds = Signal::derive(move || model.get().map_or(STRENGTH, |model| model.strength));
    let count = move || {
        let used = draft.prompt.get().trim().chars().count();
        model
            .get()
            .map(|model| format!("{used} / {}", model.max_prompt_chars))
    };
    let take_over =
        move |recipe| profiles.with_untracked(|profiles| draft.take_over(recipe, profiles));
    let text = NodeRef::<Textarea>::new();
    let take_prompt = move |prompt| {
        draft.prompt.set(prompt);
        submission.forget_error();
        focus_next(move || text.try_get_untracked().flatten().map(Into::into));
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
                    node_ref=text
                    id="prompt"
                    class="input prompt-text"
                    rows="3"
                    placeholder="A cat with sunglasses"
                    aria-invalid=move || prompt_error.get().is_some().to_string()
                    aria-describedby="prompt-count prompt-error"
                    prop:value=move || draft.prompt.get()
                    on:input=move |event| {
                        draft.prompt.set(event_target_value(&event));
                        submission.forget_error();
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
                <EarlierPrompts prompts=earlier on_pick=Callback::new(take_prompt) />
            </div>
            <ProfilePicker profiles=profiles taste=draft.taste error=about("Profile", PROFILE_FIELD) />
            <StrengthSlider strength=draft.strength bounds=bounds error=about("Strength", "strength") />
            <DrawingSettingsFields settings=draft.settings model=model submission=submission />
            <button type="submit" class="button primary prompt-go" aria-disabled=move || busy.get().to_string()>
                "Generate"
            </button>
            <RecipePicker on_recipe=Callback::new(take_over) />
            <Notice message=Signal::derive(move || submission.beyond()) />
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientError;
    use crate::components::picture_grid::tests::fox;
    use crate::components::profile_picker::tests::profile;
    use predilect_api::{FieldError, Problem, ProfileId, ProfileState, ProfileWeight};

    fn form(submission: Submission) -> String {
        view! {
            <PromptForm
                draft=Draft::new()
                profiles=Vec::new()
                earlier=Vec::new()
                model={None::<ModelCard>}
                submission=submission
                busy=false
                on_generate=Callback::new(|()| ())
            />
        }
        .to_html()
    }

    fn refused(error: ClientError) -> String {
        let submission = Submission::new(&FIELDS);
        submission.error.set(Some(error));
        form(submission)
    }

    #[test]
    fn the_parts_have_their_names() {
        let html = form(Submission::new(&FIELDS));
        for expected in [">Prompt<", ">Strength<", ">Profile<", "Generate"] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn a_fault_is_a_sentence_about_its_field() {
        let html = refused(ClientError::Problem(Box::new(Problem {
            kind: "urn:predilect:problem:invalid-request".into(),
            title: "Invalid request".into(),
            status: 422,
            detail: "Some fields have values that are not allowed.".into(),
            errors: ["prompt", "strength", "seed"]
                .map(|field| FieldError {
                    field: field.into(),
                    message: "must be otherwise".into(),
                })
                .into(),
            missing: None,
        })));
        for expected in
            ["Prompt", "Strength", "Seed"].map(|label| format!("{label} must be otherwise."))
        {
            assert!(html.contains(&expected), "{expected} in {html}");
        }
    }

    #[test]
    fn a_server_that_is_down_is_said_beside_the_button() {
        let html = refused(ClientError::Unreachable);
        assert!(html.contains("Predilect does not answer."), "{html}");
    }

    #[test]
    fn a_draft_asks_for_its_profile_at_full_weight() {
        let draft = Draft::new();
        draft.prompt.set("a fox".into());
        draft.taste.pick(Some(ProfileId("p".into())));
        let request = draft.request().unwrap();
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

    #[test]
    fn a_picture_is_asked_for_again_as_it_was_drawn() {
        let draft = Draft::new();
        let profiles = ["a", "b"].map(|id| profile(id, Some(id), ProfileState::Ready));
        draft.take_over(fox().into(), &profiles);
        let request = draft.request().unwrap();
        assert_eq!((request.seed, request.count), (Some(7), Some(1)));
        assert_eq!((request.steps, request.guidance), (Some(20), Some(4.0)));
        assert_eq!(
            (request.prompt.as_str(), request.strength),
            ("a red fox", Some(1.5))
        );
        let weights: Vec<_> = request.profiles.iter().map(|part| part.weight).collect();
        assert_eq!(weights, [0.3, 0.7]);
    }
}
