//! What handlers take from a request; every refusal is a problem document.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{BytesRejection, FailedToBufferBody, PathRejection, QueryRejection},
    },
    http::{HeaderMap, header::CONTENT_TYPE},
};
use predilect_api::FieldError;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{body_limit::limit_of, error::ApiError};
use crate::app::AppState;

/// A JSON body, at most as long as the route's `DefaultBodyLimit`.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::UnsupportedMediaType);
        }
        let limit = limit_of(request.extensions());
        let read = Bytes::from_request(request, app).await;
        let bytes = read.map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                ApiError::BodyTooLarge { limit }
            }
            other => ApiError::MalformedJson(other.body_text()),
        })?;
        parse_json(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|mime| mime.trim().eq_ignore_ascii_case("application/json"))
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            Category::Data => ApiError::Invalid(vec![field_error(&field, &inner.to_string())]),
            _ => ApiError::MalformedJson(inner.to_string()),
        }
    })?;
    json.end()
        .map_err(|error| ApiError::MalformedJson(error.to_string()))?;
    Ok(value)
}

/// Serde's words, made plain: the place in the text and the names of Rust's types go.
fn field_error(path: &str, message: &str) -> FieldError {
    let message = message.split(" at line ").next().unwrap_or(message);
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split_once('`'));
    let field = match (path, named) {
        // A field that is missing is named by its parent's path, one that is unknown by its own.
        (".", Some((name, _))) => name.to_owned(),
        (parent, Some((name, _))) if !parent.ends_with(name) => format!("{parent}.{name}"),
        (".", None) => "body".to_owned(),
        (path, _) => path.to_owned(),
    };
    let message = in_words(message);
    let message = ["i64", "u32"]
        .iter()
        .fold(message, |text, name| {
            text.replace(&format!("expected {name}"), "expected a whole number")
        })
        .replace("expected f32", "expected a number")
        .replace("expected struct ", "expected an object of ");
    FieldError { field, message }
}

/// What is allowed, in place of what the parser met.
fn in_words(message: &str) -> String {
    if message.starts_with("duplicate field") {
        return "must be given once".into();
    }
    if message == "provided string was not `true` or `false`" {
        return "must be `true` or `false`".into();
    }
    match message.split_once(", expected ") {
        Some((found, allowed)) if found.starts_with("unknown variant") => {
            format!("must be {allowed}")
        }
        _ => message.to_owned(),
    }
}

/// The parameters in the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub(crate) T);

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::MalformedAddress(rejection.body_text())
    }
}

/// What a query that does not fit is refused with.
type QueryError = serde::de::value::Error;

/// The parameters in the query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub(crate) T);

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let mut causes = std::iter::successors(std::error::Error::source(&rejection), |cause| {
            cause.source()
        });
        let cause =
            causes.find_map(|cause| cause.downcast_ref::<serde_path_to_error::Error<QueryError>>());
        match cause {
            Some(cause) => {
                let message = cause.inner().to_string();
                Self::MalformedParameter(field_error(&cause.path().to_string(), &message))
            }
            None => Self::MalformedAddress(rejection.body_text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use predilect_api::{NewChoice, NewGeneration};

    use super::*;

    fn errors<T: DeserializeOwned>(body: &str) -> Vec<FieldError> {
        match parse_json::<T>(body.as_bytes()) {
            Err(ApiError::Invalid(errors)) => errors,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{body} is taken"),
        }
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        let found = errors::<NewGeneration>(r#"{"prompt":"a","steps":"many"}"#);
        assert_eq!(found[0].field, "steps");
        assert!(
            found[0].message.contains("expected a whole number"),
            "{}",
            found[0].message
        );
    }

    #[test]
    fn a_missing_and_an_unknown_field_are_named() {
        assert_eq!(errors::<NewGeneration>("{}")[0].field, "prompt");
        assert_eq!(
            errors::<NewGeneration>(r#"{"prompt":"a","colour":1}"#)[0].field,
            "colour"
        );
        let nested = r#"{"prompt":"a","profiles":[{"weight":1}]}"#;
        assert_eq!(errors::<NewGeneration>(nested)[0].field, "profiles[0].id");
    }

    #[test]
    fn a_choice_that_is_none_says_which_there_are() {
        let found = errors::<NewChoice>(r#"{"pair_id":"p","choice":"both"}"#);
        assert_eq!(found[0].field, "choice");
        assert!(found[0].message.contains("`left`, `right`, `tie`, `skip`"));
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in ["", "{", "{\"prompt\":\"a\"} x", "nonsense"] {
            let refused = parse_json::<NewGeneration>(body.as_bytes());
            assert!(
                matches!(refused, Err(ApiError::MalformedJson(_))),
                "{body:?}"
            );
        }
    }
}
