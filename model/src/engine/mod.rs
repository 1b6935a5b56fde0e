//! The engine: one OS thread owns the device and the networks; everyone else speaks to it
//! through a handle. Requests share the device from step to step.
//!
//! libtorch leaks per thread when driven from a pool of threads, and `no_grad` is a
//! thread's own, so nothing else may touch a tensor.

mod offload;
mod preview;
mod worker;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};

use image::RgbImage;
use tch::{Device, Kind};

use crate::device::{DeviceChoice, DeviceError, DtypeChoice, set_threads};
use crate::memory::TooLarge;
use crate::pipeline::{Pipeline, PipelineError, PromptReader};
use crate::preference::conversation::PreferencePair;
use crate::preference::embedding::{EmbeddingError, PreferenceEmbedder, PreferenceEmbedding};
use crate::refusal::{self, Refusal};
use crate::weights::{Component, ModelCard, ModelFolder, UNetSize, WeightsError};
use preview::LatentView;

/// Most pictures that share one step, where nothing else is said.
pub const DEFAULT_MAX_BATCH: usize = 16;

/// What an engine is started with.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The model folder.
    pub model_dir: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// In which dtype.
    pub dtype: DtypeChoice,
    /// CPU threads of one operation; all cores where not said.
    pub threads: Option<i32>,
    /// Most pictures that share one step.
    pub max_batch: usize,
    /// Keeps weights in the CPU's memory, and on the device only those of what is run.
    pub offload: bool,
    /// Which of a published model's two sizes to take.
    pub unet_size: UNetSize,
    /// What whoever starts the engine can lower.
    pub memory_advice: MemoryAdvice,
}

/// What to try where memory is lacking: the end of the sentence that says so. Only who starts an
/// engine knows by which settings it may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryAdvice {
    /// Where the weights have no room.
    pub weights: &'static str,
    /// Where memory runs out while loading, drawing or reading.
    pub work: &'static str,
}

impl Default for MemoryAdvice {
    fn default() -> Self {
        Self {
            weights: "a smaller model",
            work: "a smaller model",
        }
    }
}

impl EngineConfig {
    /// The folder's model on whatever device there is.
    pub fn new(model_dir: impl Into<PathBuf>) -> Self {
        Self {
            model_dir: model_dir.into(),
            device: DeviceChoice::Auto,
            dtype: DtypeChoice::Auto,
            threads: None,
            max_batch: DEFAULT_MAX_BATCH,
            offload: false,
            unet_size: UNetSize::default(),
            memory_advice: MemoryAdvice::default(),
        }
    }
}

