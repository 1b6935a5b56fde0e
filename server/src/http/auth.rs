//! Who is asking: the session's cookie or an API token, as extractors.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};

use super::error::ApiError;
use crate::{
    app::{App, AppState},
    store::Person,
    token::{Token, TokenHash},
};

/// Name of the session's cookie.
pub(super) const SESSION_COOKIE: &str = "predilect_session";

/// Who sent a request, and how that is known.
pub(crate) enum Caller {
    /// By the session's cookie.
    Session(SessionPerson),
    /// By an API token.
    ApiToken(Person),
}

/// A person at a browser: what changes an account is not done with an API token, or one that
/// leaked could lock its owner out.
pub(crate) struct SessionPerson {
    pub(crate) person: Person,
    pub(crate) token: Token,
}

impl SessionPerson {
    pub(crate) fn token_hash(&self) -> TokenHash {
        self.token.hash()
    }
}

/// An admin at a browser, or a script of theirs.
pub(crate) struct Admin;

impl Caller {
    /// Whoever the request stands for; none without a known session.
    ///
    /// # Errors
    /// When it carries an API token that is not known, or the database fails.
    pub(crate) async fn of(headers: &HeaderMap, app: &App) -> Result<Option<Self>, ApiError> {
        if let Some(bearer) = bearer(headers) {
            // No second chance by the cookie: a script would act as somebody else unawares.
            let token = Token::parse_api(bearer).ok_or(ApiError::UnknownToken)?;
            let person = app.store.person_of_api_token(&token.hash()).await?;
            return person
                .map(|person| Some(Self::ApiToken(person)))
                .ok_or(ApiError::UnknownToken);
        }
        let jar = CookieJar::from_headers(headers);
        let Some(token) = jar
            .get(SESSION_COOKIE)
            .and_then(|cookie| Token::parse(cookie.value()))
        else {
            return Ok(None);
        };
        let person = app.store.person_of(&token.hash()).await?;
        Ok(person.map(|person| Self::Session(SessionPerson { person, token })))
    }

    fn into_person(self) -> Person {
        match self {
            Self::Session(session) => session.person,
            Self::ApiToken(person) => person,
        }
    }
}

/// Other schemes, which a proxy in front may use for itself, say nothing to this server.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl FromRequestParts<AppState> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        Caller::of(&parts.headers, app)
            .await?
            .map(Caller::into_person)
            .ok_or(ApiError::NoSession)
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let person = Person::from_request_parts(parts, app).await?;
        if person.is_admin() {
            Ok(Self)
        } else {
            Err(ApiError::AdminsOnly)
        }
    }
}

impl FromRequestParts<AppState> for SessionPerson {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        match Caller::of(&parts.headers, app).await? {
            Some(Caller::Session(session)) => Ok(session),
            Some(Caller::ApiToken(_)) => Err(ApiError::SessionRequired),
            None => Err(ApiError::NoSession),
        }
    }
}

/// The cookie of a session, which scripts can't read and other sites don't send.
pub(crate) fn session_cookie(app: &App, token: &Token) -> CookieJar {
    let cookie = Cookie::build((SESSION_COOKIE, token.to_text()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.secure_cookies)
        .permanent();
    CookieJar::new().add(cookie)
}

/// Takes the session's cookie out of the browser.
pub(crate) fn no_session_cookie(app: &App) -> CookieJar {
    let mut cookie = Cookie::build((SESSION_COOKIE, ""))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.secure_cookies)
        .build();
    cookie.make_removal();
    CookieJar::new().add(cookie)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_bearer_tokens_are_for_this_server() {
        let of = |value| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of("Bearer predilect_x").as_deref(), Some("predilect_x"));
        assert_eq!(of("bearer  predilect_x ").as_deref(), Some("predilect_x"));
        assert_eq!(of("Basic dXNlcjpwdw=="), None);
        assert_eq!(of("Bearer"), None);
    }
}
