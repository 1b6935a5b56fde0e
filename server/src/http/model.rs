use axum::{Json, extract::State};
use predilect_api::ModelCard;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read))
}

/// The model that runs, and the limits of a request
#[utoipa::path(get, path = "/model", tag = "model", operation_id = "readModel",
    security(()),
    responses((status = 200, body = ModelCard)))]
async fn read(State(app): State<AppState>) -> Json<ModelCard> {
    Json(app.limits.card(app.engine.info()))
}
