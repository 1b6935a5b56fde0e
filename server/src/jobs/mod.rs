//! The work behind the requests. Every job is stored before it is acknowledged, so the
//! store is the queue; what is here only wakes whoever works on it.

mod discarded;
pub mod events;
mod generations;
mod readings;

pub(crate) use discarded::remove_discarded;
pub(crate) use generations::{other_model, tell_positions};

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use predilect_api::{GenerationEvent, GenerationId};
use predilect_model::engine::CancelToken;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use self::events::EventLogs;
use crate::{
    app::AppState,
    store::{FinalState, Store},
};

/// Wakes the workers, tells of their progress and stops them.
#[derive(Default)]
pub struct Jobs {
    /// The event streams of unfinished generations.
    pub logs: EventLogs,
    generation_queued: Notify,
    set_completed: Notify,
    running: Mutex<HashMap<GenerationId, CancelToken>>,
    closing: watch::Sender<bool>,
}

impl Jobs {
    /// A generation was stored as queued.
    pub fn generation_queued(&self) {
        self.generation_queued.notify_one();
    }

    /// A set of choices was stored as complete.
    pub fn set_completed(&self) {
        self.set_completed.notify_one();
    }

    /// Stops all workers: running generations stop at their next step and stay stored as
    /// running, so that the next start queues them again.
    pub fn close(&self) {
        self.closing.send_replace(true);
        for token in self.running().values() {
            token.cancel();
        }
    }

    /// Resolves once [`Self::close`] was called.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut closing = self.closing.subscribe();
        async move {
            // An error means that the jobs are gone, which is closed as well.
            let _ = closing.wait_for(|closing| *closing).await;
        }
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Ends a generation in the store, then tells its followers; false when it had ended
    /// before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_generation(
        &self,
        store: &Store,
        id: &GenerationId,
        state: FinalState,
    ) -> sqlx::Result<bool> {
        let Some(log) = self.logs.get(id) else {
            return Ok(false);
        };
        let event = log.reserve();
        if !store.finish_generation(id, &state, event).await? {
            return Ok(false);
        }
        if let Some(token) = self.running().get(id) {
            token.cancel();
        }
        log.publish_as(event, final_event(&state));
        self.logs.close(id);
        Ok(true)
    }

    /// Stops a generation that is stored no more, and ends the streams of its followers.
    pub fn discard_generation(&self, id: &GenerationId) {
        if let Some(token) = self.running().get(id) {
            token.cancel();
        }
        if let Some(log) = self.logs.get(id) {
            log.publish(GenerationEvent::Cancelled);
        }
        self.logs.close(id);
    }

    fn running(&self) -> MutexGuard<'_, HashMap<GenerationId, CancelToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event that tells how a generation ended.
#[must_use]
pub fn final_event(state: &FinalState) -> GenerationEvent {
    match state {
        FinalState::Done => GenerationEvent::Done,
        FinalState::Cancelled => GenerationEvent::Cancelled,
        FinalState::Failed(why) => GenerationEvent::Failed {
            problem: generations::problem(why),
        },
    }
}

/// Puts interrupted work back and starts the workers. They stop after [`Jobs::close`].
///
/// # Errors
/// When the database fails.
pub async fn start(app: &AppState) -> sqlx::Result<JoinSet<()>> {
    let requeued = app.store.requeue_interrupted().await?;
    if requeued > 0 {
        tracing::info!(
            requeued,
            "generations of an earlier run are back in the queue"
        );
    }
    remove_discarded(app).await?;
    for (id, base) in app.store.queue().await? {
        app.jobs.logs.open(&id, base);
    }
    let mut workers = JoinSet::new();
    workers.spawn(generations::run(app.clone()));
    workers.spawn(readings::run(app.clone()));
    Ok(workers)
}
