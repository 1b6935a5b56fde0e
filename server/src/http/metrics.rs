use std::{sync::OnceLock, time::Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
    routing::get,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::app::AppState;

/// A process has one recorder, however many routers it builds.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

pub(super) fn router() -> Router<AppState> {
    let recorder = RECORDER.get_or_init(|| {
        PrometheusBuilder::new()
            .install_recorder()
            .inspect_err(|error| tracing::error!(%error, "metrics are not recorded"))
            .ok()
    });
    match recorder {
        Some(handle) => Router::new().route("/metrics", get(|| async { handle.render() })),
        None => Router::new(),
    }
}

/// Counts a request under its route, never its raw path, which anybody can make up.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().to_string();
    let started = Instant::now();
    let response = next.run(request).await;
    let labels = [
        ("method", method),
        ("route", route),
        ("status", response.status().as_u16().to_string()),
    ];
    ::metrics::counter!("predilect_requests_total", &labels).increment(1);
    ::metrics::histogram!("predilect_request_seconds", &labels)
        .record(started.elapsed().as_secs_f64());
    response
}
