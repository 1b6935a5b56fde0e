//! The event streams of generations that are queued or running.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{Stream, stream};
use predilect_api::{GenerationEvent, GenerationId};
use tokio::sync::watch;

/// An event with its number.
pub type Numbered = (u64, GenerationEvent);

/// What one generation told so far, without what later events made stale: of the
/// previews of a picture only the newest is kept, so that a slow reader and a replay
/// both skip the old ones.
pub struct EventLog {
    written: Mutex<Written>,
    /// The number of the newest event.
    newest: watch::Sender<u64>,
}

struct Written {
    last_id: u64,
    events: Vec<Numbered>,
}

impl EventLog {
    fn new(base: u64) -> Self {
        Self {
            written: Mutex::new(Written {
                last_id: base,
                events: vec![],
            }),
            newest: watch::Sender::new(base),
        }
    }

    /// A log of what is over, as the store remembers it.
    #[must_use]
    pub fn ended(events: Vec<Numbered>) -> Self {
        let last_id = events.last().map_or(0, |(id, _)| *id);
        Self {
            written: Mutex::new(Written { last_id, events }),
            newest: watch::Sender::new(last_id),
        }
    }

    /// Takes the next number, for an event that is stored before it is told.
    pub fn reserve(&self) -> u64 {
        let mut written = self.lock();
        written.last_id += 1;
        written.last_id
    }

    /// Tells an event under a number taken before.
    pub fn publish_as(&self, id: u64, event: GenerationEvent) {
        {
            let mut written = self.lock();
            if let Some((_, last)) = written.events.last()
                && (last.is_final() || *last == event)
            {
                return;
            }
            written.events.retain(|(_, old)| !supersedes(&event, old));
            written.events.push((id, event));
        }
        self.newest.send_replace(id);
    }

    /// Tells an event.
    pub fn publish(&self, event: GenerationEvent) {
        self.publish_as(self.reserve(), event);
    }

    /// Tells an event unless something was told before.
    pub fn publish_first(&self, event: GenerationEvent) {
        let nothing_told = self.lock().events.is_empty();
        if nothing_told {
            self.publish(event);
        }
    }

    /// Whether everything up to `id` includes the last event there will be.
    #[must_use]
    pub fn is_over_at(&self, id: u64) -> bool {
        self.lock()
            .events
            .last()
            .is_some_and(|(last, event)| event.is_final() && *last <= id)
    }

    /// The events after number `after`, as they come; ends after the final one.
    pub fn follow(self: Arc<Self>, after: u64) -> impl Stream<Item = Numbered> + Send {
        let follower = Follower {
            newest: self.newest.subscribe(),
            log: self,
            last: after,
            ready: VecDeque::new(),
        };
        stream::unfold(follower, |mut follower| async {
            follower.next().await.map(|event| (event, follower))
        })
    }

    fn after(&self, id: u64) -> VecDeque<Numbered> {
        self.lock()
            .events
            .iter()
            .filter(|(event_id, _)| *event_id > id)
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        // Nothing in here panics half-way through a change, so a poisoned log is whole.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Follower {
    log: Arc<EventLog>,
    newest: watch::Receiver<u64>,
    last: u64,
    ready: VecDeque<Numbered>,
}

impl Follower {
    async fn next(&mut self) -> Option<Numbered> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.last = event.0;
                return Some(event);
            }
            if self.log.is_over_at(self.last) {
                return None;
            }
            self.newest.borrow_and_update();
            self.ready = self.log.after(self.last);
            if self.ready.is_empty() {
                self.newest.changed().await.ok()?;
            }
        }
    }
}

fn supersedes(new: &GenerationEvent, old: &GenerationEvent) -> bool {
    use GenerationEvent::{Image, Queued, Step};
    match (new, old) {
        (Queued { .. }, Queued { .. }) => true,
        (Step { image: new, .. }, Step { image: old, .. }) => new == old,
        (Image { image: new }, Step { image: old, .. }) => new.index == *old,
        _ => false,
    }
}

/// The logs of every unfinished generation.
#[derive(Default)]
pub struct EventLogs {
    open: Mutex<HashMap<GenerationId, Arc<EventLog>>>,
}

impl EventLogs {
    /// The log of an unfinished generation, opened above `base` if it is not there yet.
    pub fn open(&self, id: &GenerationId, base: u64) -> Arc<EventLog> {
        let mut open = self.lock();
        open.entry(id.clone())
            .or_insert_with(|| Arc::new(EventLog::new(base)))
            .clone()
    }

    /// The log of a generation, if it is unfinished.
    #[must_use]
    pub fn get(&self, id: &GenerationId) -> Option<Arc<EventLog>> {
        self.lock().get(id).cloned()
    }

    /// Lets go of a log whose end is stored; those who follow it keep it until they are done.
    pub fn close(&self, id: &GenerationId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GenerationId, Arc<EventLog>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use predilect_api::{Image, ImageId};

    use super::*;

    fn step(image: u32, step: u32) -> GenerationEvent {
        GenerationEvent::Step {
            image,
            step,
            steps: 3,
            preview: String::new(),
            eta_ms: 0,
        }
    }

    fn image(index: u32) -> GenerationEvent {
        let (id, url) = (ImageId("i".into()), String::new());
        GenerationEvent::Image {
            image: Image {
                id,
                index,
                seed: 0,
                width: 1,
                height: 1,
                url,
                favourite: false,
            },
        }
    }

    fn drawn() -> Arc<EventLog> {
        let log = Arc::new(EventLog::new(0));
        for event in [
            GenerationEvent::Queued { position: 0 },
            step(0, 1),
            step(1, 1),
            step(0, 2),
            image(1),
            GenerationEvent::Done,
        ] {
            log.publish(event);
        }
        log
    }

    #[tokio::test]
    async fn a_replay_has_only_the_newest_preview_of_each_picture() {
        let events: Vec<_> = drawn().follow(0).collect().await;
        let ids: Vec<_> = events.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [1, 4, 5, 6]);
        assert_eq!(events[1].1, step(0, 2));
    }

    #[tokio::test]
    async fn a_replay_starts_after_the_last_event_seen() {
        let ids: Vec<_> = drawn().follow(4).map(|(id, _)| id).collect().await;
        assert_eq!(ids, [5, 6]);
        assert!(drawn().is_over_at(6));
        assert_eq!(drawn().follow(6).count().await, 0);
    }

    #[tokio::test]
    async fn a_follower_hears_what_comes_later() {
        let log = Arc::new(EventLog::new(10));
        let mut events = Box::pin(log.clone().follow(0));
        log.publish(step(0, 1));
        assert_eq!(events.next().await, Some((11, step(0, 1))));
        let (heard, ()) = tokio::join!(events.next(), async { log.publish(GenerationEvent::Done) });
        assert_eq!(heard, Some((12, GenerationEvent::Done)));
        assert_eq!(events.next().await, None);
    }

    #[test]
    fn nothing_is_told_after_the_end() {
        let log = drawn();
        log.publish(GenerationEvent::Cancelled);
        assert!(log.is_over_at(6));
    }
}
