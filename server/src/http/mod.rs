//! The server's routes: one module per resource, registered together with their part of
//! the OpenAPI document, so that the document can't drift.

mod choices;
mod error;
mod events;
mod extract;
mod generations;
mod headers;
mod health;
mod images;
mod metrics;
mod model;
mod pairs;
mod profiles;
mod session;
mod web;

use std::{path::Path, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, middleware, routing::get};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, timeout::RequestBodyTimeoutLayer,
    trace::TraceLayer,
};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::AppState;

pub use error::ApiError;

/// Bytes of a request's body, where a route doesn't say otherwise.
const MAX_BODY: usize = 16 * 1024;
/// A body that takes longer is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Predilect",
        description = "Learns a person's taste in pictures from four choices and draws for \
                       that taste. Start with POST /api/v1/session and send its cookie with \
                       every request. Every error is a problem document (RFC 9457)."
    ),
    tags(
        (name = "session", description = "Who is asking"),
        (name = "choices", description = "Pairs of pictures and what a person made of them"),
        (name = "profiles", description = "Taste, as read from choices"),
        (name = "generations", description = "Drawing, and following it"),
        (name = "model", description = "What draws"),
    )
)]
struct Document;

/// The whole server: API, frontend, health, metrics, and what wraps them.
pub fn router(app: AppState, web_dir: Option<&Path>) -> Router {
    let (api, document) = api().split_for_parts();
    let document = axum::Json(document);
    let api = api
        .route("/api/v1/openapi.json", get(|| async { document }))
        .route("/api", get(no_route))
        .route("/api/{*rest}", axum::routing::any(no_route))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(MAX_BODY));
    Router::new()
        .merge(api)
        .merge(health::router())
        .merge(metrics::router())
        .merge(web::router(web_dir))
        .with_state(app)
        .layer(middleware::from_fn(metrics::count))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        // Its default leaves event streams and pictures alone.
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(headers::secure))
        .layer(TraceLayer::new_for_http())
}

/// The OpenAPI document, as served at `/api/v1/openapi.json`.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().into_openapi()
}

fn api() -> OpenApiRouter<AppState> {
    let v1 = OpenApiRouter::new()
        .merge(session::router())
        .merge(pairs::router())
        .merge(choices::router())
        .merge(profiles::router())
        .merge(generations::router())
        .merge(events::router())
        .merge(images::router())
        .merge(model::router());
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", v1)
}

async fn no_route() -> ApiError {
    ApiError::NoRoute
}
