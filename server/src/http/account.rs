use axum::{
    Json as Answer,
    body::Body,
    extract::State,
    http::{
        HeaderName, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::IntoResponse,
};
use predilect_api::{Account, ChangePassword, DeleteEverything, Problem, Register};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ARCHIVE_TYPE,
    address::ClientAddress,
    auth::{SessionPerson, no_session_cookie, session_cookie},
    error::ApiError,
    extract::Json,
};
use crate::{
    app::AppState,
    archive, data_export, jobs,
    parse::{AccountName, FieldErrors, Password},
    store::{Credentials, Person, RegisterError},
    token::Token,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read, register))
        .routes(routes!(change_password))
        .routes(routes!(download))
        .routes(routes!(delete))
}

/// Who is asking
#[utoipa::path(get, path = "/account", tag = "account", operation_id = "readAccount",
    responses(
        (status = 200, body = Account),
        (status = 401, body = Problem, description = "No session"),
    ))]
async fn read(person: Person) -> Answer<Account> {
    Answer(person.account())
}

/// Register
///
/// Everything the anonymous session has made stays. The session gets another cookie.
#[utoipa::path(post, path = "/account", tag = "account", operation_id = "register",
    security(("session" = [])),
    responses(
        (status = 201, body = Account),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "An API token can't do this"),
        (status = 409, body = Problem, description = "The name is taken, or this person registered already"),
        (status = 422, body = Problem, description = "The name or the password is not allowed"),
    ))]
async fn register(
    State(app): State<AppState>,
    session: SessionPerson,
    Json(new): Json<Register>,
) -> Result<impl IntoResponse, ApiError> {
    let (name, password) = parse_new_account(&new.name, &new.password.0)?;
    // Before the hash is computed, which costs; the store looks again.
    if session.person.is_registered() {
        return Err(ApiError::AlreadyRegistered);
    }
    let hash = app.passwords.hash(password).await?;
    let token = Token::random();
    app.store
        .register(&session.person, &name, &hash, &token.hash())
        .await?;
    let person = app.store.person_of(&token.hash()).await?;
    let account = person.ok_or(ApiError::NoSession)?.account();
    let cookie = session_cookie(&app, &token);
    Ok((StatusCode::CREATED, cookie, Answer(account)))
}

/// Both fields of a new account, so that a person hears of all mistakes at once.
pub(super) fn parse_new_account(
    name: &str,
    password: &str,
) -> Result<(AccountName, Password), ApiError> {
    let mut errors = FieldErrors::default();
    let name = errors.take("name", AccountName::parse(name));
    let password = errors.take("password", Password::parse_new(password));
    name.zip(password)
        .ok_or_else(|| ApiError::Invalid(errors.into_vec()))
}

/// Change the password
///
/// Every other session of this person ends; API tokens stay.
#[utoipa::path(put, path = "/account/password", tag = "account", operation_id = "changePassword",
    security(("session" = [])),
    responses(
        (status = 204, description = "Changed"),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "An API token can't do this"),
        (status = 409, body = Problem, description = "An anonymous person has no password"),
        (status = 422, body = Problem, description = "The current password is wrong, or the new one not allowed"),
        (status = 429, body = Problem, description = "Too many passwords were wrong of late",
            headers(("Retry-After" = u64, description = "Seconds"))),
    ))]
async fn change_password(
    State(app): State<AppState>,
    address: ClientAddress,
    session: SessionPerson,
    Json(change): Json<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    let new = Password::parse_new(&change.new_password.0)
        .map_err(|message| ApiError::field("new_password", message))?;
    let field = "current_password";
    let current = &change.current_password.0;
    let account = check_password(&app, address, &session.person, field, current).await?;
    let hash = app.passwords.hash(new).await?;
    let keep = session.token_hash();
    if app.store.change_password(&account, &hash, &keep).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(wrong_password(field))
    }
}

