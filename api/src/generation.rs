use serde::{Deserialize, Serialize};

use crate::{GenerationId, Image, ProfileId};

/// A profile's part in a blend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProfileWeight {
    /// A profile of this person whose state is ready.
    pub id: ProfileId,
    /// 0 or more, and not all 0; the weights of a request are normalised to sum to 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 3.4e38))]
    pub weight: f32,
}

/// Body of `POST /generations`. What is left out takes the default of `GET /model`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewGeneration {
    /// What to draw: 1 to `max_prompt_chars` characters, not counting spaces around it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::PromptText))]
    pub prompt: String,
    /// Seed of the first picture, 0 to 4294967295; the next pictures take the next
    /// seeds, going round at the end. Left out, a random one is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 4294967295_usize))]
    pub seed: Option<i64>,
    /// Pictures to draw, 1 to 8; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 8))]
    pub count: Option<i64>,
    /// Steps of the prior, 1 to the most that `GET /model` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub steps: Option<i64>,
    /// Guidance scale on the prompt, 0 to 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 20))]
    pub guidance: Option<f32>,
    /// The profiles to blend, at most 8 and none twice; empty draws with the base model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 8))]
    pub profiles: Vec<ProfileWeight>,
    /// Guidance on the profile, 0 (off) to 3; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 3))]
    pub strength: Option<f32>,
}

/// Where a generation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GenerationState {
    /// Stored, waiting for its turn.
    Queued,
    /// Being drawn.
    Running,
    /// All pictures are there.
    Done,
    /// It ended without all its pictures; `failure` says why.
    Failed,
    /// The person cancelled it.
    Cancelled,
}

impl GenerationState {
    /// Whether nothing more will happen to the generation.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// One request for pictures, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Generation {
    /// Names this generation.
    pub id: GenerationId,
    /// Where it stands.
    pub state: GenerationState,
    /// As asked, without the spaces around it.
    pub prompt: String,
    /// The beginning of the prompt that the model reads, where it is longer than what it reads;
    /// null where all of it is read.
    pub prompt_read: Option<String>,
    /// Seed of the first picture.
    #[cfg_attr(feature = "openapi", schema(format = Int64, maximum = 4294967295_usize))]
    pub seed: u32,
    /// Pictures asked for.
    pub count: u32,
    /// Steps of the prior.
    pub steps: u32,
    /// Guidance scale on the prompt.
    pub guidance: f32,
    /// Guidance on the profile.
    pub strength: f32,
    /// The blended profiles, as asked.
    pub profiles: Vec<ProfileWeight>,
    /// The pictures finished so far, by index.
    pub images: Vec<Image>,
    /// Generations to be started before this one; null unless it is queued.
    pub position: Option<u32>,
    /// Why it failed, in words; null unless `state` is failed.
    pub failure: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// Answer of `GET /generations`: newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GenerationList {
    /// One page of the person's generations.
    pub generations: Vec<Generation>,
    /// What to send as `before` for the next page; null on the last one.
    pub next: Option<GenerationId>,
}
