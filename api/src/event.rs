use serde::{Deserialize, Serialize};

use crate::{Image, Problem};

/// What `GET /generations/{id}/events` sends.
///
/// Server-sent events are numbered by `id:` and named by `event:`; `data:` is this
/// enum as JSON, whose `type` equals the event's name. After `done`, `failed` or
/// `cancelled` the stream ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GenerationEvent {
    /// Waiting; sent again when the position changes.
    Queued {
        /// Generations to be started before this one.
        position: u32,
    },
    /// A step is done, of the prior or of the decoder after it.
    Step {
        /// Which picture, from 0.
        image: u32,
        /// Steps done for this picture, from 1.
        step: u32,
        /// Steps this picture takes, of prior and decoder together.
        steps: u32,
        /// The picture as it looks now: a `data:image/png;base64,` URL.
        preview: String,
        /// Estimated milliseconds until the whole generation is done.
        eta_ms: u64,
    },
    /// A picture is finished and stored.
    Image {
        /// The picture.
        image: Image,
    },
    /// Every picture is finished.
    Done,
    /// The generation ended without all its pictures.
    Failed {
        /// What happened, and what to do.
        problem: Problem,
    },
    /// The person cancelled it.
    Cancelled,
}

impl GenerationEvent {
    /// The event's name, as in `event:`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Step { .. } => "step",
            Self::Image { .. } => "image",
            Self::Done => "done",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the stream ends after this event.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done | Self::Failed { .. } | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_in_the_data_is_the_name_of_the_event() {
        let events = [
            GenerationEvent::Queued { position: 3 },
            GenerationEvent::Step {
                image: 0,
                step: 1,
                steps: 20,
                preview: "data:image/png;base64,".into(),
                eta_ms: 100,
            },
            GenerationEvent::Done,
            GenerationEvent::Cancelled,
        ];
        for event in events {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["type"], event.name());
            let back: GenerationEvent = serde_json::from_value(json).unwrap();
            assert_eq!(back, event);
        }
    }
}