/// The person's own account, once they have shown that they know its password. Wrong ones
/// count like wrong log-ins.
async fn check_password(
    app: &AppState,
    ClientAddress(address): ClientAddress,
    person: &Person,
    field: &'static str,
    password: &str,
) -> Result<Credentials, ApiError> {
    let own = app.store.own_credentials(person).await?;
    let (account, name_key) = own.ok_or(ApiError::NotRegistered)?;
    let attempt = app
        .attempts
        .begin(&name_key, address)
        .map_err(ApiError::TooManyAttempts)?;
    let stored = Some(account.password_hash.clone());
    if !app
        .passwords
        .verify(Password::attempt(password), stored)
        .await?
    {
        return Err(wrong_password(field));
    }
    attempt.succeeded();
    Ok(account)
}

fn wrong_password(field: &'static str) -> ApiError {
    ApiError::field(field, "must be the password of your account")
}

/// Download my data
///
/// A ZIP archive, made while it is sent: `data.json` with the account, choices, profiles
/// (embeddings in base64), generations and survey votes, and every picture as PNG under
/// `pictures/`.
#[utoipa::path(get, path = "/account/data", tag = "account", operation_id = "downloadData",
    responses(
        (status = 200, content_type = "application/zip", body = Vec<u8>),
        (status = 401, body = Problem, description = "No session"),
    ))]
async fn download(
    State(app): State<AppState>,
    person: Person,
) -> Result<impl IntoResponse, ApiError> {
    let data = data_export::collect(&app.store, &person).await?;
    let headers = [
        (CONTENT_TYPE, ARCHIVE_TYPE),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"predilect-data.zip\"",
        ),
    ];
    let archive = archive::stream(app.files.clone(), move |archive| {
        data_export::fill(&data, archive)
    });
    Ok((headers, Body::from_stream(archive)))
}

/// Delete everything of mine
///
/// The account, its sessions and tokens, choices, profiles, generations and pictures, at once
/// and for good. A request of its own kind, because intermediaries may drop the body of DELETE.
#[utoipa::path(post, path = "/account/deletion", tag = "account", operation_id = "deleteEverything",
    security(("session" = [])),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "An API token can't do this"),
        (status = 422, body = Problem, description = "The password is wrong, or `confirm` is missing"),
        (status = 429, body = Problem, description = "Too many passwords were wrong of late",
            headers(("Retry-After" = u64, description = "Seconds"))),
    ))]
async fn delete(
    State(app): State<AppState>,
    address: ClientAddress,
    session: SessionPerson,
    Json(request): Json<DeleteEverything>,
) -> Result<impl IntoResponse, ApiError> {
    let person = &session.person;
    if person.is_registered() {
        let Some(password) = &request.password else {
            return Err(wrong_password("password"));
        };
        check_password(&app, address, person, "password", &password.0).await?;
    } else if request.confirm != Some(true) {
        let message = "must be true, because nothing of it can be brought back";
        return Err(ApiError::field("confirm", message));
    }
    for id in app.store.delete_person(person).await? {
        app.jobs.discard_generation(&id);
    }
    remove_discarded(&app).await?;
    // Pictures lie in the browser's cache for a year.
    let clear = [(HeaderName::from_static("clear-site-data"), "\"cache\"")];
    Ok((StatusCode::NO_CONTENT, clear, no_session_cookie(&app)))
}

/// Removes the files of what was deleted: on its own, so that they go even if the person
/// doesn't wait for the answer.
pub(super) async fn remove_discarded(app: &AppState) -> Result<(), ApiError> {
    let app = app.clone();
    tokio::spawn(async move { jobs::remove_discarded(&app).await })
        .await
        .map_err(|error| ApiError::Internal(error.into()))?
        .map_err(ApiError::from)
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::NameTaken => Self::NameTaken,
            RegisterError::AlreadyRegistered => Self::AlreadyRegistered,
            RegisterError::Database(error) => error.into(),
        }
    }
}