/// What can go wrong with an engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The device cannot be had.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model folder is not whole.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The drawing networks cannot be loaded, or a prompt not be read.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The vision-language model cannot be loaded, or refuses its input.
    #[error(transparent)]
    Embedding(#[from] EmbeddingError),
    /// The networks need more memory than there is; what to try.
    #[error("{0}: try {1}")]
    TooLarge(TooLarge, &'static str),
    /// There is not enough memory; what to try.
    #[error("{memory}: try {0}", memory = Refusal::Memory)]
    Memory(&'static str),
    /// libtorch refused something, in its own words.
    #[error("libtorch refuses: {0}")]
    Refused(String),
    /// Preferences were given to a model that has no preference attention.
    #[error("this model has no preference adapter, so it draws without profiles only")]
    NoAdapter,
    /// A preference embedding is of another model.
    #[error("the preference embedding is {found:?}, this model's are {expected:?}")]
    ForeignEmbedding {
        /// Its layers and size.
        found: Vec<i64>,
        /// The adapter's.
        expected: Vec<i64>,
    },
    /// The operating system gave no thread.
    #[error("the engine's thread did not start: {0}")]
    Thread(std::io::Error),
    /// The engine's thread is gone.
    #[error("the engine has stopped")]
    Stopped,
}

impl EngineError {
    /// What libtorch refused, with what to try where it is memory.
    fn refused(refusal: Refusal, advice: MemoryAdvice) -> Self {
        match refusal {
            Refusal::Memory => Self::Memory(advice.work),
            Refusal::Operation(reason) => Self::Refused(reason),
        }
    }
}

/// What a started engine says of its model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// The model's name.
    pub name: String,
    /// SHA-256 (hexadecimal) of the weights.
    pub hash: String,
    /// The same of those alone that draw a picture for nobody's taste.
    pub drawing_hash: String,
    /// Side of a picture in pixels.
    pub picture_size: u32,
    /// Steps of the prior where a request names none.
    pub default_steps: u32,
    /// Most steps of the prior.
    pub max_steps: u32,
    /// Guidance where a request names none.
    pub default_guidance: f32,
    /// Longest prompt, in characters.
    pub max_prompt_chars: usize,
    /// Most tokens of a prompt that are read, its start and end left out.
    pub max_prompt_tokens: usize,
    /// The device and dtype in words.
    pub device: String,
    /// Numbers in all networks.
    pub parameters: u64,
    /// Numbers in its preference adapter; without one it draws the base model only.
    pub preference_adapter: Option<u64>,
}

/// Pictures of one prompt.
#[derive(Debug, Clone)]
pub struct GenerateJob {
    /// What to draw.
    pub prompt: String,
    /// A seed for each picture.
    pub seeds: Vec<u64>,
    /// Steps of the prior.
    pub steps: u32,
    /// Guidance scale; 1 is without.
    pub guidance: f32,
    /// Whose taste to draw for.
    pub taste: Taste,
    /// Strength of the preference, 0 = off.
    pub strength: f32,
    /// Whether each step is told, with a preview. At the decoder's steps a preview costs as much
    /// as the last stage of a picture.
    pub tells_steps: bool,
    /// Ends the job before its next step.
    pub cancel: CancelToken,
}

/// Whose taste a picture is drawn for.
#[derive(Debug, Clone)]
pub enum Taste {
    /// Nobody's: the base model.
    Base,
    /// Everybody's at once: what the preference attention learned from all people together,
    /// without being told who they are.
    Population,
    /// Of these embeddings by their weights, which are normalised; of none it is the base.
    Blend(Vec<(PreferenceEmbedding, f32)>),
}

impl Taste {
    /// Whether there is nothing to follow.
    fn is_nobodys(&self) -> bool {
        match self {
            Self::Base => true,
            Self::Population => false,
            Self::Blend(preferences) => preferences.is_empty(),
        }
    }
}

/// What happens to a job, in order; the last is `Done`, `Cancelled` or `Failed`.
#[derive(Debug, Clone)]
pub enum GenerateEvent {
    /// A picture is one step further.
    Step {
        /// Which of the job's pictures.
        image: usize,
        /// Steps done, of prior and decoder together.
        step: u32,
        /// Steps in all.
        steps: u32,
        /// What it is going to be, smaller than the picture.
        preview: RgbImage,
    },
    /// A picture is finished.
    Image {
        /// Which of the job's pictures.
        image: usize,
        /// The picture.
        picture: RgbImage,
    },
    /// All pictures are finished.
    Done,
    /// The job's token was cancelled.
    Cancelled,
    /// The job cannot be done, in words.
    Failed(String),
}

/// Tells a job to end; clones share the state.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks for the end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Hears of a job's events, on the engine's thread: it has to be quick.
pub type OnEvent = Box<dyn FnMut(GenerateEvent) + Send>;
/// Hears of an embedding, on the engine's thread.
pub type OnEmbedding = Box<dyn FnOnce(Result<PreferenceEmbedding, EngineError>) + Send>;

enum Command {
    Generate(GenerateJob, OnEvent),
    Embed(Vec<PreferencePair>, OnEmbedding),
}

/// A handle to the engine; the thread ends with the last one.
#[derive(Clone)]
pub struct Engine {
    commands: Sender<Command>,
    info: Arc<ModelInfo>,
    prompt_reader: PromptReader,
    /// Dropped by the thread as it ends, in whichever way.
    alive: Weak<()>,
}

impl Engine {
    /// Starts the thread and loads the model; returns when it is ready.
    ///
    /// # Errors
    /// When the device is absent or the model folder is not whole.
    pub fn start(config: EngineConfig) -> Result<Self, EngineError> {
        let (commands, receiver) = channel();
        let (ready, loaded) = channel();
        let lives = Arc::new(());
        let alive = Arc::downgrade(&lives);
        let run = move || {
            let _lives = lives;
            if let Some(threads) = config.threads {
                set_threads(threads);
            }
            match worker::Worker::load(&config) {
                Ok((mut worker, info)) => {
                    let reader = worker.prompt_reader();
                    // Whoever asked may be gone; then there are no commands either.
                    if ready.send(Ok((info, reader))).is_ok() {
                        worker.run(&receiver);
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        std::thread::Builder::new()
            .name("engine".into())
            .spawn(run)
            .map_err(EngineError::Thread)?;
        let (info, prompt_reader) = loaded.recv().map_err(|_| EngineError::Stopped)??;
        Ok(Self {
            commands,
            info: Arc::new(info),
            prompt_reader,
            alive,
        })
    }

    /// Whether the thread still takes work.
    pub fn is_running(&self) -> bool {
        self.alive.strong_count() > 0
    }

    /// The beginning of a prompt that the model reads; `None` where it reads all of it.
    ///
    /// # Errors
    /// When the prompt cannot be read at all.
    pub fn beginning_read<'a>(&self, prompt: &'a str) -> Result<Option<&'a str>, EngineError> {
        Ok(self.prompt_reader.beginning(prompt)?)
    }

    /// What the model is and allows.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Hands a job over; its events come to `on_event`.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub fn generate(&self, job: GenerateJob, on_event: OnEvent) -> Result<(), EngineError> {
        let command = Command::Generate(job, on_event);
        self.commands
            .send(command)
            .map_err(|_| EngineError::Stopped)
    }

    /// Hands choices over to be read; the embedding comes to `on_done`.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub fn embed(
        &self,
        pairs: Vec<PreferencePair>,
        on_done: OnEmbedding,
    ) -> Result<(), EngineError> {
        let command = Command::Embed(pairs, on_done);
        self.commands
            .send(command)
            .map_err(|_| EngineError::Stopped)
    }
}

/// The name of the model that an engine would start with, from the weights' headers alone.
///
/// # Errors
/// What would keep an engine from starting, apart from device and memory.
pub fn check(folder: &ModelFolder) -> Result<String, EngineError> {
    let folder = folder.headers_only();
    let (kind, device) = (Kind::Float, Device::Cpu);
    refusal::catch(|| {
        let card = folder.card()?;
        PreferenceEmbedder::load(&folder, kind, device)?;
        let pipeline = Pipeline::load(&folder, &card, kind, device)?;
        LatentView::load(&folder, &pipeline, device)?;
        Ok(card.name)
    })
    .map_err(|refusal| EngineError::refused(refusal, MemoryAdvice::default()))?
}

/// The name, limits and weights' hash of a model folder.
fn describe(
    folder: &ModelFolder,
    card: ModelCard,
    max_prompt_tokens: usize,
    device: String,
) -> Result<ModelInfo, WeightsError> {
    Ok(ModelInfo {
        name: card.name,
        hash: folder.hash()?,
        drawing_hash: folder.drawing_hash()?,
        picture_size: card.sizes.picture as u32,
        default_steps: card.default_steps,
        max_steps: card.max_steps,
        default_guidance: card.default_guidance,
        max_prompt_chars: card.max_prompt_chars,
        max_prompt_tokens,
        device,
        parameters: folder.parameters()?,
        preference_adapter: folder
            .components()
            .find(|c| *c == Component::PreferenceAdapter)
            .map(|adapter| folder.parameters_of(adapter))
            .transpose()?,
    })
}
