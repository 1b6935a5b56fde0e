use std::path::Path;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
};
use tower_http::services::{ServeDir, ServeFile};

/// Files under it have names that change with their content.
const ASSETS: &str = "/assets";

/// The page was not built: how to see it all the same.
const NOT_BUILT: &str = "<!doctype html><meta charset=\"utf-8\"><title>Predilect</title>\
    <p>The page is not built yet. <code>cargo xtask run</code> builds and serves it. \
    The API is described by <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.";

/// The frontend's folder; an address that is no file is a page of the single-page application.
pub(super) fn router<S: Clone + Send + Sync + 'static>(folder: Option<&Path>) -> Router<S> {
    let Some(folder) = folder else {
        return Router::new().fallback(not_built);
    };
    let page = ServeFile::new(folder.join("index.html")).precompressed_br();
    let assets = ServeDir::new(folder.join("assets")).precompressed_br();
    let files = ServeDir::new(folder).precompressed_br().fallback(page);
    Router::new()
        .nest_service(ASSETS, assets)
        .fallback_service(files)
        .layer(middleware::from_fn(cache))
}

async fn cache(request: Request, next: Next) -> Response {
    let named_by_content = request.uri().path().starts_with(ASSETS);
    let mut response = next.run(request).await;
    let lasts = named_by_content && response.status().is_success();
    let value = if lasts {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(value));
    response
}

async fn not_built() -> Response {
    (StatusCode::NOT_FOUND, Html(NOT_BUILT)).into_response()
}
