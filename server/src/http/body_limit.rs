//! How large a body a route takes, for the route and for whoever sent a larger one.

use axum::{Extension, extract::DefaultBodyLimit, http::Extensions};

/// Bytes of a request's body, where a route doesn't say otherwise.
pub(super) const MAX_BODY: usize = 16 * 1024;

/// Bytes that a route takes, kept with its requests.
#[derive(Clone, Copy)]
pub(super) struct BodyLimit(usize);

/// The layer of routes that take bodies of at most `bytes`.
pub(super) fn body_limit(bytes: usize) -> (DefaultBodyLimit, Extension<BodyLimit>) {
    (DefaultBodyLimit::max(bytes), Extension(BodyLimit(bytes)))
}

/// The bytes that the route of a request takes.
pub(super) fn limit_of(request: &Extensions) -> usize {
    request.get::<BodyLimit>().map_or(MAX_BODY, |limit| limit.0)
}
