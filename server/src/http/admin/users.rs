use axum::{Json as Answer, extract::State};
use predilect_api::{PersonId, Problem, UserList};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    http::{
        auth::Admin,
        error::ApiError,
        extract::Query,
        page::{self, PageLimit, unknown_before},
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// People on the page, 1 to 100; 20 when left out.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `next` of the page before.
    before: Option<PersonId>,
}

/// List the people of this server
///
/// Who came last is first, page by page. What they chose and drew is theirs alone.
#[utoipa::path(get, path = "/users", tag = "admin", operation_id = "listUsers",
    params(Page),
    responses(
        (status = 200, body = UserList),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "For admins only"),
        (status = 404, body = Problem, description = "`before` is nobody"),
        (status = 422, body = Problem, description = "The limit is not allowed"),
    ))]
async fn list(
    State(app): State<AppState>,
    _: Admin,
    Query(page): Query<Page>,
) -> Result<Answer<UserList>, ApiError> {
    let limit = PageLimit::parse(page.limit)?;
    if let Some(before) = &page.before
        && !app.store.is_person(before).await?
    {
        return Err(unknown_before());
    }
    let mut users = app
        .store
        .users(page.before.as_ref(), limit.with_one_more())
        .await?;
    let next = limit.cut(&mut users, |last| last.id.clone());
    Ok(Answer(UserList { users, next }))
}
