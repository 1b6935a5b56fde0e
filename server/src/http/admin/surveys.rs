use axum::{
    Json as Answer,
    extract::State,
    http::{
        StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION},
    },
    response::IntoResponse,
};
use predilect_api::{
    ArmPicture, ChangeSurvey, FieldError, ImageId, NewSurvey, NewSurveyItem, Problem, Survey,
    SurveyId, SurveyList, SurveyResults,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::{App, AppState},
    http::{
        auth::Admin,
        error::ApiError,
        extract::{Json, Path, Query},
    },
    parse::{FieldErrors, ParsedSurvey, prompt_group},
    store::{NewItem, Person, SurveyError},
    survey,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change))
        .routes(routes!(add_item))
        .routes(routes!(results))
        .routes(routes!(votes))
}

/// List the surveys
#[utoipa::path(get, path = "/surveys", tag = "admin", operation_id = "listSurveys",
    responses(
        (status = 200, body = SurveyList),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "For admins only"),
    ))]
async fn list(State(app): State<AppState>, _: Admin) -> Result<Answer<SurveyList>, ApiError> {
    Ok(Answer(SurveyList {
        surveys: app.store.surveys().await?,
    }))
}

/// Create a survey
///
/// As a draft; add items, then start it.
#[utoipa::path(post, path = "/surveys", tag = "admin", operation_id = "createSurvey",
    responses(
        (status = 201, body = Survey, headers(("Location" = String, description = "The survey"))),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "For admins only"),
        (status = 422, body = Problem, description = "A field is not as it should be"),
    ))]
async fn create(
    State(app): State<AppState>,
    _: Admin,
    Json(new): Json<NewSurvey>,
) -> Result<impl IntoResponse, ApiError> {
    let parsed = ParsedSurvey::parse(new).map_err(ApiError::Invalid)?;
    let id = app.store.create_survey(&parsed).await?;
    let survey = find(&app, &id).await?;
    let location = [(LOCATION, format!("/api/v1/admin/surveys/{id}"))];
    Ok((StatusCode::CREATED, location, Answer(survey)))
}

/// Read a survey
#[utoipa::path(get, path = "/surveys/{id}", tag = "admin", operation_id = "readSurvey",
    params(("id" = String, Path, description = "The survey")),
    responses(
        (status = 200, body = Survey),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "For admins only"),
        (status = 404, body = Problem, description = "No such survey"),
    ))]
async fn read(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<SurveyId>,
) -> Result<Answer<Survey>, ApiError> {
    find(&app, &id).await.map(Answer)
}

/// Start, pause or close a survey
#[utoipa::path(patch, path = "/surveys/{id}", tag = "admin", operation_id = "changeSurvey",
    params(("id" = String, Path, description = "The survey")),
    responses(
        (status = 200, body = Survey),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "For admins only"),
        (status = 404, body = Problem, description = "No such survey"),
        (status = 409, body = Problem, description = "Not from the state it is in"),
        (status = 422, body = Problem, description = "The state is none"),
    ))]
async fn change(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<SurveyId>,
    Json(change): Json<ChangeSurvey>,
) -> Result<Answer<Survey>, ApiError> {
    app.store.change_survey(&id, change.state).await?;
    find(&app, &id).await.map(Answer)
}

/// Add an item to a draft
///
/// Two pictures of the admin's own, drawn from one prompt, of different arms. The survey keeps
/// copies of them.
#[utoipa::path(post, path = "/surveys/{id}/items", tag = "admin", operation_id = "addSurveyItem",
    params(("id" = String, Path, description = "The survey")),
    responses(
        (status = 201, body = Survey),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "For admins only"),
        (status = 404, body = Problem, description = "No such survey, or no such picture of this admin"),
        (status = 409, body = Problem, description = "The survey was started"),
        (status = 422, body = Problem, description = "A field is not as it should be"),
    ))]
async fn add_item(
    State(app): State<AppState>,
    _: Admin,
    person: Person,
    Path(id): Path<SurveyId>,
    Json(new): Json<NewSurveyItem>,
) -> Result<(StatusCode, Answer<Survey>), ApiError> {
    let survey = find(&app, &id).await?;
    let (group, arms) = parse_item(&new, &survey.arms)?;
    let [first, second] = &new.pictures[..] else {
        return Err(two_pictures());
    };
    let (first_png, prompt) = own_picture(&app, &person, first, 0).await?;
    let (second_png, other_prompt) = own_picture(&app, &person, second, 1).await?;
    if prompt != other_prompt {
        let message = "must be drawn from the same prompt as the first picture";
        return Err(ApiError::field("pictures[1].image", message));
    }
    let copies = [new_file(), new_file()];
    let internal = |error: std::io::Error| ApiError::Internal(error.into());
    app.files
        .put(&copies[0], first_png)
        .await
        .map_err(internal)?;
    app.files
        .put(&copies[1], second_png)
        .await
        .map_err(internal)?;
    let item = NewItem {
        prompt: &prompt,
        group: group.as_deref(),
        pictures: [(arms[0], &copies[0]), (arms[1], &copies[1])],
    };
    let added = app.store.add_survey_item(&id, &item).await;
    if added.is_err() {
        for copy in &copies {
            app.files.remove(copy).await.map_err(internal)?;
        }
    }
    added?;
    Ok((StatusCode::CREATED, Answer(find(&app, &id).await?)))
}

