use axum::{
    Json as Answer,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::IntoResponse,
};
use predilect_api::{ChangeImage, ImageDetails, ImageId, Problem};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{Json, Path, Query},
    gallery::delete_all,
};
use crate::{
    app::{App, AppState},
    files::webp_of_png,
    parse::Selection,
    picture_name,
    store::Person,
};

/// Most pixels along a side of a thumbnail.
const THUMBNAIL: u32 = 256;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read, change, delete))
        .routes(routes!(details))
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Png,
    Webp,
    Thumbnail,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Options {
    /// Only the PNG carries the text chunks; a thumbnail is a WebP of at most 256 pixels a side.
    #[serde(default)]
    #[param(inline, required = false)]
    format: Format,
}

/// A finished picture
///
/// The PNG's text chunks say how it was drawn: prompt, seed, steps, guidance, profile,
/// profiles, strength and `model_hash`.
#[utoipa::path(get, path = "/images/{id}", tag = "generations", operation_id = "readImage",
    params(("id" = String, Path, description = "The picture"), Options),
    responses(
        (status = 200, content(
            (Vec<u8> = "image/png"),
            (Vec<u8> = "image/webp"),
        )),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such picture of this person"),
    ))]
async fn read(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<ImageId>,
    Query(options): Query<Options>,
) -> Result<impl IntoResponse, ApiError> {
    let found = find(&app, &person, &id).await?;
    let internal = |error: std::io::Error| ApiError::Internal(error.into());
    let png = app.files.get(&id).await.map_err(internal)?;
    let (bytes, mime, ending) = match options.format {
        Format::Png => (png, "image/png", "png"),
        Format::Webp | Format::Thumbnail => {
            let longest = (options.format == Format::Thumbnail).then_some(THUMBNAIL);
            let webp = tokio::task::spawn_blocking(move || webp_of_png(&png, longest))
                .await
                .map_err(|error| ApiError::Internal(error.into()))?;
            (webp.map_err(internal)?, "image/webp", "webp")
        }
    };
    let name = picture_name::of(&found.prompt, found.image.seed);
    let headers = [
        (CONTENT_TYPE, mime.to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("inline; filename=\"{name}.{ending}\""),
        ),
        (
            CACHE_CONTROL,
            "private, max-age=31536000, immutable".to_owned(),
        ),
    ];
    Ok((headers, bytes))
}

/// What it takes to draw a picture again
#[utoipa::path(get, path = "/images/{id}/details", tag = "gallery", operation_id = "readImageDetails",
    params(("id" = String, Path, description = "The picture")),
    responses(
        (status = 200, body = ImageDetails),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such picture of this person"),
    ))]
async fn details(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<ImageId>,
) -> Result<Answer<ImageDetails>, ApiError> {
    find(&app, &person, &id).await.map(Answer)
}

/// Mark a picture as a favourite, or take the mark off
#[utoipa::path(patch, path = "/images/{id}", tag = "gallery", operation_id = "changeImage",
    params(("id" = String, Path, description = "The picture")),
    responses(
        (status = 200, body = ImageDetails),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such picture of this person"),
        (status = 422, body = Problem, description = "A field is not as it should be"),
    ))]
async fn change(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<ImageId>,
    Json(change): Json<ChangeImage>,
) -> Result<Answer<ImageDetails>, ApiError> {
    let store = &app.store;
    if !store.mark_favourite(&person, &id, change.favourite).await? {
        return Err(ApiError::NotFound("picture"));
    }
    find(&app, &person, &id).await.map(Answer)
}

/// Delete a picture
///
/// At once and for good. Its generation goes with the last of its pictures.
#[utoipa::path(delete, path = "/images/{id}", tag = "gallery", operation_id = "deleteImage",
    params(("id" = String, Path, description = "The picture")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such picture of this person"),
        (status = 409, body = Problem, description = "Its generation goes on"),
    ))]
async fn delete(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<ImageId>,
) -> Result<StatusCode, ApiError> {
    delete_all(&app, &person, &Selection::one(id))
        .await
        .map_err(|error| match error {
            ApiError::UnknownReference(_) => ApiError::NotFound("picture"),
            other => other,
        })
}

async fn find(app: &App, person: &Person, id: &ImageId) -> Result<ImageDetails, ApiError> {
    app.store
        .image(person, id)
        .await?
        .ok_or(ApiError::NotFound("picture"))
}
