//! How many pictures to draw, and how.

use crate::components::check_box::CheckBox;
use crate::components::form::Submission;
use crate::components::text_field::TextField;
use leptos::html::Details;
use leptos::prelude::*;
use predilect_api::{Bounds, ModelCard, NewGeneration};
use std::str::FromStr;

/// Numbers as they are typed; what is left empty takes the model's default.
#[derive(Clone, Copy)]
pub(crate) struct DrawingSettings {
    pub(crate) count: RwSignal<String>,
    pub(crate) steps: RwSignal<String>,
    pub(crate) guidance: RwSignal<String>,
    /// Of the last picture, or to be kept.
    pub(crate) seed: RwSignal<String>,
    /// Whether the next pictures take the same seed.
    pub(crate) keep_seed: RwSignal<bool>,
}

impl DrawingSettings {
    pub(crate) fn new() -> Self {
        let empty = || RwSignal::new(String::new());
        Self {
            count: empty(),
            steps: empty(),
            guidance: empty(),
            seed: empty(),
            keep_seed: RwSignal::new(false),
        }
    }

    /// The request with these numbers.
    ///
    /// # Errors
    /// The field that is not a number, and what it must be: the rest is left to the server.
    pub(crate) fn complete(
        self,
        request: NewGeneration,
    ) -> Result<NewGeneration, (&'static str, &'static str)> {
        let whole = |field, typed| number::<i64>(typed).ok_or((field, "must be a whole number"));
        let guidance = number::<f32>(self.guidance)
            .filter(|guidance| guidance.is_none_or(f32::is_finite))
            .ok_or(("guidance", "must be a number, such as 3.5"))?;
        let seed = if self.keep_seed.get_untracked() {
            whole("seed", self.seed)?
        } else {
            None
        };
        Ok(NewGeneration {
            count: whole("count", self.count)?,
            steps: whole("steps", self.steps)?,
            guidance,
            seed,
            ..request
        })
    }
}

/// What is typed; the inner one is `None` where that is nothing.
fn number<T: FromStr>(typed: RwSignal<String>) -> Option<Option<T>> {
    let typed = typed.get_untracked();
    match typed.trim() {
        "" => Some(None),
        typed => typed.parse().ok().map(Some),
    }
}

/// "More settings", to unfold: number of pictures, steps, guidance, and the seed with its lock.
#[component]
pub(crate) fn DrawingSettingsFields(
    /// The values, changed by the fields.
    settings: DrawingSettings,
    /// The defaults; `None` until they are read.
    #[prop(into)]
    model: Signal<Option<ModelCard>>,
    /// What became of the request.
    submission: Submission,
) -> impl IntoView {
    let default = move |of: fn(&ModelCard) -> Bounds| {
        Signal::derive(move || {
            let model = model.read();
            model.as_ref().map(|model| of(model).default.to_string())
        })
    };
    // Settings that are refused must not be out of sight.
    let more = NodeRef::<Details>::new();
    Effect::new(move || {
        let mut hidden = ["count", "steps", "guidance", "seed"].into_iter();
        if hidden.any(|field| submission.about(field).is_some())
            && let Some(more) = more.get()
        {
            more.set_open(true);
        }
    });
    view! {
        <details node_ref=more class="drawing-settings">
            <summary>
                "More settings"
                <span class="quiet">{move || settings.keep_seed.get().then_some("The seed is kept")}</span>
            </summary>
            <div class="drawing-settings-fields">
                <TextField
                    id="count"
                    label="Pictures"
                    field="count"
                    value=settings.count
                    submission=submission
                    numeric=true
                    placeholder=default(|model| model.count)
                />
                <TextField
                    id="steps"
                    label="Steps"
                    field="steps"
                    value=settings.steps
                    submission=submission
                    numeric=true
                    placeholder=default(|model| model.steps)
                />
                <TextField
                    id="guidance"
                    label="Guidance"
                    field="guidance"
                    value=settings.guidance
                    submission=submission
                    numeric=true
                    placeholder=default(|model| model.guidance)
                />
                <TextField
                    id="seed"
                    label="Seed"
                    field="seed"
                    value=settings.seed
                    submission=submission
                    numeric=true
                    placeholder="Random"
                    // Whoever types one wants it.
                    on:input=move |_| settings.keep_seed.set(true)
                />
                <CheckBox label="Keep the seed" checked=settings.keep_seed />
            </div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_have_their_names() {
        let html = view! {
            <DrawingSettingsFields
                settings=DrawingSettings::new()
                model={None::<ModelCard>}
                submission=Submission::new(&[])
            />
        }
        .to_html();
        for expected in [
            ">Pictures<",
            ">Steps<",
            ">Guidance<",
            ">Seed<",
            "Keep the seed",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn settings_that_are_left_empty_are_left_out() {
        let request = NewGeneration::default();
        let completed = DrawingSettings::new().complete(request.clone());
        assert_eq!(completed, Ok(request));
    }

    #[test]
    fn what_is_no_number_is_said_at_its_field() {
        for (typed, field) in [
            ("1.5", "count"),
            ("x", "steps"),
            ("3,5", "guidance"),
            ("inf", "guidance"),
            ("-", "seed"),
        ] {
            let settings = DrawingSettings::new();
            settings.keep_seed.set(true);
            let fields = [
                ("count", settings.count),
                ("steps", settings.steps),
                ("guidance", settings.guidance),
                ("seed", settings.seed),
            ];
            let (_, place) = fields.into_iter().find(|(name, _)| *name == field).unwrap();
            place.set(typed.into());
            let refused = settings.complete(NewGeneration::default()).unwrap_err();
            assert_eq!(refused.0, field, "{typed}");
        }
    }

    #[test]
    fn a_seed_is_asked_for_only_while_it_is_kept() {
        let settings = DrawingSettings::new();
        settings.seed.set(" 8 ".into());
        let seed = || settings.complete(NewGeneration::default()).unwrap().seed;
        assert_eq!(seed(), None);
        settings.keep_seed.set(true);
        assert_eq!(seed(), Some(8));
    }
}
