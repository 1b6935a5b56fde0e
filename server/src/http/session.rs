use axum::{Json, extract::State, http::HeaderMap};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use predilect_api::{ProfileId, Session};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{SESSION_COOKIE, person_of},
};
use crate::{
    app::{AppState, CHOICES_NEEDED},
    session_token::SessionToken,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(start))
}

/// Start, or return, the anonymous session
///
/// Sets the cookie that all other requests need.
#[utoipa::path(post, path = "/session", tag = "session", operation_id = "startSession",
    responses((status = 200, body = Session)))]
async fn start(
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Result<(CookieJar, Json<Session>), ApiError> {
    let jar = CookieJar::from_headers(&headers);
    let (person, cookie) = match (person_of(&headers, &app).await?, jar.get(SESSION_COOKIE)) {
        (Some(person), Some(cookie)) => (person, cookie.value().to_owned()),
        _ => {
            let token = SessionToken::random();
            (
                app.store.start_session(&token.hash()).await?,
                token.to_text(),
            )
        }
    };
    let progress = app.store.progress(&person, CHOICES_NEEDED).await?;
    let session = Session {
        started_at: person.since(),
        counted: progress.counted,
        needed: CHOICES_NEEDED,
        pending_profile_id: progress.profile_id.map(ProfileId),
    };
    let cookie = Cookie::build((SESSION_COOKIE, cookie))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.secure_cookies)
        .permanent()
        .build();
    Ok((CookieJar::new().add(cookie), Json(session)))
}
