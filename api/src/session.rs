use serde::{Deserialize, Serialize};

use crate::{ChoiceId, ProfileId};

/// Where a person stands: `POST /session` starts, or returns, their session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// When this person first came, RFC 3339.
    pub started_at: String,
    /// Left and right choices made in the open set.
    pub counted: u32,
    /// Left and right choices a set needs.
    pub needed: u32,
    /// Choices of every kind that can be taken back, ties and skips included.
    pub undoable: u32,
    /// The choice that an undo takes back; there while any can be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_choice_id: Option<ChoiceId>,
    /// The profile that waits for its name, when the set is complete.
    pub pending_profile_id: Option<ProfileId>,
}
