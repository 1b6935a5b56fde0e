use axum::{Json as Answer, extract::State};
use predilect_api::{ChoiceId, ChoiceProgress, FieldError, NewChoice, Problem, ProfileId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{Json, Query},
};
use crate::{
    app::{AppState, CHOICES_NEEDED},
    pair_order,
    store::{ChooseError, NewChoice as StoredChoice, Person, Progress, UndoError},
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(choose))
        .routes(routes!(undo))
}

/// Choose in a pair
///
/// Only left and right count. The fourth counted choice starts the preference embedding
/// and answers with the profile's id.
#[utoipa::path(post, path = "/choices", tag = "choices", operation_id = "choose",
    responses(
        (status = 200, body = ChoiceProgress),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such pair, or no such profile to sharpen"),
        (status = 409, body = Problem, description = "Chosen already, or the finished profile waits for its name"),
        (status = 422, body = Problem, description = "A field is not as it should be"),
    ))]
async fn choose(
    State(app): State<AppState>,
    person: Person,
    Json(new): Json<NewChoice>,
) -> Result<Answer<ChoiceProgress>, ApiError> {
    let pair_id = new.pair_id.as_ref();
    if app.bank.get(pair_id).is_none() {
        return Err(unknown(
            "pair_id",
            "must be the id of a pair that GET /api/v1/pairs/next gave",
        ));
    }
    let sharpen = new.sharpen.as_ref().map(AsRef::as_ref);
    let choice = StoredChoice {
        pair_id,
        choice: new.choice,
        sharpen,
    };
    let due = |judged: &_| pair_order::is_due(&app.bank, judged, pair_id);
    let progress = app
        .store
        .choose(&person, choice, CHOICES_NEEDED, due)
        .await?;
    if progress.profile_id.is_some() {
        app.jobs.set_completed();
    }
    Ok(answer(progress))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Undo {
    /// The choice to take back, as `last_choice_id` named it; whichever is the last when left out.
    choice_id: Option<ChoiceId>,
}

/// Undo the last choice
///
/// Reaches back to the last profile that was named. A request whose answer got lost can be sent
/// again where it names its choice: one that was taken back already takes nothing more back.
#[utoipa::path(delete, path = "/choices/last", tag = "choices", operation_id = "undoChoice",
    params(Undo),
    responses(
        (status = 200, body = ChoiceProgress),
        (status = 401, body = Problem, description = "No session"),
        (status = 409, body = Problem, description = "There is nothing to undo, or the choice is not the last one"),
    ))]
async fn undo(
    State(app): State<AppState>,
    person: Person,
    Query(undo): Query<Undo>,
) -> Result<Answer<ChoiceProgress>, ApiError> {
    let named = undo.choice_id.as_ref().map(AsRef::as_ref);
    let undone = app.store.undo_choice(&person, named, CHOICES_NEEDED);
    Ok(answer(undone.await?))
}

fn answer(progress: Progress) -> Answer<ChoiceProgress> {
    Answer(ChoiceProgress {
        counted: progress.counted,
        needed: CHOICES_NEEDED,
        undoable: progress.undoable,
        last_choice_id: progress.last_choice.map(ChoiceId),
        profile_id: progress.profile_id.map(ProfileId),
    })
}

fn unknown(field: &str, message: &str) -> ApiError {
    ApiError::UnknownReference(FieldError {
        field: field.into(),
        message: message.into(),
    })
}

impl From<ChooseError> for ApiError {
    fn from(error: ChooseError) -> Self {
        match error {
            ChooseError::ProfileUnnamed => Self::ProfileUnnamed,
            ChooseError::AlreadyJudged => Self::AlreadyChosen,
            ChooseError::NoSuchProfile => {
                unknown("sharpen", "must be the id of a profile of yours")
            }
            ChooseError::AnotherSetOpen => Self::AnotherSetOpen,
            ChooseError::Database(error) => error.into(),
        }
    }
}

impl From<UndoError> for ApiError {
    fn from(error: UndoError) -> Self {
        match error {
            UndoError::Nothing => Self::NothingToUndo,
            UndoError::NotLast => Self::NotLastChoice,
            UndoError::Database(error) => error.into(),
        }
    }
}
