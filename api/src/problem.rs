use serde::{Deserialize, Serialize};

/// Content type of every error answer (RFC 9457).
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field as a path: `prompt`, `profiles[0].weight`.
    pub field: String,
    /// What is allowed, as a plain sentence.
    pub message: String,
}

/// An error as a problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Names the kind of problem: `urn:predilect:problem:` and a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words, the same for all problems of this kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time and what to do, as plain sentences.
    pub detail: String,
    /// The fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Counted choices still missing, where a profile was named too early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u32>,
}
