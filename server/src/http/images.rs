use axum::{
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    response::IntoResponse,
};
use predilect_api::{ImageId, Problem};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{Path, Query},
};
use crate::{app::AppState, files::webp_of_png, store::Person};

/// Characters of the prompt in a picture's file name.
const NAME_CHARS: usize = 40;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read))
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Png,
    Webp,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Options {
    /// Only the PNG carries the text chunks.
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
    let (image, prompt) = app
        .store
        .image(&person, &id)
        .await?
        .ok_or(ApiError::NotFound("picture"))?;
    let internal = |error: std::io::Error| ApiError::Internal(error.into());
    let png = app.files.get(&id).await.map_err(internal)?;
    let (bytes, mime, ending) = match options.format {
        Format::Png => (png, "image/png", "png"),
        Format::Webp => {
            let webp = tokio::task::spawn_blocking(move || webp_of_png(&png))
                .await
                .map_err(|error| ApiError::Internal(error.into()))?;
            (webp.map_err(internal)?, "image/webp", "webp")
        }
    };
    let name = file_name(&prompt, image.seed);
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

/// What a browser saves the picture as: the prompt in letters any file system takes.
fn file_name(prompt: &str, seed: u32) -> String {
    let words: Vec<_> = prompt
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let words: String = words.join("-").chars().take(NAME_CHARS).collect();
    ["predilect", words.trim_end_matches('-'), &seed.to_string()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_only_plain_letters() {
        assert_eq!(
            file_name("A red \"apple\"; x=1", 7),
            "predilect-a-red-apple-x-1-7"
        );
        assert_eq!(file_name("苹果", 7), "predilect-7");
        assert!(file_name(&"long ".repeat(50), 7).len() < 60);
    }
}
