use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use axum_extra::extract::CookieJar;
use predilect_api::{Account, ChoiceId, LogIn, Problem, ProfileId, Session};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    address::ClientAddress,
    auth::{Caller, SessionPerson, no_session_cookie, session_cookie},
    error::ApiError,
    extract::Json,
};
use crate::{
    app::{AppState, CHOICES_NEEDED},
    parse::{AccountName, Password},
    store::{OldSession, Person},
    token::Token,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(start, log_out))
        .routes(routes!(log_in))
        .routes(routes!(log_out_everywhere))
}

/// Start, or return, the anonymous session
///
/// Sets the cookie that all other requests need. Whoever is logged in, or comes with an API
/// token, is answered as who they are.
#[utoipa::path(post, path = "/session", tag = "session", operation_id = "startSession",
    security(()),
    responses(
        (status = 200, body = Session),
        (status = 401, body = Problem, description = "The API token is not known"),
    ))]
async fn start(
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Result<(CookieJar, Answer<Session>), ApiError> {
    let (person, cookie) = match Caller::of(&headers, &app).await? {
        Some(Caller::Session(session)) => {
            // Set again, so that it lasts from this visit on.
            let cookie = session_cookie(&app, &session.token);
            (session.person, cookie)
        }
        Some(Caller::ApiToken(person)) => (person, CookieJar::new()),
        None => {
            let token = Token::random();
            let person = app.store.start_session(&token.hash()).await?;
            (person, session_cookie(&app, &token))
        }
    };
    Ok((cookie, Answer(session(&app, &person).await?)))
}

async fn session(app: &AppState, person: &Person) -> Result<Session, ApiError> {
    let progress = app.store.progress(person, CHOICES_NEEDED).await?;
    Ok(Session {
        started_at: person.since(),
        counted: progress.counted,
        needed: CHOICES_NEEDED,
        undoable: progress.undoable,
        last_choice_id: progress.last_choice.map(ChoiceId),
        pending_profile_id: progress.profile_id.map(ProfileId),
    })
}

/// Log in
///
/// What the anonymous session has made so far becomes the account's. The answer takes as long
/// whether or not there is an account by this name.
#[utoipa::path(post, path = "/session/login", tag = "session", operation_id = "logIn",
    security(()),
    responses(
        (status = 200, body = Account),
        (status = 401, body = Problem, description = "Wrong name or password"),
        (status = 422, body = Problem, description = "A field is not as it should be"),
        (status = 429, body = Problem, description = "Too many passwords were wrong of late",
            headers(("Retry-After" = u64, description = "Seconds"))),
    ))]
async fn log_in(
    State(app): State<AppState>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Json(request): Json<LogIn>,
) -> Result<(CookieJar, Answer<Account>), ApiError> {
    let name =
        AccountName::parse(&request.name).map_err(|message| ApiError::field("name", message))?;
    let password = Password::attempt(&request.password.0);
    let attempt = app
        .attempts
        .begin(name.key(), address)
        .map_err(ApiError::TooManyAttempts)?;
    let account = app.store.credentials(&name).await?;
    let stored = account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let right = app.passwords.verify(password, stored).await?;
    let account = account
        .filter(|_| right)
        .ok_or(ApiError::WrongCredentials)?;
    attempt.succeeded();
    let old = match Caller::of(&headers, &app).await? {
        Some(Caller::Session(session)) => Some(session),
        _ => None,
    };
    let old_token = old.as_ref().map(SessionPerson::token_hash);
    let replaced = old
        .as_ref()
        .zip(old_token.as_ref())
        .map(|(old, token)| OldSession {
            person: &old.person,
            token,
        });
    let token = Token::random();
    if !app.store.log_in(&account, &token.hash(), replaced).await? {
        return Err(ApiError::WrongCredentials);
    }
    let person = app.store.person_of(&token.hash()).await?;
    let person = person.ok_or(ApiError::NoSession)?;
    Ok((session_cookie(&app, &token), Answer(person.account())))
}

/// Log out here
///
/// Ends this session and takes its cookie away.
#[utoipa::path(delete, path = "/session", tag = "session", operation_id = "logOut",
    security(("session" = [])),
    responses(
        (status = 204, description = "Logged out"),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "An API token can't do this"),
        (status = 409, body = Problem, description = "An anonymous person could never come back"),
    ))]
async fn log_out(
    State(app): State<AppState>,
    session: SessionPerson,
) -> Result<(CookieJar, StatusCode), ApiError> {
    require_account(&session.person)?;
    app.store.end_session(&session.token_hash()).await?;
    Ok((no_session_cookie(&app), StatusCode::NO_CONTENT))
}

/// Log out everywhere
///
/// Ends every session of this person, on whichever device. API tokens stay.
#[utoipa::path(delete, path = "/sessions", tag = "session", operation_id = "logOutEverywhere",
    security(("session" = [])),
    responses(
        (status = 204, description = "Logged out"),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "An API token can't do this"),
        (status = 409, body = Problem, description = "An anonymous person could never come back"),
    ))]
async fn log_out_everywhere(
    State(app): State<AppState>,
    session: SessionPerson,
) -> Result<(CookieJar, StatusCode), ApiError> {
    require_account(&session.person)?;
    app.store.end_sessions(&session.person).await?;
    Ok((no_session_cookie(&app), StatusCode::NO_CONTENT))
}

/// An anonymous session is the only way to what its person made, so it is not ended lightly.
pub(super) fn require_account(person: &Person) -> Result<(), ApiError> {
    if person.is_registered() {
        Ok(())
    } else {
        Err(ApiError::NotRegistered)
    }
}
