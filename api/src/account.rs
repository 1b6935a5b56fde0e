use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ApiTokenId;

/// Fewest characters of a password to be set.
pub const MIN_PASSWORD_CHARS: usize = 8;
/// Most characters of a password to be set.
pub const MAX_PASSWORD_CHARS: usize = 200;

/// A password or a token: shown to nobody by accident, for instance in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(format = Password))]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees and changes what is their own.
    Person,
    /// Also runs surveys and sees the people of this server.
    Admin,
}

/// Answer of `GET /account`: who is asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// What the person logs in with; null while they are anonymous.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When this person first came, RFC 3339.
    pub started_at: String,
    /// When they registered, RFC 3339; null while they are anonymous.
    pub registered_at: Option<String>,
}

/// Body of `POST /account`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// 1 to 60 characters on one line, not counting spaces around it; capitals don't matter.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::LineText))]
    pub name: String,
    /// 8 to 200 characters, whichever they are.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::NewPasswordText))]
    pub password: Secret,
}

/// Body of `POST /session/login`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// The account's name; capitals don't matter.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::LineText))]
    pub name: String,
    /// Its password.
    pub password: Secret,
}

/// Body of `PUT /account/password`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password so far.
    pub current_password: Secret,
    /// 8 to 200 characters, whichever they are.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::NewPasswordText))]
    pub new_password: Secret,
}

/// Body of `POST /account/deletion`: an account's password, or for an anonymous person
/// `confirm`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteEverything {
    /// The account's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// True, from a person who has no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<bool>,
}

/// Body of `POST /account/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// What it is for: 1 to 60 characters on one line, not counting spaces around it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::LineText))]
    pub name: String,
}

/// A token that stands for its owner, sent as `Authorization: Bearer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiToken {
    /// Names this token.
    pub id: ApiTokenId,
    /// What it is for.
    pub name: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339, to the minute; null until it is used.
    pub last_used_at: Option<String>,
}

/// Answer of `POST /account/tokens`: the only time the token itself is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedApiToken {
    /// Names this token.
    pub id: ApiTokenId,
    /// What it is for.
    pub name: String,
    /// RFC 3339.
    pub created_at: String,
    /// What to send as `Authorization: Bearer`. It is not kept, so note it now.
    pub token: Secret,
}

/// Answer of `GET /account/tokens`: newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiTokenList {
    /// Every token that is not revoked.
    pub tokens: Vec<ApiToken>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_in_what_is_debugged() {
        let register = Register {
            name: "Ana".into(),
            password: Secret("correct horse".into()),
        };
        assert!(!format!("{register:?}").contains("horse"));
    }
}
