use axum::{
    Json as Answer,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use predilect_api::{ApiTokenId, ApiTokenList, CreatedApiToken, NewApiToken, Problem, Secret};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::SessionPerson,
    error::ApiError,
    extract::{Json, Path},
    session::require_account,
};
use crate::{app::AppState, parse::TokenName, token::Token};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
}

/// List the API tokens
#[utoipa::path(get, path = "/account/tokens", tag = "account", operation_id = "listApiTokens",
    security(("session" = [])),
    responses(
        (status = 200, body = ApiTokenList),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "An API token can't do this"),
    ))]
async fn list(
    State(app): State<AppState>,
    session: SessionPerson,
) -> Result<Answer<ApiTokenList>, ApiError> {
    Ok(Answer(ApiTokenList {
        tokens: app.store.api_tokens(&session.person).await?,
    }))
}

/// Create an API token
///
/// The token is in this answer and never shown again. It stands for its owner everywhere but
/// where an account is changed.
#[utoipa::path(post, path = "/account/tokens", tag = "account", operation_id = "createApiToken",
    security(("session" = [])),
    responses(
        (status = 201, body = CreatedApiToken, headers(("Location" = String, description = "What revokes it"))),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "An API token can't do this"),
        (status = 409, body = Problem, description = "Tokens need an account"),
        (status = 422, body = Problem, description = "The name is not allowed"),
    ))]
async fn create(
    State(app): State<AppState>,
    session: SessionPerson,
    Json(new): Json<NewApiToken>,
) -> Result<impl IntoResponse, ApiError> {
    let name = TokenName::parse(&new.name).map_err(|message| ApiError::field("name", message))?;
    require_account(&session.person)?;
    let token = Token::random();
    let stored = app
        .store
        .add_api_token(&session.person, &name, &token.hash())
        .await?;
    let location = [(LOCATION, format!("/api/v1/account/tokens/{}", stored.id))];
    let created = CreatedApiToken {
        id: stored.id,
        name: stored.name,
        created_at: stored.created_at,
        token: Secret(token.to_api_text()),
    };
    Ok((StatusCode::CREATED, location, Answer(created)))
}

/// Revoke an API token
#[utoipa::path(delete, path = "/account/tokens/{id}", tag = "account", operation_id = "revokeApiToken",
    security(("session" = [])),
    params(("id" = String, Path, description = "The token's id")),
    responses(
        (status = 204, description = "Revoked"),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "An API token can't do this"),
        (status = 404, body = Problem, description = "No such token of this person"),
    ))]
async fn revoke(
    State(app): State<AppState>,
    session: SessionPerson,
    Path(id): Path<ApiTokenId>,
) -> Result<StatusCode, ApiError> {
    if app.store.revoke_api_token(&session.person, &id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("API token"))
    }
}
