use axum::{
    Json as Answer,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use predilect_api::{
    FieldError, Generation, GenerationEvent, GenerationId, GenerationList, NewGeneration, Problem,
    ProfileState,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{Json, Path, Query},
    page::{self, PageLimit, unknown_before},
};
use crate::{
    app::AppState,
    jobs,
    parse::{Blend, FieldErrors, GenerationLimits, Prompt},
    store::{self, BlendPart, FinalState, Person, QueueError},
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, queue, cancel_all))
        .routes(routes!(read, cancel))
}

/// A request whose numbers and words are within all limits.
struct ParsedGeneration {
    prompt: Prompt,
    seed: u32,
    count: u32,
    steps: u32,
    guidance: f32,
    strength: f32,
    blend: Blend,
}

impl ParsedGeneration {
    /// Parses every field, so that a person hears of all mistakes at once.
    fn parse(new: NewGeneration, limits: &GenerationLimits) -> Result<Self, ApiError> {
        let mut errors = FieldErrors::default();
        let prompt = errors.take(
            "prompt",
            Prompt::parse(&new.prompt, limits.max_prompt_chars),
        );
        let seed = errors.take("seed", limits.seed(new.seed));
        let count = errors.take("count", limits.count(new.count));
        let steps = errors.take("steps", limits.steps(new.steps));
        let guidance = errors.take("guidance", limits.guidance(new.guidance));
        let strength = errors.take("strength", limits.strength(new.strength));
        let mut errors = errors.into_vec();
        let blend = Blend::parse(new.profiles)
            .map_err(|wrong| errors.extend(wrong))
            .ok();
        match (prompt, seed, count, steps, guidance, strength, blend) {
            (
                Some(prompt),
                Some(seed),
                Some(count),
                Some(steps),
                Some(guidance),
                Some(strength),
                Some(blend),
            ) => Ok(Self {
                prompt,
                seed,
                count,
                steps,
                guidance,
                strength,
                blend,
            }),
            _ => Err(ApiError::Invalid(errors)),
        }
    }
}

/// Queue a generation
///
/// It is stored before this answers, and drawn even if nobody follows its events.
#[utoipa::path(post, path = "/generations", tag = "generations", operation_id = "queueGeneration",
    responses(
        (status = 201, body = Generation, headers(("Location" = String, description = "The generation"))),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such profile of this person"),
        (status = 409, body = Problem, description = "A profile is not ready, or belongs to other weights"),
        (status = 422, body = Problem, description = "A field is not as it should be"),
        (status = 429, body = Problem, description = "Too many generations are unfinished",
            headers(("Retry-After" = u64, description = "Seconds"))),
    ))]
async fn queue(
    State(app): State<AppState>,
    person: Person,
    Json(new): Json<NewGeneration>,
) -> Result<impl IntoResponse, ApiError> {
    let parsed = ParsedGeneration::parse(new, &app.limits)?;
    let prompt = parsed.prompt.into_string();
    let prompt_read = app.engine.beginning_read(&prompt);
    let prompt_read = prompt_read.map_err(|error| ApiError::Internal(error.into()))?;
    let new = store::NewGeneration {
        blend: blend(&app, &person, &parsed.blend).await?,
        prompt_read: prompt_read.map(Into::into),
        prompt,
        seed: parsed.seed,
        count: parsed.count,
        steps: parsed.steps,
        guidance: parsed.guidance,
        strength: parsed.strength,
    };
    let id = GenerationId(uuid::Uuid::new_v4().to_string());
    // Open before it is stored: from then on the runner may tell of it.
    let log = app.jobs.logs.open(&id, 0);
    let queued = app
        .store
        .queue_generation(&person, &id, &new, app.queue_limits)
        .await;
    let generation = queued.inspect_err(|_| app.jobs.logs.close(&id))?;
    log.publish_first(GenerationEvent::Queued {
        position: generation.position.unwrap_or(0),
    });
    app.jobs.generation_queued();
    let location = [(LOCATION, format!("/api/v1/generations/{id}"))];
    Ok((StatusCode::CREATED, location, Answer(generation)))
}

