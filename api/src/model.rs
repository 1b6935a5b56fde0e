use serde::{Deserialize, Serialize};

/// The allowed range of a number, both ends included, and its default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bounds {
    /// The least value allowed.
    pub min: f32,
    /// The greatest value allowed.
    pub max: f32,
    /// What is taken when the field is left out.
    pub default: f32,
}

/// Answer of `GET /model`: the model that runs, and the limits of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelCard {
    /// The model's name.
    pub name: String,
    /// SHA-256 of the weights, hexadecimal; profiles belong to one hash.
    pub hash: String,
    /// Parameters of all networks together.
    pub parameters: u64,
    /// What the model runs on.
    pub device: String,
    /// Whether it has a preference adapter; without one it draws without profiles only.
    pub preference_adapter: bool,
    /// Width and height of a picture in pixels.
    pub picture_size: u32,
    /// Most characters of a prompt.
    pub max_prompt_chars: u32,
    /// Most tokens (words and parts of words) of a prompt that the model reads. Of a longer one
    /// it reads the beginning, which a generation has as `prompt_read`.
    pub max_prompt_tokens: u32,
    /// Most characters of a profile's name.
    pub max_name_chars: u32,
    /// Pictures of one generation.
    pub count: Bounds,
    /// Steps of the prior.
    pub steps: Bounds,
    /// Guidance scale on the prompt.
    pub guidance: Bounds,
    /// Guidance on the profile.
    pub strength: Bounds,
}
