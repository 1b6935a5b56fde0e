//! Asking the engine and waiting for its answer.
use std::path::PathBuf;
use std::sync::mpsc::channel;

use image::RgbImage;

use crate::data::DataError;
use crate::engine::{CancelToken, Engine, EngineError, GenerateEvent, GenerateJob, Taste};
use crate::preference::conversation::PreferencePair;
use crate::preference::embedding::PreferenceEmbedding;
use crate::preference::pair_bank::PairBankError;
use crate::training::TrainError;
use crate::weights::WeightsError;

/// Why an evaluation did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The engine refused or stopped.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A drawing failed.
    #[error("the model could not draw {prompt:?}: {reason}")]
    Drawing {
        /// What was to be drawn.
        prompt: String,
        /// What the engine said.
        reason: String,
    },
    /// The artwork cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The judge cannot be read.
    #[error("{0}. Train it first: predilect train judge")]
    Judge(WeightsError),
    /// The latent encoder or what draws from its latents cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The judge was trained on another set.
    #[error(
        "the judge does not know the subject {0}: train it on this set with predilect train judge"
    )]
    UnknownSubject(String),
    /// Distances need pictures on both sides.
    #[error("the set has {0} subjects to compare, two are needed on both sides of the split")]
    TooFewSubjects(usize),
    /// A sheet cannot be written.
    #[error(transparent)]
    Sheet(#[from] TrainError),
    /// A report cannot be written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The pair bank cannot be written.
    #[error(transparent)]
    PairBank(#[from] PairBankError),
    /// Comparing needs somebody else.
    #[error("this needs at least two people, the file has {0}")]
    TooFewPeople(usize),
    /// The pictures differ too little to choose between.
    #[error("{0}")]
    TooAlike(String),
}

/// A picture to be drawn: what, from which seed, and for whom.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to draw.
    pub prompt: String,
    /// The pictures' seeds.
    pub seeds: Vec<u64>,
    /// The taste to draw for.
    pub taste: Taste,
}

/// Draws all requests with the model's defaults; a list of pictures a request, in the order of
/// its seeds.
///
/// # Errors
/// When the engine has stopped or a drawing fails.
pub fn draw(
    engine: &Engine,
    requests: Vec<Request>,
) -> Result<Vec<Vec<RgbImage>>, EvaluationError> {
    let (sender, events) = channel();
    let (mut open, info) = (requests.len(), engine.info());
    let prompts: Vec<String> = requests.iter().map(|r| r.prompt.clone()).collect();
    let mut pictures: Vec<Vec<Option<RgbImage>>> =
        requests.iter().map(|r| vec![None; r.seeds.len()]).collect();
    for (number, request) in requests.into_iter().enumerate() {
        let job = GenerateJob {
            prompt: request.prompt,
            seeds: request.seeds,
            steps: info.default_steps,
            guidance: info.default_guidance,
            taste: request.taste,
            strength: 1.0,
            tells_steps: false,
            cancel: CancelToken::default(),
        };
        let sender = sender.clone();
        engine.generate(
            job,
            // The receiver is gone only when this evaluation has failed already.
            Box::new(move |event| drop(sender.send((number, event)))),
        )?;
    }
    drop(sender);
    while open > 0 {
        let (number, event) = events.recv().map_err(|_| EngineError::Stopped)?;
        match event {
            GenerateEvent::Image { image, picture } => pictures[number][image] = Some(picture),
            GenerateEvent::Done => open -= 1,
            GenerateEvent::Step { .. } => {}
            GenerateEvent::Cancelled => return Err(EngineError::Stopped.into()),
            GenerateEvent::Failed(reason) => {
                return Err(EvaluationError::Drawing {
                    prompt: prompts[number].clone(),
                    reason,
                });
            }
        }
    }
    Ok(pictures
        .into_iter()
        .map(|list| list.into_iter().flatten().collect())
        .collect())
}

/// Reads choices into an embedding.
///
/// # Errors
/// When the engine has stopped or cannot read the pairs.
pub fn embed(
    engine: &Engine,
    pairs: Vec<PreferencePair>,
) -> Result<PreferenceEmbedding, EvaluationError> {
    let (sender, answer) = channel();
    engine.embed(
        pairs,
        Box::new(move |embedding| drop(sender.send(embedding))),
    )?;
    Ok(answer.recv().map_err(|_| EngineError::Stopped)??)
}
