//! Requests parsed at the edge: what these types hold is within all limits.

mod account;
mod image;
mod survey;

use std::{fmt::Display, ops::RangeInclusive};

use predilect_api::{Bounds, FieldError, MAX_NAME_CHARS, ModelCard, ProfileWeight};
use predilect_model::engine::ModelInfo;
use unicode_normalization::UnicodeNormalization;

pub use account::{AccountName, Password, TokenName};
pub use image::{ImageFilter, ProfileFilter, Selection};
pub use survey::ParsedSurvey;
pub(crate) use survey::prompt_group;

const COUNT: RangeInclusive<u32> = 1..=8;
const GUIDANCE: RangeInclusive<f32> = 0.0..=20.0;
const STRENGTH: RangeInclusive<f32> = 0.0..=3.0;
const DEFAULT_STRENGTH: f32 = 1.0;

/// Collects what is wrong with each field, so that a person hears all of it at once.
#[derive(Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Keeps the value, or the error under the field's name.
    pub fn take<T>(&mut self, field: impl Into<String>, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|message| self.add(field, message)).ok()
    }

    /// Adds an error that is not about one value alone.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Every error found.
    #[must_use]
    pub fn into_vec(self) -> Vec<FieldError> {
        self.0
    }
}

/// What to draw: trimmed, not empty, not over-long, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt(String);

impl Prompt {
    /// Parses what a person typed.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn parse(text: &str, max_chars: usize) -> Result<Self, String> {
        plain_text(text, max_chars).map(Self)
    }

    /// The text, for storing.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// What a person calls a profile: trimmed, not empty, not over-long, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileName(String);

impl ProfileName {
    /// Parses what a person typed.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        plain_text(text, MAX_NAME_CHARS).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The profiles of a request with their weights: none negative, not all 0, none twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Blend(Vec<ProfileWeight>);

impl Blend {
    /// Most profiles in one blend.
    pub const MAX_PROFILES: usize = 8;

    /// Parses the `profiles` of a request; each error names its field.
    ///
    /// # Errors
    /// What is allowed, for each weight or id at fault.
    pub fn parse(profiles: Vec<ProfileWeight>) -> Result<Self, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        if profiles.len() > Self::MAX_PROFILES {
            let message = format!("must name at most {} profiles", Self::MAX_PROFILES);
            errors.add("profiles", message);
        }
        for (at, part) in profiles.iter().enumerate() {
            if !(part.weight.is_finite() && part.weight >= 0.0) {
                let field = format!("profiles[{at}].weight");
                errors.add(field, "must be a number of 0 or more");
            }
            if profiles[..at].iter().any(|earlier| earlier.id == part.id) {
                errors.add(
                    Self::field(at),
                    "must name a profile that is not in the list yet",
                );
            }
        }
        if !profiles.is_empty() && profiles.iter().all(|part| part.weight == 0.0) {
            let message = "must have at least one weight above 0; leave the list empty to draw \
                           without a profile";
            errors.add("profiles", message);
        }
        let errors = errors.into_vec();
        if errors.is_empty() {
            Ok(Self(profiles))
        } else {
            Err(errors)
        }
    }

    /// The profiles, in the order asked.
    #[must_use]
    pub fn parts(&self) -> &[ProfileWeight] {
        &self.0
    }

    /// A profile in the list, by its place: the field's name for an error.
    #[must_use]
    pub fn field(at: usize) -> String {
        format!("profiles[{at}].id")
    }
}

/// The ranges a generation must lie in, as the loaded model sets them.
#[derive(Clone, Debug)]
pub struct GenerationLimits {
    /// Most characters of a prompt.
    pub max_prompt_chars: usize,
    max_steps: u32,
    default_steps: u32,
    default_guidance: f32,
}

impl GenerationLimits {
    /// The limits of a loaded model.
    #[must_use]
    pub fn of(model: &ModelInfo) -> Self {
        Self {
            max_prompt_chars: model.max_prompt_chars,
            max_steps: model.max_steps,
            default_steps: model.default_steps,
            default_guidance: model.default_guidance,
        }
    }

    /// Most steps of the prior.
    #[must_use]
    pub fn max_steps(&self) -> u32 {
        self.max_steps
    }

