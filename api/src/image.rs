use serde::{Deserialize, Serialize};

use crate::{GenerationId, ImageId, ProfileId};

/// Most pictures that one request may name.
pub const MAX_SELECTED_IMAGES: usize = 10_000;

/// A finished picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Image {
    /// Names the picture.
    pub id: ImageId,
    /// Which picture of its generation, from 0; step events name the same number.
    pub index: u32,
    /// The picture's own seed.
    #[cfg_attr(feature = "openapi", schema(format = Int64, maximum = 4294967295_usize))]
    pub seed: u32,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Where the PNG is.
    pub url: String,
    /// Whether the person marked it as a favourite.
    pub favourite: bool,
}

/// A profile's part in the blend of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlendedProfile {
    /// The profile, which may be deleted by now.
    pub id: ProfileId,
    /// What it was called when the picture was asked for.
    pub name: String,
    /// As asked, not normalised.
    pub weight: f32,
}

/// A picture with everything that it takes to draw it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImageDetails {
    /// The picture.
    pub image: Image,
    /// The generation that it is of.
    pub generation_id: GenerationId,
    /// As asked, without the spaces around it.
    pub prompt: String,
    /// The beginning of the prompt that the model read; null where it read all of it.
    pub prompt_read: Option<String>,
    /// Steps of the prior.
    pub steps: u32,
    /// Guidance scale on the prompt.
    pub guidance: f32,
    /// Guidance on the profile.
    pub strength: f32,
    /// The blended profiles; empty where the base model drew.
    pub profiles: Vec<BlendedProfile>,
    /// SHA-256 of the weights that drew it; null for pictures from before this was kept.
    pub model_hash: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// Answer of `GET /images`: newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImageList {
    /// The pictures asked for, of those that fit.
    pub images: Vec<ImageDetails>,
    /// How many fit altogether.
    pub total: u32,
}

/// Answer of `GET /images/ids`: newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImageIdList {
    /// Every picture that fits.
    pub ids: Vec<ImageId>,
}

/// Body of `PATCH /images/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeImage {
    /// Whether it is a favourite.
    pub favourite: bool,
}

/// Body of `POST /images/archives` and of `POST /images/deletion`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImageSelection {
    /// 1 to 10000 pictures of this person; one that is named twice counts once.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 10000))]
    pub ids: Vec<ImageId>,
}

/// Answer of `POST /images/archives`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImageArchive {
    /// Where the ZIP archive is, for a day.
    pub url: String,
}
