use axum::{
    Json as Answer,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use predilect_api::{BlindItem, NewSurveyVote, Problem, SurveyId, SurveyItemId, SurveyProgress};
use predilect_model::preference::pair_bank::Side;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{Json, Path},
};
use crate::{
    app::AppState,
    files::{spoil_png, webp_of_png},
    store::{AskError, Person},
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(next))
        .routes(routes!(vote))
        .routes(routes!(left))
        .routes(routes!(right))
}

/// The next blind item of a survey
///
/// The same one until it is voted on. Sides are random, and nothing tells which arm a picture
/// is of. Now and then it is an attention check, with one picture spoilt.
#[utoipa::path(get, path = "/surveys/{id}/next", tag = "surveys", operation_id = "nextItem",
    params(("id" = String, Path, description = "The survey")),
    responses(
        (status = 200, body = BlindItem),
        (status = 204, description = "There is nothing left to ask this person"),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such survey"),
        (status = 409, body = Problem, description = "The survey does not run, or asks people with an account"),
        (status = 429, body = Problem, description = "No more votes today",
            headers(("Retry-After" = u64, description = "Seconds"))),
    ))]
async fn next(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<SurveyId>,
) -> Result<Response, ApiError> {
    let Some(showing) = app.store.next_showing(&person, &id).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let picture = |side| format!("/api/v1/surveys/{id}/items/{}/{side}", showing.id);
    Ok(Answer(BlindItem {
        left: picture("left"),
        right: picture("right"),
        item_id: SurveyItemId(showing.id.clone()),
        prompt: showing.prompt,
        votes_left_today: showing.daily_cap.saturating_sub(showing.votes_today),
    })
    .into_response())
}

/// Vote on a blind item
///
/// Stored before this answers; each item takes one vote.
#[utoipa::path(post, path = "/surveys/{id}/votes", tag = "surveys", operation_id = "vote",
    params(("id" = String, Path, description = "The survey")),
    responses(
        (status = 200, body = SurveyProgress),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such survey, or the item was not shown to this person"),
        (status = 409, body = Problem, description = "Voted already, or the survey does not run"),
        (status = 422, body = Problem, description = "A field is not as it should be"),
    ))]
async fn vote(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<SurveyId>,
    Json(new): Json<NewSurveyVote>,
) -> Result<Answer<SurveyProgress>, ApiError> {
    let given = app.store.vote(&person, &id, &new.item_id, new.vote).await?;
    Ok(Answer(SurveyProgress {
        votes: given.votes,
        votes_left_today: given.daily_cap.saturating_sub(given.votes_today),
    }))
}

/// The left picture of a blind item
#[utoipa::path(get, path = "/surveys/{id}/items/{item}/left", tag = "surveys", operation_id = "leftItemPicture",
    params(
        ("id" = String, Path, description = "The survey"),
        ("item" = String, Path, description = "The item"),
    ),
    responses(
        (status = 200, content_type = "image/webp", body = Vec<u8>),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "The item was not shown to this person"),
    ))]
async fn left(
    State(app): State<AppState>,
    person: Person,
    Path((id, item)): Path<(SurveyId, SurveyItemId)>,
) -> Result<impl IntoResponse, ApiError> {
    picture(&app, &person, &id, &item, Side::Left).await
}

/// The right picture of a blind item
#[utoipa::path(get, path = "/surveys/{id}/items/{item}/right", tag = "surveys", operation_id = "rightItemPicture",
    params(
        ("id" = String, Path, description = "The survey"),
        ("item" = String, Path, description = "The item"),
    ),
    responses(
        (status = 200, content_type = "image/webp", body = Vec<u8>),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "The item was not shown to this person"),
    ))]
async fn right(
    State(app): State<AppState>,
    person: Person,
    Path((id, item)): Path<(SurveyId, SurveyItemId)>,
) -> Result<impl IntoResponse, ApiError> {
    picture(&app, &person, &id, &item, Side::Right).await
}

/// As WebP: a PNG of ours says in its text chunks how it was drawn, which is what the
/// participant must not know.
async fn picture(
    app: &AppState,
    person: &Person,
    survey: &SurveyId,
    item: &SurveyItemId,
    side: Side,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let shown = app
        .store
        .shown_picture(person, survey, item, side)
        .await?
        .ok_or(ApiError::NotFound("item"))?;
    let internal = |error: std::io::Error| ApiError::Internal(error.into());
    let png = app.files.get(&shown.image).await.map_err(internal)?;
    let encode = move || {
        if shown.spoilt {
            spoil_png(&png)
        } else {
            webp_of_png(&png, None)
        }
    };
    let webp = tokio::task::spawn_blocking(encode)
        .await
        .map_err(|error| ApiError::Internal(error.into()))?
        .map_err(internal)?;
    let headers = [
        (CONTENT_TYPE, "image/webp"),
        // The same for a showing's life, and nobody else's business.
        (CACHE_CONTROL, "private, max-age=86400, immutable"),
    ];
    Ok((headers, webp))
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NotFound => Self::NotFound("survey"),
            AskError::NotRunning => Self::SurveyNotRunning,
            AskError::AccountNeeded => Self::NotRegistered,
            AskError::DailyCap(wait) => Self::DailyCap(wait),
            AskError::NoSuchItem => Self::NotFound("item"),
            AskError::AlreadyVoted => Self::AlreadyVoted,
            AskError::Database(error) => error.into(),
        }
    }
}