    /// Pictures of one generation.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn count(&self, asked: Option<i64>) -> Result<u32, String> {
        asked.map_or(Ok(1), |count| whole(count, COUNT))
    }

    /// Steps of the prior.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn steps(&self, asked: Option<i64>) -> Result<u32, String> {
        asked.map_or(Ok(self.default_steps), |steps| {
            whole(steps, 1..=self.max_steps)
        })
    }

    /// Seed of the first picture; random when left out.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn seed(&self, asked: Option<i64>) -> Result<u32, String> {
        asked.map_or_else(|| Ok(rand::random()), |seed| whole(seed, 0..=u32::MAX))
    }

    /// Guidance scale on the prompt.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn guidance(&self, asked: Option<f32>) -> Result<f32, String> {
        asked.map_or(Ok(self.default_guidance), |guidance| {
            real(guidance, GUIDANCE)
        })
    }

    /// Guidance on the profile.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn strength(&self, asked: Option<f32>) -> Result<f32, String> {
        asked.map_or(Ok(DEFAULT_STRENGTH), |strength| real(strength, STRENGTH))
    }

    /// The model and these limits, for whoever builds controls from them.
    #[must_use]
    pub fn card(&self, model: &ModelInfo) -> ModelCard {
        let bounds = |min: f32, max: f32, default: f32| Bounds { min, max, default };
        ModelCard {
            name: model.name.clone(),
            hash: model.hash.clone(),
            parameters: model.parameters,
            device: model.device.clone(),
            preference_adapter: model.preference_adapter.is_some(),
            picture_size: model.picture_size,
            max_prompt_chars: self.max_prompt_chars.try_into().unwrap_or(u32::MAX),
            max_prompt_tokens: model.max_prompt_tokens.try_into().unwrap_or(u32::MAX),
            max_name_chars: MAX_NAME_CHARS as u32,
            count: bounds(*COUNT.start() as f32, *COUNT.end() as f32, 1.0),
            steps: bounds(1.0, self.max_steps as f32, self.default_steps as f32),
            guidance: bounds(*GUIDANCE.start(), *GUIDANCE.end(), self.default_guidance),
            strength: bounds(*STRENGTH.start(), *STRENGTH.end(), DEFAULT_STRENGTH),
        }
    }
}

/// The same for all texts that read alike: compatibility forms and case are what makes texts
/// look alike without being equal.
pub(crate) fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

fn plain_text(text: &str, max_chars: usize) -> Result<String, String> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars == 0 || chars > max_chars {
        return Err(format!(
            "must have 1 to {max_chars} characters, and has {chars}"
        ));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err("must not have control characters".into());
    }
    Ok(text.into())
}

pub(crate) fn whole(value: i64, allowed: RangeInclusive<u32>) -> Result<u32, String> {
    u32::try_from(value)
        .ok()
        .filter(|value| allowed.contains(value))
        .ok_or_else(|| out_of_range("a whole number", &allowed, value))
}

fn real(value: f32, allowed: RangeInclusive<f32>) -> Result<f32, String> {
    if allowed.contains(&value) {
        Ok(value)
    } else {
        Err(out_of_range("a number", &allowed, value))
    }
}

fn out_of_range<T: Display>(kind: &str, allowed: &RangeInclusive<T>, is: impl Display) -> String {
    format!(
        "must be {kind} from {} to {}, and is {is}",
        allowed.start(),
        allowed.end()
    )
}

#[cfg(test)]
mod tests {
    use predilect_api::ProfileId;

    use super::*;

    fn part(id: &str, weight: f32) -> ProfileWeight {
        ProfileWeight {
            id: ProfileId(id.into()),
            weight,
        }
    }

    #[test]
    fn a_prompt_is_trimmed_and_counted_in_characters() {
        assert_eq!(
            Prompt::parse("  eine Tür \n", 8).unwrap().into_string(),
            "eine Tür"
        );
        assert!(
            Prompt::parse("eine Türe", 8)
                .unwrap_err()
                .contains("1 to 8 characters")
        );
        assert!(Prompt::parse(" \t ", 8).is_err());
        assert!(Prompt::parse("a\0b", 8).unwrap_err().contains("control"));
    }

    #[test]
    fn both_ends_of_a_range_are_allowed() {
        assert_eq!(whole(1, COUNT), Ok(1));
        assert_eq!(whole(8, COUNT), Ok(8));
        assert_eq!(
            whole(9, COUNT).unwrap_err(),
            "must be a whole number from 1 to 8, and is 9"
        );
        assert!(whole(-1, 0..=u32::MAX).is_err());
        assert_eq!(whole(i64::from(u32::MAX), 0..=u32::MAX), Ok(u32::MAX));
        assert!(real(3.0, STRENGTH).is_ok());
        assert!(real(3.01, STRENGTH).is_err());
        assert!(real(f32::NAN, STRENGTH).is_err());
    }

    #[test]
    fn a_blend_has_weights_that_can_be_normalised() {
        assert!(Blend::parse(vec![]).is_ok());
        assert!(Blend::parse(vec![part("a", 1.0), part("b", 0.0)]).is_ok());
        let all_zero = Blend::parse(vec![part("a", 0.0)]).unwrap_err();
        assert_eq!(all_zero[0].field, "profiles");
        let negative = Blend::parse(vec![part("a", 1.0), part("b", -0.5)]).unwrap_err();
        assert_eq!(negative[0].field, "profiles[1].weight");
        let twice = Blend::parse(vec![part("a", 1.0), part("a", 1.0)]).unwrap_err();
        assert_eq!(twice[0].field, "profiles[1].id");
    }
}
