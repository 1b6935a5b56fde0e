//! Draws queued generations: claims them in order, follows the engine, stores each
//! picture before it is told of.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use image::RgbImage;
use predilect_api::{GenerationEvent, Image, ImageId, Problem};
use predilect_model::{
    engine::{CancelToken, GenerateEvent, GenerateJob, Taste},
    preference::embedding::PreferenceEmbedding,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::events::EventLog;
use crate::{
    app::AppState,
    files::{encode_png, png_data_url},
    picture_text,
    store::{ClaimedGeneration, FinalState, NewImage},
};

const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Draws until the jobs close, then waits for what is running to stop.
pub(super) async fn run(app: AppState) {
    let slots = Arc::new(Semaphore::new(app.concurrency));
    let mut drawing = JoinSet::new();
    let closed = app.jobs.closed();
    tokio::pin!(closed);
    loop {
        let slot = tokio::select! {
            () = &mut closed => break,
            slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
        };
        match app.store.claim_generation().await {
            Ok(Some(claimed)) => {
                let app = app.clone();
                drawing.spawn(async move {
                    draw_to_the_end(&app, claimed).await;
                    drop(slot);
                });
            }
            Ok(None) => tokio::select! {
                () = &mut closed => break,
                () = app.jobs.generation_queued.notified() => continue,
            },
            Err(error) => {
                tracing::error!(%error, "cannot get at the queue");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
        tell_positions(&app).await;
        while drawing.try_join_next().is_some() {}
    }
    while drawing.join_next().await.is_some() {}
}

/// Whoever waits hears that the queue has moved.
pub(crate) async fn tell_positions(app: &AppState) {
    match app.store.queue().await {
        Ok(queue) => {
            for (position, (id, _)) in (0_u32..).zip(queue) {
                // One that was cancelled since has no log any more.
                if let Some(log) = app.jobs.logs.get(&id) {
                    log.publish(GenerationEvent::Queued { position });
                }
            }
        }
        Err(error) => tracing::error!(%error, "cannot tell the positions in the queue"),
    }
}

/// Why a drawing ended without the engine saying so.
enum Interruption {
    /// The server is closing; the generation stays stored as running.
    Closing,
    /// It had been cancelled, and all is said already.
    Ended,
    /// In words.
    Failed(String),
}

impl<E: std::error::Error> From<E> for Interruption {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

async fn draw_to_the_end(app: &AppState, claimed: ClaimedGeneration) {
    let id = claimed.generation.id.clone();
    let started = Instant::now();
    let token = CancelToken::default();
    app.jobs.running().insert(id.clone(), token.clone());
    if app.jobs.is_closing() {
        token.cancel();
    }
    // A panic must not leave the generation running for ever.
    let drawn = AssertUnwindSafe(draw(app, &claimed, &token))
        .catch_unwind()
        .await;
    app.jobs.running().remove(&id);
    let state = match drawn {
        Ok(Ok(())) => FinalState::Done,
        Ok(Err(Interruption::Closing | Interruption::Ended)) => return,
        Ok(Err(Interruption::Failed(why))) => FinalState::Failed(why),
        Err(_) => FinalState::Failed("The server made a mistake while drawing.".into()),
    };
    if let FinalState::Failed(why) = &state {
        tracing::error!(generation = %id, why, "a generation failed");
    }
    let outcome = if state == FinalState::Done {
        "done"
    } else {
        "failed"
    };
    metrics::counter!("predilect_generations_total", "outcome" => outcome).increment(1);
    metrics::histogram!("predilect_generation_seconds").record(started.elapsed().as_secs_f64());
    if let Err(error) = app.jobs.end_generation(&app.store, &id, state).await {
        tracing::error!(generation = %id, %error, "the end of a generation could not be stored");
    }
}

async fn draw(
    app: &AppState,
    claimed: &ClaimedGeneration,
    token: &CancelToken,
) -> Result<(), Interruption> {
    let generation = &claimed.generation;
    // Whoever cancelled it since it was claimed has closed its log.
    let log = app
        .jobs
        .logs
        .get(&generation.id)
        .ok_or(Interruption::Ended)?;
    log.publish_first(GenerationEvent::Queued { position: 0 });
    // What an earlier life of this server finished is kept and not drawn again.
    let missing: Vec<u32> = (0..generation.count)
        .filter(|index| generation.images.iter().all(|image| image.index != *index))
        .collect();
    for image in &generation.images {
        log.publish(GenerationEvent::Image {
            image: image.clone(),
        });
    }
    if missing.is_empty() {
        return Ok(());
    }
    let (tell, mut told) = mpsc::unbounded_channel();
    let job = GenerateJob {
        prompt: generation.prompt.clone(),
        seeds: missing
            .iter()
            .map(|index| u64::from(seed_of(generation.seed, *index)))
            .collect(),
        steps: generation.steps,
        guidance: generation.guidance,
        taste: Taste::Blend(preferences(app, claimed).await?),
        strength: generation.strength,
        tells_steps: true,
        cancel: token.clone(),
    };
    // The engine's thread only hands events over; a receiver that is gone has lost interest.
    app.engine
        .generate(job, Box::new(move |event| drop(tell.send(event))))?;
    let mut pace = Pace::new(missing.len());
    while let Some(event) = told.recv().await {
        match event {
            GenerateEvent::Step {
                image,
                step,
                steps,
                preview,
            } => {
                let preview = off_thread(move || png_data_url(&preview)).await??;
                let eta_ms = pace.after_step(steps);
                log.publish(GenerationEvent::Step {
                    image: missing[image],
                    step,
                    steps,
                    preview,
                    eta_ms,
                });
            }
            GenerateEvent::Image { image, picture } => {
                let stored = keep(app, claimed, &log, missing[image], picture).await;
                if stored.is_err() {
                    token.cancel();
                }
                stored?;
            }
            GenerateEvent::Done => return Ok(()),
            GenerateEvent::Cancelled if app.jobs.is_closing() => return Err(Interruption::Closing),
            GenerateEvent::Cancelled => return Err(Interruption::Ended),
            GenerateEvent::Failed(why) => return Err(Interruption::Failed(why)),
        }
    }
    Err(Interruption::Failed(
        "The model stopped before the picture was finished.".into(),
    ))
}

/// Writes the picture, stores it, and only then tells of it.
async fn keep(
    app: &AppState,
    claimed: &ClaimedGeneration,
    log: &EventLog,
    index: u32,
    picture: RgbImage,
) -> Result<(), Interruption> {
    let generation = &claimed.generation;
    let id = ImageId(uuid::Uuid::new_v4().to_string());
    let seed = seed_of(generation.seed, index);
    let (width, height) = picture.dimensions();
    let texts = picture_text::of(generation, &claimed.blend, seed, &app.engine.info().hash);
    let png = off_thread(move || encode_png(&picture, &texts)).await??;
    app.files.put(&id, png).await?;
    let url = format!("/api/v1/images/{id}");
    let new = NewImage {
        image: Image {
            id,
            index,
            seed,
            width,
            height,
            url,
            favourite: false,
        },
        model_hash: app.engine.info().hash.clone(),
        event: log.reserve(),
    };
    if app.store.add_image(&generation.id, &new).await? {
        log.publish_as(new.event, GenerationEvent::Image { image: new.image });
        return Ok(());
    }
    // Cancelled meanwhile: nothing will ever refer to the file.
    app.files.remove(&new.image.id).await?;
    Err(Interruption::Ended)
}

/// The embeddings of every profile in the blend. The sets of a profile share its weight evenly.
async fn preferences(
    app: &AppState,
    claimed: &ClaimedGeneration,
) -> Result<Vec<(PreferenceEmbedding, f32)>, Interruption> {
    let mut preferences = vec![];
    for part in claimed.blend.iter().filter(|part| part.weight > 0.0) {
        let stored = app
            .store
            .embeddings(&predilect_api::ProfileId(part.profile_id.clone()))
            .await?;
        let stored: Vec<_> = stored
            .into_iter()
            .filter(|embedding| embedding.created_at <= claimed.asked_at)
            .collect();
        if stored.is_empty() {
            return Err(Interruption::Failed(format!(
                "The profile “{}” was deleted before its turn came.",
                part.profile_name
            )));
        }
        if stored
            .iter()
            .any(|embedding| embedding.model_hash != app.engine.info().hash)
        {
            return Err(Interruption::Failed(other_model(&part.profile_name)));
        }
        let weight = part.weight as f32 / stored.len() as f32;
        for embedding in stored {
            preferences.push((PreferenceEmbedding::from_bytes(&embedding.bytes)?, weight));
        }
    }
    Ok(preferences)
}

/// Why a profile can't be drawn for by the model that runs now.
pub(crate) fn other_model(profile_name: &str) -> String {
    format!(
        "The profile “{profile_name}” was read by other weights than those that run now, and \
         means nothing to them. Choose again to make a new profile."
    )
}

/// Picture `index` takes the seed that many after the first, going round at the end.
fn seed_of(first: u32, index: u32) -> u32 {
    first.wrapping_add(index)
}

/// What a follower hears of a failure.
pub(super) fn problem(why: &str) -> Problem {
    Problem {
        kind: "urn:predilect:problem:generation-failed".into(),
        title: "Generation failed".into(),
        status: 500,
        detail: why.into(),
        errors: vec![],
        missing: None,
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}

/// Estimates the time left from the steps done so far.
struct Pace {
    started: Instant,
    images: u32,
    done: u32,
}

impl Pace {
    fn new(images: usize) -> Self {
        Self {
            started: Instant::now(),
            images: u32::try_from(images).unwrap_or(u32::MAX),
            done: 0,
        }
    }

    /// Counts a step of a picture that takes `steps`; returns the milliseconds that all
    /// pictures will still take at this pace.
    fn after_step(&mut self, steps: u32) -> u64 {
        self.done += 1;
        let left = self.images.saturating_mul(steps).saturating_sub(self.done);
        let rest = self.started.elapsed() * left / self.done;
        u64::try_from(rest.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_follow_each_other_and_go_round() {
        assert_eq!(seed_of(7, 0), 7);
        assert_eq!(seed_of(u32::MAX, 1), 0);
    }

    #[test]
    fn no_time_is_left_after_the_last_step() {
        let mut pace = Pace::new(2);
        let estimates: Vec<_> = (0..4).map(|_| pace.after_step(2)).collect();
        assert_eq!(estimates[3], 0);
    }
}
