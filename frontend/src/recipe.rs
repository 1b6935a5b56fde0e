//! What it takes to draw a picture again.

mod png;

use predilect_api::{BlendedProfile, ImageDetails};

/// Everything that makes a picture what it is, besides the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recipe {
    pub(crate) prompt: String,
    pub(crate) seed: u32,
    pub(crate) steps: u32,
    pub(crate) guidance: f32,
    pub(crate) strength: f32,
    pub(crate) profiles: Vec<BlendedProfile>,
}

impl From<ImageDetails> for Recipe {
    fn from(details: ImageDetails) -> Self {
        Self {
            prompt: details.prompt,
            seed: details.image.seed,
            steps: details.steps,
            guidance: details.guidance,
            strength: details.strength,
            profiles: details.profiles,
        }
    }
}
