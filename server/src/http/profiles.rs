use axum::{
    Json as Answer,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use predilect_api::{
    ImportProfile, NameProfile, Problem, Profile, ProfileCode, ProfileId, ProfileList,
    RenameProfile,
};
use predilect_model::preference::embedding::PreferenceEmbedding;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body_limit::body_limit,
    error::ApiError,
    extract::{Json, Path},
};
use crate::{
    app::{AppState, CHOICES_NEEDED},
    parse::ProfileName,
    profile_code::CodedProfile,
    store::{ImportedProfile, NameError, Person, Reading},
};

/// Bytes of an import: the code of a large model's profile with many sets.
const MAX_IMPORT: usize = 8 * 1024 * 1024;

pub(super) fn router() -> OpenApiRouter<AppState> {
    let import = OpenApiRouter::new()
        .routes(routes!(import))
        .layer(body_limit(MAX_IMPORT));
    OpenApiRouter::new()
        .routes(routes!(list, name))
        .routes(routes!(read, rename, delete))
        .routes(routes!(code))
        .merge(import)
}

/// List the profiles
#[utoipa::path(get, path = "/profiles", tag = "profiles", operation_id = "listProfiles",
    responses(
        (status = 200, body = ProfileList),
        (status = 401, body = Problem, description = "No session"),
    ))]
async fn list(
    State(app): State<AppState>,
    person: Person,
) -> Result<Answer<ProfileList>, ApiError> {
    Ok(Answer(ProfileList {
        profiles: app.store.profiles(&person).await?,
    }))
}

/// Name the profile of the completed set
///
/// It may still be pending; its description appears when it is ready.
#[utoipa::path(post, path = "/profiles", tag = "profiles", operation_id = "nameProfile",
    responses(
        (status = 201, body = Profile, headers(("Location" = String, description = "The profile"))),
        (status = 401, body = Problem, description = "No session"),
        (status = 409, body = Problem, description = "Choices are missing; `missing` says how many"),
        (status = 422, body = Problem, description = "The name is not allowed"),
    ))]
async fn name(
    State(app): State<AppState>,
    person: Person,
    Json(new): Json<NameProfile>,
) -> Result<impl IntoResponse, ApiError> {
    let name = parse_name(&new.name)?;
    let id = match app.store.name_profile(&person, &name).await {
        Ok(id) => id,
        Err(NameError::NothingToName) => {
            let progress = app.store.progress(&person, CHOICES_NEEDED).await?;
            let missing = CHOICES_NEEDED.saturating_sub(progress.counted);
            return Err(ApiError::ChoicesMissing { missing });
        }
        Err(NameError::Database(error)) => return Err(error.into()),
    };
    created(&app, &person, &id).await
}

/// Read a profile
#[utoipa::path(get, path = "/profiles/{id}", tag = "profiles", operation_id = "readProfile",
    params(("id" = String, Path, description = "The profile")),
    responses(
        (status = 200, body = Profile),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such profile of this person"),
    ))]
async fn read(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<ProfileId>,
) -> Result<Answer<Profile>, ApiError> {
    find(&app, &person, &id).await.map(Answer)
}

/// Rename a profile
#[utoipa::path(patch, path = "/profiles/{id}", tag = "profiles", operation_id = "renameProfile",
    params(("id" = String, Path, description = "The profile")),
    responses(
        (status = 200, body = Profile),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such profile of this person"),
        (status = 422, body = Problem, description = "The name is not allowed"),
    ))]
async fn rename(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<ProfileId>,
    Json(new): Json<RenameProfile>,
) -> Result<Answer<Profile>, ApiError> {
    let name = parse_name(&new.name)?;
    if !app.store.rename_profile(&person, &id, &name).await? {
        return Err(ApiError::NotFound("profile"));
    }
    find(&app, &person, &id).await.map(Answer)
}

/// Delete a profile
///
/// Pictures drawn for it stay. An unnamed profile that is deleted opens a new set.
#[utoipa::path(delete, path = "/profiles/{id}", tag = "profiles", operation_id = "deleteProfile",
    params(("id" = String, Path, description = "The profile")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such profile of this person"),
    ))]
async fn delete(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<ProfileId>,
) -> Result<StatusCode, ApiError> {
    if app.store.delete_profile(&person, &id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("profile"))
    }
}

/// A profile as text to hand on
#[utoipa::path(get, path = "/profiles/{id}/code", tag = "profiles", operation_id = "profileCode",
    params(("id" = String, Path, description = "The profile")),
    responses(
        (status = 200, body = ProfileCode),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such profile of this person"),
        (status = 409, body = Problem, description = "The profile is not ready"),
    ))]
async fn code(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<ProfileId>,
) -> Result<Answer<ProfileCode>, ApiError> {
    let profile = find(&app, &person, &id).await?;
    let embeddings = app.store.embeddings(&id).await?;
    let Some(newest) = embeddings.last() else {
        return Err(ApiError::ProfileNotReady(
            "This profile is not ready yet; ask again when its state is ready.".into(),
        ));
    };
    let coded = CodedProfile {
        model_hash: newest.model_hash.clone(),
        choices: profile.choices,
        embeddings: embeddings.into_iter().map(|one| one.bytes).collect(),
    };
    Ok(Answer(ProfileCode {
        code: coded.to_code(),
    }))
}

/// Make a profile from a code
#[utoipa::path(post, path = "/profiles/import", tag = "profiles", operation_id = "importProfile",
    responses(
        (status = 201, body = Profile, headers(("Location" = String, description = "The profile"))),
        (status = 401, body = Problem, description = "No session"),
        (status = 422, body = Problem, description = "The code or the name is not allowed"),
    ))]
async fn import(
    State(app): State<AppState>,
    person: Person,
    Json(new): Json<ImportProfile>,
) -> Result<impl IntoResponse, ApiError> {
    let name = parse_name(&new.name)?;
    let coded = CodedProfile::parse(&new.code)
        .map_err(|error| ApiError::field("code", error.to_string()))?;
    if coded.model_hash != app.engine.info().hash {
        return Err(ApiError::field(
            "code",
            "must come from a server with the same weights as here; this one belongs to others",
        ));
    }
    let embeddings = coded
        .embeddings
        .into_iter()
        .map(|bytes| {
            let embedding = PreferenceEmbedding::from_bytes(&bytes)
                .map_err(|error| ApiError::field("code", error.to_string()))?;
            Ok(Reading {
                bytes,
                description: embedding.description,
                model_hash: coded.model_hash.clone(),
            })
        })
        .collect::<Result<_, ApiError>>()?;
    let imported = ImportedProfile {
        name,
        choices: coded.choices,
        embeddings,
    };
    let id = app.store.import_profile(&person, imported).await?;
    created(&app, &person, &id).await
}

fn parse_name(name: &str) -> Result<ProfileName, ApiError> {
    ProfileName::parse(name).map_err(|message| ApiError::field("name", message))
}

async fn find(app: &AppState, person: &Person, id: &ProfileId) -> Result<Profile, ApiError> {
    app.store
        .profile(person, id)
        .await?
        .ok_or(ApiError::NotFound("profile"))
}

async fn created(
    app: &AppState,
    person: &Person,
    id: &ProfileId,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let profile = find(app, person, id).await?;
    let location = [(LOCATION, format!("/api/v1/profiles/{id}"))];
    Ok((StatusCode::CREATED, location, Answer(profile)))
}
