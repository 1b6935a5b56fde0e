//! The server's routes: one module per resource, registered together with their part of
//! the OpenAPI document, so that the document can't drift.

mod account;
mod address;
mod admin;
mod api_tokens;
mod auth;
mod body_limit;
mod choices;
mod document;
mod error;
mod events;
mod extract;
mod gallery;
mod generations;
mod headers;
mod health;
mod images;
mod metrics;
mod model;
mod page;
mod pairs;
mod profiles;
mod session;
mod setup;
mod surveys;
mod web;

use std::{path::Path, time::Duration};

use axum::{Router, middleware, routing::get};
use predilect_api::GenerationEvent;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, DefaultPredicate, Predicate, predicate::NotForContentType},
    timeout::RequestBodyTimeoutLayer,
    trace::TraceLayer,
};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::body_limit::{MAX_BODY, body_limit};
use crate::{app::AppState, parse::GenerationLimits};

pub use error::ApiError;

/// Media type of what is downloaded in one piece.
const ARCHIVE_TYPE: &str = "application/zip";

/// A body that takes longer is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Predilect",
        description = "Learns a person's taste in pictures from four choices and draws for \
                       that taste. Start with POST /api/v1/session and send its cookie with \
                       every request, or send an API token as Authorization: Bearer. Every \
                       error is a problem document (RFC 9457)."
    ),
    tags(
        (name = "session", description = "Who is asking"),
        (name = "account", description = "Keeping everything across devices, taking it along, deleting it"),
        (name = "choices", description = "Pairs of pictures and what a person made of them"),
        (name = "profiles", description = "Taste, as read from choices"),
        (name = "generations", description = "Drawing, and following it"),
        (name = "gallery", description = "Finished pictures: finding, keeping, downloading and deleting them"),
        (name = "model", description = "What draws"),
        (name = "surveys", description = "Blind comparisons, for whoever is asked"),
        (name = "admin", description = "For admins only"),
    ),
    security(("session" = []), ("api_token" = [])),
    // The streams carry it as text, so no operation refers to it.
    components(schemas(GenerationEvent))
)]
struct Document;

/// The whole server: API, frontend, health, metrics, and what wraps them.
pub fn router(app: AppState, web_dir: Option<&Path>) -> Router {
    let (api, mut document) = api().split_for_parts();
    document::complete(&mut document, &app.limits);
    let document = axum::Json(document);
    let api = api
        .route("/api/v1/openapi.json", get(|| async { document }))
        .route("/api", get(no_route))
        .route("/api/{*rest}", axum::routing::any(no_route))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(body_limit(MAX_BODY));
    Router::new()
        .merge(api)
        .merge(health::router())
        .merge(metrics::router())
        .merge(web::router(web_dir))
        .with_state(app)
        .layer(middleware::from_fn(metrics::count))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(CompressionLayer::new().compress_when(worth_compressing()))
        .layer(middleware::from_fn(headers::secure))
        .layer(TraceLayer::new_for_http())
}

/// The OpenAPI document, as a server with these limits has it at `/api/v1/openapi.json`.
#[must_use]
pub fn openapi(limits: &GenerationLimits) -> utoipa::openapi::OpenApi {
    let mut document = api().into_openapi();
    document::complete(&mut document, limits);
    document
}

fn api() -> OpenApiRouter<AppState> {
    let v1 = OpenApiRouter::new()
        .merge(session::router())
        .merge(account::router())
        .merge(api_tokens::router())
        .merge(setup::router())
        .merge(pairs::router())
        .merge(choices::router())
        .merge(profiles::router())
        .merge(generations::router())
        .merge(events::router())
        .merge(gallery::router())
        .merge(images::router())
        .merge(model::router())
        .merge(surveys::router())
        .merge(admin::router());
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", v1)
}

/// The default leaves event streams and pictures alone; an archive is full of pictures.
fn worth_compressing() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new(ARCHIVE_TYPE))
}

async fn no_route() -> ApiError {
    ApiError::NoRoute
}