fn new_file() -> ImageId {
    ImageId(uuid::Uuid::new_v4().to_string())
}

/// The group, and the arms by their numbers.
fn parse_item(
    new: &NewSurveyItem,
    names: &[String],
) -> Result<(Option<String>, [u32; 2]), ApiError> {
    let mut errors = FieldErrors::default();
    let group = new.group.as_deref().map(prompt_group).transpose();
    let group = errors.take("group", group);
    let mut arms = vec![];
    for (at, picture) in new.pictures.iter().enumerate() {
        let number = (0_u32..).zip(names).find(|(_, name)| **name == picture.arm);
        match number {
            Some((number, _)) if arms.contains(&number) => errors.add(
                format!("pictures[{at}].arm"),
                "must be another arm than the first picture's",
            ),
            Some((number, _)) => arms.push(number),
            None => errors.add(
                format!("pictures[{at}].arm"),
                format!("must be one of {}", names.join(", ")),
            ),
        }
    }
    let errors = errors.into_vec();
    match (group, arms[..].try_into()) {
        _ if !errors.is_empty() => Err(ApiError::Invalid(errors)),
        (Some(group), Ok(arms)) => Ok((group, arms)),
        _ => Err(two_pictures()),
    }
}

fn two_pictures() -> ApiError {
    ApiError::field("pictures", "must name two pictures")
}

async fn own_picture(
    app: &App,
    person: &Person,
    picture: &ArmPicture,
    at: usize,
) -> Result<(Vec<u8>, String), ApiError> {
    let found = app.store.image(person, &picture.image).await?;
    let found = found.ok_or_else(|| {
        ApiError::UnknownReference(FieldError {
            field: format!("pictures[{at}].image"),
            message: "must be the id of a picture of yours".into(),
        })
    })?;
    let png = app.files.get(&picture.image).await;
    let png = png.map_err(|error| ApiError::Internal(error.into()))?;
    Ok((png, found.prompt))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Leave out the votes of whoever failed an attention check; false when left out.
    #[serde(default)]
    #[param(required = false)]
    attentive_only: bool,
    /// Use only items of this prompt group.
    group: Option<String>,
}

/// What a survey's votes say
#[utoipa::path(get, path = "/surveys/{id}/results", tag = "admin", operation_id = "surveyResults",
    params(("id" = String, Path, description = "The survey"), Filter),
    responses(
        (status = 200, body = SurveyResults),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "For admins only"),
        (status = 404, body = Problem, description = "No such survey"),
    ))]
async fn results(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<SurveyId>,
    Query(filter): Query<Filter>,
) -> Result<Answer<SurveyResults>, ApiError> {
    let survey = find(&app, &id).await?;
    let seed = app.store.survey_seed(&id).await?;
    let votes = app.store.cast_votes(&id).await?;
    let selection = survey::Selection {
        attentive_only: filter.attentive_only,
        group: filter.group,
    };
    // The bootstrap takes a while with many votes, and must not hold up other requests.
    let work = move || survey::results(&votes, &survey.arms, seed, &selection);
    let results = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Answer(results))
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Csv,
    Jsonl,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Export {
    /// `csv` when left out.
    #[serde(default)]
    #[param(inline, required = false)]
    format: Format,
}

/// Export a survey's votes
///
/// One line a vote, attention checks included. Participants are numbers.
#[utoipa::path(get, path = "/surveys/{id}/votes", tag = "admin", operation_id = "exportVotes",
    params(("id" = String, Path, description = "The survey"), Export),
    responses(
        (status = 200, content(
            (String = "text/csv"),
            (String = "application/jsonl"),
        )),
        (status = 401, body = Problem, description = "No session"),
        (status = 403, body = Problem, description = "For admins only"),
        (status = 404, body = Problem, description = "No such survey"),
    ))]
async fn votes(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<SurveyId>,
    Query(export): Query<Export>,
) -> Result<impl IntoResponse, ApiError> {
    let arms = find(&app, &id).await?.arms;
    let votes = app.store.cast_votes(&id).await?;
    let (written, mime, ending) = match export.format {
        Format::Csv => (survey::csv(&votes, &arms), "text/csv; charset=utf-8", "csv"),
        Format::Jsonl => (
            survey::json_lines(&votes, &arms),
            "application/jsonl",
            "jsonl",
        ),
    };
    let headers = [
        (CONTENT_TYPE, mime.to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"survey-{id}.{ending}\""),
        ),
    ];
    Ok((headers, written.map_err(ApiError::Internal)?))
}

async fn find(app: &App, id: &SurveyId) -> Result<Survey, ApiError> {
    app.store
        .survey(id)
        .await?
        .ok_or(ApiError::NotFound("survey"))
}

impl From<SurveyError> for ApiError {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::NotFound => Self::NotFound("survey"),
            SurveyError::WrongState(why) => Self::SurveyState(why),
            SurveyError::Database(error) => error.into(),
        }
    }
}
