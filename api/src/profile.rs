use serde::{Deserialize, Serialize};

use crate::ProfileId;

/// Most characters of a name: a profile's, an account's, a survey's.
pub const MAX_NAME_CHARS: usize = 60;

/// Whether a profile can be drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProfileState {
    /// The model is reading the choices.
    Pending,
    /// The preference embedding and the description are there.
    Ready,
    /// The embedding could not be made; `failure` says why.
    Failed,
}

/// A person's taste, as read from their choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    /// Names this profile.
    pub id: ProfileId,
    /// The person's name for it; null until `POST /profiles` names it.
    pub name: Option<String>,
    /// The model's words for the taste; null until they are ready.
    pub description: Option<String>,
    /// Whether it can be drawn for.
    pub state: ProfileState,
    /// Why the embedding failed, in words; null unless `state` is failed.
    pub failure: Option<String>,
    /// Left and right choices it was read from.
    pub choices: u32,
    /// RFC 3339.
    pub created_at: String,
}

/// Answer of `GET /profiles`: newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProfileList {
    /// The person's profiles, the one still without a name included.
    pub profiles: Vec<Profile>,
}

/// Body of `POST /profiles`: names the profile of the completed set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NameProfile {
    /// 1 to 60 characters, not counting spaces around it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::NameText))]
    pub name: String,
}

/// Body of `PATCH /profiles/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RenameProfile {
    /// 1 to 60 characters, not counting spaces around it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::NameText))]
    pub name: String,
}

/// Answer of `GET /profiles/{id}/code`: the profile as text to hand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProfileCode {
    /// Carries the preference embedding itself, so it works on any server that
    /// runs the same model.
    pub code: String,
}

/// Body of `POST /profiles/import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportProfile {
    /// What `GET /profiles/{id}/code` answered.
    pub code: String,
    /// 1 to 60 characters, not counting spaces around it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::NameText))]
    pub name: String,
}
