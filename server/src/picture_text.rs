//! What a downloaded picture says about itself.

use predilect_api::Generation;

use crate::store::BlendPart;

/// The text chunks of a picture: all it takes to draw it again.
#[must_use]
pub fn of(
    generation: &Generation,
    blend: &[BlendPart],
    seed: u32,
    model_hash: &str,
) -> Vec<(&'static str, String)> {
    let names: Vec<_> = match blend {
        [] => vec!["none".to_owned()],
        [only] => vec![only.profile_name.clone()],
        several => {
            let sum: f64 = several.iter().map(|part| part.weight).sum();
            several
                .iter()
                .map(|part| format!("{} {:.0} %", part.profile_name, 100.0 * part.weight / sum))
                .collect()
        }
    };
    let profiles: Vec<_> = blend
        .iter()
        .map(|part| {
            serde_json::json!({
                "id": part.profile_id, "name": part.profile_name, "weight": part.weight as f32,
            })
        })
        .collect();
    vec![
        (
            "Software",
            concat!("Predilect ", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("prompt", generation.prompt.clone()),
        ("seed", seed.to_string()),
        ("steps", generation.steps.to_string()),
        ("guidance", generation.guidance.to_string()),
        ("profile", names.join(", ")),
        ("profiles", serde_json::Value::from(profiles).to_string()),
        ("strength", generation.strength.to_string()),
        ("model_hash", model_hash.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use predilect_api::{GenerationId, GenerationState};

    use super::*;

    fn profile_text(blend: &[BlendPart]) -> String {
        let generation = Generation {
            id: GenerationId("g".into()),
            state: GenerationState::Running,
            prompt: "a dog".into(),
            prompt_read: None,
            seed: 1,
            count: 1,
            steps: 2,
            guidance: 4.0,
            strength: 1.0,
            profiles: vec![],
            images: vec![],
            position: None,
            failure: None,
            created_at: String::new(),
        };
        let texts = of(&generation, blend, 1, "abc");
        texts
            .into_iter()
            .find(|(key, _)| *key == "profile")
            .unwrap()
            .1
    }

    fn part(name: &str, weight: f64) -> BlendPart {
        BlendPart {
            profile_id: name.into(),
            profile_name: name.into(),
            weight,
        }
    }

    #[test]
    fn a_blend_names_each_profile_with_its_share() {
        assert_eq!(profile_text(&[]), "none");
        assert_eq!(profile_text(&[part("Calm", 0.3)]), "Calm");
        assert_eq!(
            profile_text(&[part("Calm", 1.0), part("Loud", 3.0)]),
            "Calm 25 %, Loud 75 %"
        );
    }
}
