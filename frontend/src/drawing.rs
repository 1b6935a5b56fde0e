//! A generation as the page follows it, event by event.

use predilect_api::{Generation, GenerationEvent, GenerationState, Image};

/// A generation and what its stream has shown of it so far. Applying an event again, as a
/// replay does, changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawing {
    pub(crate) generation: Generation,
    /// The newest preview per picture, as data URLs.
    previews: Vec<Option<String>>,
    /// The newest step and how many there are; `None` before the first.
    pub(crate) step: Option<(u32, u32)>,
    /// Milliseconds until the whole generation is done.
    pub(crate) eta_ms: Option<u64>,
    /// False while the stream is lost.
    pub(crate) connected: bool,
}

/// One picture of a generation, as far as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Picture {
    Blank,
    Preview(String),
    Finished(Image),
}

impl Drawing {
    pub(crate) fn new(generation: Generation) -> Self {
        let previews = vec![None; generation.count as usize];
        Self {
            generation,
            previews,
            step: None,
            eta_ms: None,
            connected: true,
        }
    }

    /// Takes in one event.
    pub(crate) fn apply(&mut self, event: GenerationEvent) {
        let generation = &mut self.generation;
        match event {
            GenerationEvent::Queued { position } => {
                generation.state = GenerationState::Queued;
                generation.position = Some(position);
            }
            GenerationEvent::Step {
                image,
                step,
                steps,
                preview,
                eta_ms,
            } => {
                generation.state = GenerationState::Running;
                generation.position = None;
                self.step = Some((step, steps));
                self.eta_ms = Some(eta_ms);
                if let Some(place) = self.previews.get_mut(image as usize) {
                    *place = Some(preview);
                }
            }
            GenerationEvent::Image { image } => {
                generation.images.retain(|known| known.index != image.index);
                generation.images.push(image);
                generation.images.sort_by_key(|known| known.index);
            }
            GenerationEvent::Done => generation.state = GenerationState::Done,
            GenerationEvent::Failed { problem } => {
                generation.state = GenerationState::Failed;
                generation.failure = Some(problem.detail);
            }
            GenerationEvent::Cancelled => generation.state = GenerationState::Cancelled,
        }
    }

    /// Takes in the server's whole answer about this generation.
    pub(crate) fn refresh(&mut self, generation: Generation) {
        self.generation = generation;
    }

    pub(crate) fn is_final(&self) -> bool {
        self.generation.state.is_final()
    }

    pub(crate) fn pictures(&self) -> Vec<Picture> {
        (0_u32..)
            .zip(&self.previews)
            .map(|(index, preview)| {
                match (
                    self.generation
                        .images
                        .iter()
                        .find(|image| image.index == index),
                    preview,
                ) {
                    (Some(image), _) => Picture::Finished(image.clone()),
                    // What was never finished is not shown as if it were a result.
                    (None, Some(preview)) if !self.is_final() => Picture::Preview(preview.clone()),
                    (None, _) => Picture::Blank,
                }
            })
            .collect()
    }

    /// Where it stands, in words.
    pub(crate) fn status(&self) -> String {
        if !self.connected && !self.is_final() {
            return "The connection was lost. Connecting again…".into();
        }
        match self.generation.state {
            GenerationState::Queued => match self.generation.position {
                None | Some(0) => "Starting…".into(),
                Some(1) => "Waiting: one generation is before yours".into(),
                Some(before) => format!("Waiting: {before} generations are before yours"),
            },
            GenerationState::Running => match (self.step, self.eta_ms) {
                (Some((step, steps)), Some(eta_ms)) => {
                    format!("Step {step} of {steps} · {}", time_left(eta_ms))
                }
                _ => "Drawing…".into(),
            },
            GenerationState::Done => "Finished".into(),
            GenerationState::Cancelled => "Cancelled. Change the prompt or generate again.".into(),
            GenerationState::Failed => self
                .generation
                .failure
                .clone()
                .unwrap_or_else(|| "It failed.".into()),
        }
    }

    /// What a screen reader is told: the phases, not every step.
    pub(crate) fn phase(&self) -> String {
        match self.generation.state {
            GenerationState::Running if self.connected => "Drawing your picture".into(),
            GenerationState::Done => {
                format!("Your picture is finished: {}", self.generation.prompt)
            }
            _ => self.status(),
        }
    }
}

fn time_left(milliseconds: u64) -> String {
    match milliseconds.div_ceil(1000) {
        0 | 1 => "almost there".into(),
        seconds @ 2..90 => format!("about {seconds} s left"),
        seconds => format!("about {} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use predilect_api::{GenerationId, ImageId};

    /// A queued generation of one picture.
    pub(crate) fn queued() -> Generation {
        Generation {
            id: GenerationId("g".into()),
            state: GenerationState::Queued,
            prompt: "a red fox".into(),
            prompt_read: None,
            seed: 7,
            count: 1,
            steps: 20,
            guidance: 4.0,
            strength: 1.0,
            profiles: vec![],
            images: vec![],
            position: Some(0),
            failure: None,
            created_at: "2026-11-23T00:00:00Z".into(),
        }
    }

    pub(crate) fn step(step: u32) -> GenerationEvent {
        GenerationEvent::Step {
            image: 0,
            step,
            steps: 20,
            preview: format!("data:{step}"),
            eta_ms: 4200,
        }
    }

    pub(crate) fn finished() -> Image {
        Image {
            id: ImageId("i".into()),
            index: 0,
            seed: 7,
            width: 128,
            height: 128,
            url: "/api/v1/images/i".into(),
            favourite: false,
        }
    }

    #[test]
    fn steps_show_the_newest_preview_and_the_time_left() {
        let mut drawing = Drawing::new(queued());
        drawing.apply(step(4));
        drawing.apply(step(5));
        assert_eq!(drawing.pictures(), [Picture::Preview("data:5".into())]);
        assert_eq!(drawing.status(), "Step 5 of 20 · about 5 s left");
    }

    #[test]
    fn a_replay_changes_nothing() {
        let mut drawing = Drawing::new(queued());
        let events = [
            step(20),
            GenerationEvent::Image { image: finished() },
            GenerationEvent::Done,
        ];
        events
            .iter()
            .cloned()
            .for_each(|event| drawing.apply(event));
        let once = drawing.clone();
        events.into_iter().for_each(|event| drawing.apply(event));
        assert_eq!(drawing, once);
        assert_eq!(drawing.pictures(), [Picture::Finished(finished())]);
    }

    #[test]
    fn a_cancelled_preview_is_not_shown_as_a_result() {
        let mut drawing = Drawing::new(queued());
        drawing.apply(step(3));
        drawing.apply(GenerationEvent::Cancelled);
        assert_eq!(drawing.pictures(), [Picture::Blank]);
    }

    #[test]
    fn a_lost_stream_is_said_until_the_generation_ends() {
        let mut drawing = Drawing::new(queued());
        drawing.connected = false;
        assert!(drawing.status().contains("Connecting again"));
        drawing.apply(GenerationEvent::Done);
        assert_eq!(drawing.status(), "Finished");
    }

    #[test]
    fn the_time_left_is_rounded_to_what_can_be_known() {
        assert_eq!(time_left(300), "almost there");
        assert_eq!(time_left(12_300), "about 13 s left");
        assert_eq!(time_left(100_000), "about 2 min left");
    }
}
