//! What only admins see. Each handler takes [`Admin`], and a test walks the OpenAPI document
//! to see that none forgot it.
//!
//! Everybody else is answered 403, not 404: a person's things are hidden because that they
//! exist is a secret, but these addresses are in the public document, and whoever is logged
//! in with the wrong account should hear that.
//!
//! [`Admin`]: super::auth::Admin

mod surveys;
mod users;

use utoipa_axum::router::OpenApiRouter;

use crate::app::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    let routes = OpenApiRouter::new()
        .merge(surveys::router())
        .merge(users::router());
    OpenApiRouter::new().nest("/admin", routes)
}
