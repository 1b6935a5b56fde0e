use axum::{
    Json,
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
};
use predilect_api::{Pair, PairId, Problem};
use predilect_model::preference::pair_bank::Side;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{error::ApiError, extract::Path};
use crate::{
    app::{AppState, CHOICES_NEEDED},
    store::Person,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(next))
        .routes(routes!(left))
        .routes(routes!(right))
}

/// The next pair to choose in
///
/// The same one until it is judged. It is one that tells much about the person after the answers so
/// far; once all are judged they come again.
#[utoipa::path(get, path = "/pairs/next", tag = "choices", operation_id = "nextPair",
    responses(
        (status = 200, body = Pair),
        (status = 401, body = Problem, description = "No session"),
        (status = 409, body = Problem, description = "The finished profile waits for its name"),
    ))]
async fn next(State(app): State<AppState>, person: Person) -> Result<Json<Pair>, ApiError> {
    let progress = app.store.progress(&person, CHOICES_NEEDED).await?;
    if progress.profile_id.is_some() {
        return Err(ApiError::ProfileUnnamed);
    }
    let judged = app.store.judged(&person).await?;
    let answers = app.store.answers(&person).await?;
    let pair = app
        .pair_order
        .next(&app.bank, person.pair_seed, &judged, &answers);
    Ok(Json(Pair {
        id: PairId(pair.id.clone()),
        prompt: pair.prompt.clone(),
        left: format!("/api/v1/pairs/{}/left", pair.id),
        right: format!("/api/v1/pairs/{}/right", pair.id),
        position: progress.counted + 1,
        needed: CHOICES_NEEDED,
    }))
}

/// The left picture of a pair
#[utoipa::path(get, path = "/pairs/{id}/left", tag = "choices", operation_id = "leftPicture",
    security(()),
    params(("id" = String, Path, description = "The pair")),
    responses(
        (status = 200, content_type = "image/webp", body = Vec<u8>),
        (status = 404, body = Problem, description = "No such pair"),
    ))]
async fn left(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    picture(&app, &id, Side::Left).await
}

/// The right picture of a pair
#[utoipa::path(get, path = "/pairs/{id}/right", tag = "choices", operation_id = "rightPicture",
    security(()),
    params(("id" = String, Path, description = "The pair")),
    responses(
        (status = 200, content_type = "image/webp", body = Vec<u8>),
        (status = 404, body = Problem, description = "No such pair"),
    ))]
async fn right(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    picture(&app, &id, Side::Right).await
}

async fn picture(
    app: &AppState,
    id: &str,
    side: Side,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let pair = app.bank.get(id).ok_or(ApiError::NoRoute)?;
    let bytes = tokio::fs::read(app.bank.picture_path(pair, side))
        .await
        .map_err(|error| ApiError::Internal(error.into()))?;
    // A pair's id is a hash of its pictures, so they never change under it.
    let headers = [
        (CONTENT_TYPE, "image/webp"),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, bytes))
}
