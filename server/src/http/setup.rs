use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use predilect_api::{Account, Problem, SetUpAdmin};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    account::parse_new_account,
    auth::{Caller, session_cookie},
    error::ApiError,
    extract::Json,
};
use crate::{app::AppState, store::SetUpError, token::Token};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(set_up))
}

/// Become the first admin
///
/// With the one-time token that the server prints at its start while it has no admin. An
/// anonymous session keeps everything, as when registering.
#[utoipa::path(post, path = "/setup", tag = "account", operation_id = "setUpAdmin",
    security(()),
    responses(
        (status = 201, body = Account),
        (status = 401, body = Problem, description = "The API token is not known"),
        (status = 403, body = Problem, description = "An API token can't do this"),
        (status = 409, body = Problem, description = "The name is taken, or this person registered already"),
        (status = 422, body = Problem, description = "The token is not valid, or the name or the password not allowed"),
    ))]
async fn set_up(
    State(app): State<AppState>,
    headers: HeaderMap,
    Json(request): Json<SetUpAdmin>,
) -> Result<impl IntoResponse, ApiError> {
    let (name, password) = parse_new_account(&request.name, &request.password.0)?;
    let setup = Token::parse(request.token.0.trim())
        .ok_or(SetUpError::WrongToken)?
        .hash();
    // Before the hash is computed, which costs; the store looks again.
    if !app.store.is_setup_token(&setup).await? {
        return Err(SetUpError::WrongToken.into());
    }
    let person = match Caller::of(&headers, &app).await? {
        Some(Caller::Session(session)) => Some(session.person),
        Some(Caller::ApiToken(_)) => return Err(ApiError::SessionRequired),
        None => None,
    };
    let hash = app.passwords.hash(password).await?;
    let token = Token::random();
    app.store
        .set_up_admin(&setup, person.as_ref(), &name, &hash, &token.hash())
        .await?;
    let person = app.store.person_of(&token.hash()).await?;
    let account = person.ok_or(ApiError::NoSession)?.account();
    let cookie = session_cookie(&app, &token);
    Ok((StatusCode::CREATED, cookie, Answer(account)))
}

impl From<SetUpError> for ApiError {
    fn from(error: SetUpError) -> Self {
        match error {
            SetUpError::WrongToken => Self::field(
                "token",
                "must be the one the server printed at its last start, and is valid once",
            ),
            SetUpError::Register(error) => error.into(),
        }
    }
}
