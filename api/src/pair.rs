use serde::{Deserialize, Serialize};

use crate::{ChoiceId, PairId, ProfileId};

/// Two pictures drawn from one prompt, to choose between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pair {
    /// What `POST /choices` names.
    pub id: PairId,
    /// What both pictures were drawn from.
    pub prompt: String,
    /// URL of the left picture.
    pub left: String,
    /// URL of the right picture.
    pub right: String,
    /// Which counted choice this would be, from 1: the 2 in "Choice 2 of 4".
    pub position: u32,
    /// Counted choices a set needs: the 4 in "Choice 2 of 4".
    pub needed: u32,
}

/// What a person made of a pair. Only left and right count towards a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The left picture is preferred.
    Left,
    /// The right picture is preferred.
    Right,
    /// No preference.
    Tie,
    /// Not judged.
    Skip,
}

/// Body of `POST /choices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewChoice {
    /// The pair as `GET /pairs/next` named it.
    pub pair_id: PairId,
    /// What the person made of it.
    pub choice: Choice,
    /// A profile to sharpen: where this choice opens a set, the set adds to that
    /// profile instead of making a new one. Left out, the open set goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpen: Option<ProfileId>,
}

/// How far the open set is: the answer to a choice and to an undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChoiceProgress {
    /// Left and right choices made in the set.
    pub counted: u32,
    /// Left and right choices a set needs.
    pub needed: u32,
    /// Choices of every kind that can be taken back, ties and skips included.
    pub undoable: u32,
    /// The choice that an undo takes back; there while any can be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_choice_id: Option<ChoiceId>,
    /// The profile the completed set belongs to; there once `counted == needed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<ProfileId>,
}