/// The person's own profiles, ready to be drawn for by the weights that run.
async fn blend(app: &AppState, person: &Person, blend: &Blend) -> Result<Vec<BlendPart>, ApiError> {
    let mut parts = vec![];
    for (at, part) in blend.parts().iter().enumerate() {
        let profile = app.store.profile(person, &part.id).await?.ok_or_else(|| {
            ApiError::UnknownReference(FieldError {
                field: Blend::field(at),
                message: "must be the id of a profile of yours".into(),
            })
        })?;
        let name = profile.name.unwrap_or_else(|| "Unnamed".into());
        if profile.state != ProfileState::Ready {
            return Err(ApiError::ProfileNotReady(format!(
                "The profile “{name}” can't be drawn for yet; its state must be ready."
            )));
        }
        let embeddings = app.store.embeddings(&part.id).await?;
        if embeddings
            .iter()
            .any(|one| one.model_hash != app.engine.info().hash)
        {
            return Err(ApiError::ProfileNotReady(jobs::other_model(&name)));
        }
        parts.push(BlendPart {
            profile_id: profile.id.0,
            profile_name: name,
            weight: f64::from(part.weight),
        });
    }
    Ok(parts)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// Generations on the page, 1 to 100; 20 when left out.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `next` of the page before.
    before: Option<GenerationId>,
}

/// List the generations
///
/// Newest first, page by page.
#[utoipa::path(get, path = "/generations", tag = "generations", operation_id = "listGenerations",
    params(Page),
    responses(
        (status = 200, body = GenerationList),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "`before` is no generation of this person"),
        (status = 422, body = Problem, description = "The limit is not allowed"),
    ))]
async fn list(
    State(app): State<AppState>,
    person: Person,
    Query(page): Query<Page>,
) -> Result<Answer<GenerationList>, ApiError> {
    let limit = PageLimit::parse(page.limit)?;
    if let Some(before) = &page.before
        && app.store.generation(&person, before).await?.is_none()
    {
        return Err(unknown_before());
    }
    let mut generations = app
        .store
        .generations(&person, page.before.as_ref(), limit.with_one_more())
        .await?;
    let next = limit.cut(&mut generations, |last| last.id.clone());
    Ok(Answer(GenerationList { generations, next }))
}

/// Read a generation
#[utoipa::path(get, path = "/generations/{id}", tag = "generations", operation_id = "readGeneration",
    params(("id" = String, Path, description = "The generation")),
    responses(
        (status = 200, body = Generation),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such generation of this person"),
    ))]
async fn read(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<GenerationId>,
) -> Result<Answer<Generation>, ApiError> {
    find(&app, &person, &id).await.map(Answer)
}

/// Cancel a generation
///
/// Pictures that are finished stay. One that has ended already is answered as it is.
#[utoipa::path(delete, path = "/generations/{id}", tag = "generations", operation_id = "cancelGeneration",
    params(("id" = String, Path, description = "The generation")),
    responses(
        (status = 200, body = Generation),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such generation of this person"),
    ))]
async fn cancel(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<GenerationId>,
) -> Result<Answer<Generation>, ApiError> {
    find(&app, &person, &id).await?;
    cancel_each(&app, std::slice::from_ref(&id)).await?;
    find(&app, &person, &id).await.map(Answer)
}

/// Cancel all generations
///
/// Those of this person that are unfinished. Pictures that are finished stay.
#[utoipa::path(delete, path = "/generations", tag = "generations", operation_id = "cancelGenerations",
    responses(
        (status = 204, description = "Cancelled"),
        (status = 401, body = Problem, description = "No session"),
    ))]
async fn cancel_all(State(app): State<AppState>, person: Person) -> Result<StatusCode, ApiError> {
    let unfinished = app.store.unfinished_generations(&person).await?;
    cancel_each(&app, &unfinished).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn cancel_each(app: &AppState, ids: &[GenerationId]) -> Result<(), ApiError> {
    let mut cancelled = 0;
    for id in ids {
        let ended = app
            .jobs
            .end_generation(&app.store, id, FinalState::Cancelled);
        cancelled += u64::from(ended.await?);
    }
    if cancelled > 0 {
        ::metrics::counter!("predilect_generations_total", "outcome" => "cancelled")
            .increment(cancelled);
        jobs::tell_positions(app).await;
    }
    Ok(())
}

async fn find(app: &AppState, person: &Person, id: &GenerationId) -> Result<Generation, ApiError> {
    app.store
        .generation(person, id)
        .await?
        .ok_or(ApiError::NotFound("generation"))
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::PersonFull => Self::QueueFull(
                "You have as many unfinished generations as one person may have. Wait for one \
                 to finish, or cancel one.",
            ),
            QueueError::Full => Self::QueueFull(
                "The server has as many unfinished generations as it takes. Try again soon.",
            ),
            QueueError::Database(error) => error.into(),
        }
    }
}
