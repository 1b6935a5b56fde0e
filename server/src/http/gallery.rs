//! A person's finished pictures, many at a time.

use axum::{
    Json as Answer,
    body::Body,
    extract::State,
    http::{
        StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION},
    },
    response::IntoResponse,
};
use predilect_api::{
    FieldError, ImageArchive, ImageIdList, ImageList, ImageSelection, MAX_SELECTED_IMAGES, Problem,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ARCHIVE_TYPE,
    account::remove_discarded,
    body_limit::body_limit,
    error::ApiError,
    extract::{Json, Path, Query},
    page::{self, OFFSETS, PageLimit},
};
use crate::{
    app::AppState,
    archive,
    parse::{FieldErrors, ImageFilter, ProfileFilter, Selection, whole},
    picture_name,
    store::{DeleteImagesError, Person},
};

/// Room for as many ids as a request may name, each in quotes with a comma and a line's end.
const MAX_SELECTION_BODY: usize = MAX_SELECTED_IMAGES * 48;

pub(super) fn router() -> OpenApiRouter<AppState> {
    let selecting = OpenApiRouter::new()
        .routes(routes!(delete))
        .routes(routes!(archive))
        .layer(body_limit(MAX_SELECTION_BODY));
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(ids))
        .routes(routes!(download))
        .merge(selecting)
}

/// Which pictures.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Words that are in the prompt, in whichever order and in capitals or not.
    search: Option<String>,
    /// Only what this profile had a part in; `none` for what the base model drew.
    profile: Option<String>,
    /// Only favourites; false when left out.
    #[serde(default)]
    #[param(required = false)]
    favourites: bool,
}

/// How many of them, and from where.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Window {
    /// Pictures to answer with, 1 to 100; 20 when left out.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// Pictures to pass over first; 0 when left out.
    #[serde(default, deserialize_with = "page::offset")]
    #[param(minimum = 0, maximum = 4294967295_usize)]
    offset: Option<i64>,
}

impl Filter {
    fn parse(self, app: &AppState, errors: &mut FieldErrors) -> Option<ImageFilter> {
        let search = self.search.unwrap_or_default();
        let words = ImageFilter::words(&search, app.limits.max_prompt_chars);
        Some(ImageFilter {
            words: errors.take("search", words)?,
            profile: self.profile.map(ProfileFilter::parse),
            favourites: self.favourites,
        })
    }
}

/// List the pictures
///
/// Newest first: `limit` of them behind the first `offset`, and how many there are.
#[utoipa::path(get, path = "/images", tag = "gallery", operation_id = "listImages",
    params(Filter, Window),
    responses(
        (status = 200, body = ImageList),
        (status = 401, body = Problem, description = "No session"),
        (status = 422, body = Problem, description = "A parameter is not allowed"),
    ))]
async fn list(
    State(app): State<AppState>,
    person: Person,
    Query(filter): Query<Filter>,
    Query(window): Query<Window>,
) -> Result<Answer<ImageList>, ApiError> {
    let limit = PageLimit::parse(window.limit)?;
    let mut errors = FieldErrors::default();
    let offset = errors.take("offset", whole(window.offset.unwrap_or(0), OFFSETS));
    let filter = filter.parse(&app, &mut errors);
    let Some((filter, offset)) = filter.zip(offset) else {
        return Err(ApiError::Invalid(errors.into_vec()));
    };
    let (images, total) = app
        .store
        .images(&person, &filter, offset, limit.exactly())
        .await?;
    Ok(Answer(ImageList { images, total }))
}

/// List the ids of the pictures
///
/// All of them, newest first, for whoever goes on with all of them.
#[utoipa::path(get, path = "/images/ids", tag = "gallery", operation_id = "listImageIds",
    params(Filter),
    responses(
        (status = 200, body = ImageIdList),
        (status = 401, body = Problem, description = "No session"),
        (status = 422, body = Problem, description = "A parameter is not allowed"),
    ))]
