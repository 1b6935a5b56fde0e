//! Every error answer: one enum, mapped to a problem document (RFC 9457).

use std::{any::Any, time::Duration};

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use predilect_api::{FieldError, PROBLEM_CONTENT_TYPE, Problem};

use crate::passwords::PasswordError;

/// Seconds after which a refused request is worth another try.
const RETRY_AFTER_SECONDS: u64 = 5;

/// What a handler answers when it can't do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// No session, or one that is not known.
    #[error(
        "There is no session with this request. Start one with POST /api/v1/session and send the cookie it sets."
    )]
    NoSession,
    /// A bearer token that is not known, or was revoked.
    #[error("The API token of this request is not known, or was revoked.")]
    UnknownToken,
    /// A log-in that failed; which part was wrong is not told.
    #[error("There is no account with this name and this password.")]
    WrongCredentials,
    /// What only a person at a browser may do.
    #[error("An API token can't do this. Log in, and send the session's cookie instead.")]
    SessionRequired,
    /// What only admins may do.
    #[error("This is for admins of this server. Log in with an admin's account.")]
    AdminsOnly,
    /// What needs an account.
    #[error("You have no account yet. Make one with POST /api/v1/account; you keep everything.")]
    NotRegistered,
    /// The person has an account.
    #[error("You have an account already. Log out before you make another one.")]
    AlreadyRegistered,
    /// Somebody else has an account by this name.
    #[error("Another account has this name, or one that reads the same.")]
    NameTaken,
    /// Too many passwords were wrong.
    #[error("Too many passwords were wrong of late. Try again in {} seconds.", .0.as_secs() + 1)]
    TooManyAttempts(Duration),
    /// No such route.
    #[error("There is nothing at this address. /api/v1/openapi.json lists what there is.")]
    NoRoute,
    /// The route takes other methods.
    #[error("This address does not take this method; the Allow header names those it takes.")]
    MethodNotAllowed,
    /// What the address names is not there, or is another person's.
    #[error("There is no {0} of yours by this id.")]
    NotFound(&'static str),
    /// A field names what is not there, or is another person's.
    #[error("What the request names is not there.")]
    UnknownReference(FieldError),
    /// The body is not JSON.
    #[error("The body is not valid JSON: {0}.")]
    MalformedJson(String),
    /// The address can't be read.
    #[error("The address can't be read: {0}.")]
    MalformedAddress(String),
    /// A parameter in the query can't be read.
    #[error("A parameter of the address can't be read.")]
    MalformedParameter(FieldError),
    /// The body is not declared as JSON.
    #[error("The body must be JSON, with the header Content-Type: application/json.")]
    UnsupportedMediaType,
    /// The body is over the limit.
    #[error("The body is larger than the {limit} bytes that this address takes.")]
    BodyTooLarge {
        /// Most bytes.
        limit: usize,
    },
    /// Fields with values that are not allowed.
    #[error("Some fields have values that are not allowed.")]
    Invalid(Vec<FieldError>),
    /// The pair may not be judged again yet.
    #[error("You have chosen in this pair already. GET /api/v1/pairs/next gives another one.")]
    AlreadyChosen,
    /// A finished profile waits for its name.
    #[error(
        "Your finished profile waits for its name: name it with POST /api/v1/profiles, or undo the last choice."
    )]
    ProfileUnnamed,
    /// An open set is meant for something else.
    #[error(
        "You are in the middle of another set of choices. Finish it, or undo its choices, before you sharpen this profile."
    )]
    AnotherSetOpen,
    /// There is no choice to take back.
    #[error("There is no choice to undo since your last profile was named.")]
    NothingToUndo,
    /// The choice to take back has others after it.
    #[error("You have made choices after this one. Undo those first.")]
    NotLastChoice,
    /// A profile was to be named before its choices were made.
    #[error("Your profile needs {missing} more of your choices before it can be named.")]
    ChoicesMissing {
        /// Counted choices still to make.
        missing: u32,
    },
    /// A profile that can't be drawn for as it is.
    #[error("{0}")]
    ProfileNotReady(String),
    /// Too much is queued.
    #[error("{0}")]
    QueueFull(&'static str),
    /// A picture of a generation that goes on.
    #[error(
        "A picture here is of a generation that is still drawn. Wait until it has ended, or cancel it, before you delete its pictures."
    )]
    GenerationUnfinished,
    /// A survey that is paused or closed.
    #[error("This survey does not ask anybody now.")]
    SurveyNotRunning,
    /// What a survey's state does not allow.
    #[error("{0}")]
    SurveyState(&'static str),
    /// The item has its vote.
    #[error(
        "You have voted on this item already. GET /api/v1/surveys/{{id}}/next gives another one."
    )]
    AlreadyVoted,
    /// As many votes as one person may give a day.
    #[error("You have given as many votes as one may a day. Thank you; come back tomorrow.")]
    DailyCap(Duration),
    /// Not this person's fault; logged in full, told in short.
    #[error("Something went wrong on the server. It has been logged; please try again.")]
    Internal(#[source] anyhow::Error),
}

