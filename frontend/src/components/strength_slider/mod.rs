//! How much the profile steers the picture.

use leptos::prelude::*;
use predilect_api::Bounds;

/// A slider labelled "Strength"; 0 draws without the profile.
#[component]
pub(crate) fn StrengthSlider(
    /// The value, changed by the slider.
    strength: RwSignal<f32>,
    /// What the server allows.
    #[prop(into)]
    bounds: Signal<Bounds>,
    /// What the server says against the value.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let words = move || match strength.get() {
        value if value <= 0.0 => "Off: drawn without your profile",
        value if value < 0.8 => "A hint of your taste",
        value if value <= 1.25 => "Your taste, as learned",
        value if value <= 2.0 => "More than you asked for",
        _ => "Your taste, exaggerated",
    };
    let set = move |event| {
        if let Ok(value) = event_target_value(&event).parse() {
            strength.set(value);
        }
    };
    view! {
        <div class="field strength">
            <div class="strength-head">
                <label for="strength">"Strength"</label>
                <output class="strength-value" for="strength">
                    {move || format!("{:.1}", strength.get())}
                </output>
            </div>
            <input
                id="strength"
                class="slider"
                type="range"
                min=move || bounds.get().min.to_string()
                max=move || bounds.get().max.to_string()
                step="0.1"
                prop:value=move || strength.get().to_string()
                value=strength.get_untracked().to_string()
                aria-describedby="strength-words strength-error"
                on:input=set
            />
            <p id="strength-words" class="quiet">
                {words}
            </p>
            <p id="strength-error" class="field-error" role="alert">
                {error}
            </p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slider_is_labelled_and_bounded() {
        let bounds = Bounds {
            min: 0.0,
            max: 3.0,
            default: 1.0,
        };
        let html = view! { <StrengthSlider strength=RwSignal::new(1.0) bounds=bounds error={None::<String>} /> }.to_html();
        for expected in ["for=\"strength\"", "min=\"0\"", "max=\"3\"", "1.0"] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
