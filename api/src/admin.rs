use serde::{Deserialize, Serialize};

use crate::{PersonId, Role, Secret};

/// Body of `POST /setup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetUpAdmin {
    /// What the server printed at its start.
    pub token: Secret,
    /// 1 to 60 characters on one line, not counting spaces around it; capitals don't matter.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::LineText))]
    pub name: String,
    /// 8 to 200 characters, whichever they are.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::NewPasswordText))]
    pub password: Secret,
}

/// A person of this server, as admins see them: how much there is, never what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Names this person.
    pub id: PersonId,
    /// What they log in with; null while they are anonymous.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When they first came, RFC 3339.
    pub started_at: String,
    /// When they registered, RFC 3339; null while they are anonymous.
    pub registered_at: Option<String>,
    /// Choices of all kinds.
    pub choices: u32,
    /// Profiles, named or not.
    pub profiles: u32,
    /// Generations in every state.
    pub generations: u32,
}

/// Answer of `GET /admin/users`: who came last is first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserList {
    /// One page of the people.
    pub users: Vec<User>,
    /// What to send as `before` for the next page; null on the last one.
    pub next: Option<PersonId>,
}