impl ApiError {
    /// A single field with a value that is not allowed.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// The status, the word for the kind, and the kind in words.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoSession => (StatusCode::UNAUTHORIZED, "no-session", "No session"),
            Self::UnknownToken => (StatusCode::UNAUTHORIZED, "unknown-token", "Unknown token"),
            Self::WrongCredentials => (
                StatusCode::UNAUTHORIZED,
                "wrong-credentials",
                "Wrong name or password",
            ),
            Self::SessionRequired => (
                StatusCode::FORBIDDEN,
                "session-required",
                "Session required",
            ),
            Self::AdminsOnly => (StatusCode::FORBIDDEN, "admins-only", "Admins only"),
            Self::NotRegistered => (StatusCode::CONFLICT, "not-registered", "Not registered"),
            Self::AlreadyRegistered => (
                StatusCode::CONFLICT,
                "already-registered",
                "Already registered",
            ),
            Self::NameTaken => (StatusCode::CONFLICT, "name-taken", "Name taken"),
            Self::TooManyAttempts(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-attempts",
                "Too many attempts",
            ),
            Self::NoRoute => (StatusCode::NOT_FOUND, "no-route", "No such address"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
            ),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::UnknownReference(_) => (
                StatusCode::NOT_FOUND,
                "unknown-reference",
                "Unknown reference",
            ),
            Self::MalformedJson(_) => (StatusCode::BAD_REQUEST, "malformed-json", "Malformed JSON"),
            Self::MalformedAddress(_) | Self::MalformedParameter(_) => (
                StatusCode::BAD_REQUEST,
                "malformed-address",
                "Malformed address",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Unsupported media type",
            ),
            Self::BodyTooLarge { .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "Body too large",
            ),
            Self::Invalid(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-request",
                "Invalid request",
            ),
            Self::AlreadyChosen => (StatusCode::CONFLICT, "already-chosen", "Already chosen"),
            Self::ProfileUnnamed => (
                StatusCode::CONFLICT,
                "profile-unnamed",
                "Profile without a name",
            ),
            Self::AnotherSetOpen => (
                StatusCode::CONFLICT,
                "another-set-open",
                "Another set is open",
            ),
            Self::NothingToUndo => (StatusCode::CONFLICT, "nothing-to-undo", "Nothing to undo"),
            Self::NotLastChoice => (
                StatusCode::CONFLICT,
                "not-last-choice",
                "Not the last choice",
            ),
            Self::ChoicesMissing { .. } => {
                (StatusCode::CONFLICT, "choices-missing", "Choices missing")
            }
            Self::ProfileNotReady(_) => (
                StatusCode::CONFLICT,
                "profile-not-ready",
                "Profile not ready",
            ),
            Self::QueueFull(_) => (StatusCode::TOO_MANY_REQUESTS, "queue-full", "Queue full"),
            Self::GenerationUnfinished => (
                StatusCode::CONFLICT,
                "generation-unfinished",
                "Generation unfinished",
            ),
            Self::SurveyNotRunning => (
                StatusCode::CONFLICT,
                "survey-not-running",
                "Survey not running",
            ),
            Self::SurveyState(_) => (StatusCode::CONFLICT, "survey-state", "Not in this state"),
            Self::AlreadyVoted => (StatusCode::CONFLICT, "already-voted", "Already voted"),
            Self::DailyCap(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "daily-cap",
                "No more votes today",
            ),
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Internal error",
            ),
        }
    }

    /// Seconds after which another try is worth it, where one is.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::QueueFull(_) => Some(RETRY_AFTER_SECONDS),
            // Rounded up: whoever comes a moment too early would be refused again.
            Self::TooManyAttempts(wait) | Self::DailyCap(wait) => Some(wait.as_secs() + 1),
            _ => None,
        }
    }

    /// The field whose value the state of things does not allow, where it is one field's.
    fn field_at_fault(&self) -> Option<FieldError> {
        let (field, message) = match self {
            Self::NameTaken => ("name", "must be a name that no account has yet"),
            Self::AlreadyChosen => (
                "pair_id",
                "must be the id of a pair that waits for your choice",
            ),
            Self::AnotherSetOpen => (
                "sharpen",
                "must be left out, or name the profile that the open set is for",
            ),
            Self::NotLastChoice => (
                "choice_id",
                "must be the `last_choice_id` of your session, or be left out",
            ),
            Self::AlreadyVoted => (
                "item_id",
                "must be the id of an item that waits for your vote",
            ),
            _ => return None,
        };
        Some(FieldError {
            field: field.into(),
            message: message.into(),
        })
    }

    /// The error as it is sent.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let (status, kind, title) = self.kind();
        let errors = match self {
            Self::Invalid(errors) => errors.clone(),
            Self::UnknownReference(error) | Self::MalformedParameter(error) => vec![error.clone()],
            _ => self.field_at_fault().into_iter().collect(),
        };
        let missing = match self {
            Self::ChoicesMissing { missing } => Some(*missing),
            _ => None,
        };
        Problem {
            kind: format!("urn:predilect:problem:{kind}"),
            title: title.into(),
            status: status.as_u16(),
            detail: self.to_string(),
            errors,
            missing,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Internal(cause) = &self {
            tracing::error!(error = format!("{cause:#}"), "a request failed");
        }
        let (status, ..) = self.kind();
        let mut response = (status, Json(self.to_problem())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_CONTENT_TYPE));
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Self::Internal(error.into())
    }
}

/// Answers a request whose handler panicked.
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("something that is no text");
    ApiError::Internal(anyhow::anyhow!("a handler panicked: {said}")).into_response()
}
