use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::StreamExt;
use predilect_api::{GenerationEvent, GenerationId, Problem};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{error::ApiError, extract::Path};
use crate::{
    app::AppState,
    jobs::{
        events::{EventLog, Numbered},
        final_event,
    },
    store::{Person, Stopped},
};

/// Proxies close what is silent for longer; most wait for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// One event of a generation's stream.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it says in the document what is written by `to_sse`"
)]
struct SentEvent {
    /// Its number.
    id: String,
    /// The `type` of its data.
    event: String,
    /// A `GenerationEvent`.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Follow a generation
///
/// Server-sent events: queued, step, image, then done, failed or cancelled. They are
/// numbered; with `Last-Event-ID` only later ones come, and 204 says that there will be none.
#[utoipa::path(get, path = "/generations/{id}/events", tag = "generations", operation_id = "followGeneration",
    params(
        ("id" = String, Path, description = "The generation"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event already seen; what is no number counts as none"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = SentEvent),
        (status = 204, description = "Everything was seen already"),
        (status = 401, body = Problem, description = "No session"),
        (status = 404, body = Problem, description = "No such generation of this person"),
    ))]
async fn follow(
    State(app): State<AppState>,
    person: Person,
    Path(id): Path<GenerationId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    app.store
        .generation(&person, &id)
        .await?
        .ok_or(ApiError::NotFound("generation"))?;
    let log = log_of(&app, &id).await?;
    let seen = last_event_id(&headers);
    if log.is_over_at(seen) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    // A server that closes doesn't wait for streams; the browser reconnects to the next one.
    let events = log.follow(seen).take_until(app.jobs.closed()).map(to_sse);
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok((unbuffered, stream).into_response())
}

/// The log of an unfinished generation, else what the store remembers.
async fn log_of(app: &AppState, id: &GenerationId) -> Result<Arc<EventLog>, ApiError> {
    if let Some(log) = app.jobs.logs.get(id) {
        return Ok(log);
    }
    // The end is stored before its log is let go, so it is there.
    let stopped = app
        .store
        .stopped(id)
        .await?
        .ok_or(ApiError::NotFound("generation"))?;
    Ok(Arc::new(EventLog::ended(remembered(stopped))))
}

fn remembered(stopped: Stopped) -> Vec<Numbered> {
    let mut events: Vec<_> = stopped
        .image_events
        .into_iter()
        .map(|(number, image)| (number, GenerationEvent::Image { image }))
        .collect();
    events.sort_by_key(|(number, _)| *number);
    events.push((stopped.final_event, final_event(&stopped.state)));
    events
}

/// What a browser sends on its own when it reconnects; anything else counts as nothing seen.
fn last_event_id(headers: &HeaderMap) -> u64 {
    headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

fn to_sse((number, event): Numbered) -> Result<Event, axum::Error> {
    Event::default()
        .id(number.to_string())
        .event(event.name())
        .json_data(event)
}
