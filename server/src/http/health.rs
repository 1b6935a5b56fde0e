use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::app::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
}

/// Ready means that requests can be stored and drawn; the model is loaded before the first one
/// is taken.
async fn ready(State(app): State<AppState>) -> (StatusCode, &'static str) {
    if !app.engine.is_running() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the model has stopped; start predilect again",
        );
    }
    match app.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer",
            )
        }
    }
}