async fn ids(
    State(app): State<AppState>,
    person: Person,
    Query(filter): Query<Filter>,
) -> Result<Answer<ImageIdList>, ApiError> {
    let mut errors = FieldErrors::default();
    let Some(filter) = filter.parse(&app, &mut errors) else {
        return Err(ApiError::Invalid(errors.into_vec()));
    };
    let ids = app.store.image_ids(&person, &filter).await?;
    Ok(Answer(ImageIdList { ids }))
}

/// Delete pictures
///
/// All of them or, where one can't be, none; at once and for good. A generation goes with the
/// last of its pictures. A request of its own kind, because intermediaries may drop the body of
/// DELETE.
#[utoipa::path(post, path = "/images/deletion", tag = "gallery", operation_id = "deleteImages",
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "One is no picture of this person"),
        (status = 409, body = Problem, description = "The generation of one goes on"),
        (status = 422, body = Problem, description = "There are none, or too many"),
    ))]
async fn delete(
    State(app): State<AppState>,
    person: Person,
    Json(selection): Json<ImageSelection>,
) -> Result<StatusCode, ApiError> {
    delete_all(&app, &person, &parse(selection)?).await
}

pub(super) async fn delete_all(
    app: &AppState,
    person: &Person,
    selection: &Selection,
) -> Result<StatusCode, ApiError> {
    app.store.delete_images(person, selection).await?;
    remove_discarded(app).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Put pictures into a ZIP archive
///
/// The answer says where it can be downloaded, once or several times within a day. It is made
/// while it is sent; a picture that is deleted in between is not in it.
#[utoipa::path(post, path = "/images/archives", tag = "gallery", operation_id = "archiveImages",
    responses(
        (status = 201, body = ImageArchive, headers(("Location" = String, description = "The archive"))),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "One is no picture of this person"),
        (status = 422, body = Problem, description = "There are none, or too many"),
    ))]
async fn archive(
    State(app): State<AppState>,
    person: Person,
    Json(selection): Json<ImageSelection>,
) -> Result<impl IntoResponse, ApiError> {
    let selection = parse(selection)?;
    let id = app.store.keep_archive(&person, &selection).await?;
    let url = format!("/api/v1/images/archives/{}", id.map_err(unknown_picture)?);
    let location = [(LOCATION, url.clone())];
    Ok((StatusCode::CREATED, location, Answer(ImageArchive { url })))
}

/// Download an archive of pictures
///
/// PNGs with their text chunks, named after their prompts and seeds.
#[utoipa::path(get, path = "/images/archives/{id}", tag = "gallery", operation_id = "downloadImages",
    params(("id" = String, Path, description = "The archive")),
    responses(
        (status = 200, content_type = "application/zip", body = Vec<u8>),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such archive of this person, or its day is over"),
    ))]
async fn download(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let images = app.store.archived_images(&person, &id).await?;
    let images = images.ok_or(ApiError::NotFound("archive"))?;
    let headers = [
        (CONTENT_TYPE, ARCHIVE_TYPE),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"predilect-pictures.zip\"",
        ),
    ];
    let archive = archive::stream(app.files.clone(), move |archive| {
        let mut names = picture_name::Names::default();
        images.iter().try_for_each(|(id, prompt, seed)| {
            archive.picture(format!("{}.png", names.next(prompt, *seed)), id)
        })
    });
    Ok((headers, Body::from_stream(archive)))
}

fn parse(selection: ImageSelection) -> Result<Selection, ApiError> {
    Selection::parse(selection.ids).map_err(|message| ApiError::field("ids", message))
}

fn unknown_picture(at: usize) -> ApiError {
    ApiError::UnknownReference(FieldError {
        field: format!("ids[{at}]"),
        message: "must be the id of a picture of yours".into(),
    })
}

impl From<DeleteImagesError> for ApiError {
    fn from(error: DeleteImagesError) -> Self {
        match error {
            DeleteImagesError::NotFound(at) => unknown_picture(at),
            DeleteImagesError::Unfinished => Self::GenerationUnfinished,
            DeleteImagesError::Database(error) => error.into(),
        }
    }
}
