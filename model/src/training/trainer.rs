//! The loop that every stage shares: learning rate, checkpoints, progress, metrics, samples.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tch::{Kind, Tensor};

use super::optimizer::copy_from;
use super::{Identity, Optimizer, OptimizerOptions};
use crate::diffusion::Noise;
use crate::memory::TooLarge;
use crate::refusal::Refusal;
use crate::weights::{Checkpoint, Parameter, WeightsError};

/// Why a training stopped without its result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The drawing networks could not be loaded.
    #[error(transparent)]
    Pipeline(#[from] crate::pipeline::PipelineError),
    /// Choices could not be read.
    #[error(transparent)]
    Embedding(#[from] crate::preference::embedding::EmbeddingError),
    /// A file other than weights could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The checkpoint's state does not parse.
    #[error("{path} is no training state: {reason}. Remove the folder to begin again.")]
    State {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// The checkpoint is another training's.
    #[error(
        "{} is of another training ({differences}). Name another folder with --work, or remove {} \
         to begin anew",
        .path.display(), .path.parent().unwrap_or(.path).display()
    )]
    OtherTraining {
        /// The checkpoint.
        path: PathBuf,
        /// In what it is another one.
        differences: String,
    },
    /// The weights need more memory than there is.
    #[error("{0}: try --dtype bf16, or --lite where the folder has both sizes")]
    TooLarge(#[from] TooLarge),
    /// There is not enough memory.
    #[error(
        "{memory}: try a smaller --batch, --dtype bf16 or --device cpu",
        memory = Refusal::Memory
    )]
    Memory,
    /// libtorch refuses an operation, in its own words.
    #[error("libtorch refuses: {0}")]
    Refused(String),
    /// The loss was not a number many times in a row.
    #[error("the gradients were not finite at {0} steps in a row: lower --lr")]
    Diverged(u32),
    /// Something this stage needs is not there yet.
    #[error("{0}")]
    Missing(String),
}

impl From<Refusal> for TrainError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Memory => Self::Memory,
            Refusal::Operation(reason) => Self::Refused(reason),
        }
    }
}

impl TrainError {
    /// Wraps what the operating system says of a file or folder.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// When a training is at its end; the learning rate follows how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// After this many steps.
    Steps(u64),
    /// After this many seconds of stepping.
    Seconds(f64),
}

impl Budget {
    /// How much is used, from 0 to 1.
    fn used(self, state: &State) -> f64 {
        match self {
            Self::Steps(steps) => state.step as f64 / steps.max(1) as f64,
            Self::Seconds(seconds) => state.seconds / seconds.max(1.0),
        }
    }
}

/// How long and how to train.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// Where checkpoints, metrics and sample sheets go.
    pub dir: PathBuf,
    /// How long to train in all, over every continuation.
    pub budget: Budget,
    /// Peak learning rate.
    pub lr: f64,
    /// Steps of linear warm-up; after it the rate falls along a cosine to a tenth.
    pub warmup: u64,
    /// Samples a step, for the rate on the progress line.
    pub batch: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// What the training follows from besides its budget: a checkpoint of another is refused.
    pub identity: Identity,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Steps between sample sheets.
    pub sample_every: u64,
    /// Ends the run early at a checkpoint when set, as Ctrl-C does.
    pub stop: Arc<AtomicBool>,
    /// The optimizer's constants.
    pub optimizer: OptimizerOptions,
}

/// Named numbers of one step, in a fixed order.
pub type Metrics = Vec<(&'static str, f64)>;

/// What a stage is told at each step.
pub struct StepContext {
    /// Steps done before this one.
    pub step: u64,
    /// Random numbers that depend on the seed and the step alone, so that a continued
    /// training is the same as an unbroken one.
    pub noise: Noise,
}

/// One training stage.
pub trait Stage {
    /// Its name in progress lines and files.
    fn name(&self) -> &'static str;

    /// The parameters to train.
    fn parameters(&self) -> Vec<Parameter>;

    /// Parameters that are set before the training and stay as they are. What is trained is of
    /// use with these only, so they are kept in its checkpoints and ship with it.
    fn fixed(&self) -> Vec<Parameter> {
        Vec::new()
    }

    /// The share of the learning rate at which the parameter of this name learns.
    fn lr_scale(&self, _name: &str) -> f64 {
        1.0
    }

    /// The scalar loss of one batch, with whatever else is worth a number.
    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>);

    /// Looks at the result so far, with averaged weights: a sheet into `dir`, and numbers
    /// measured on data held out.
    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError>;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct State {
    stage: String,
    step: u64,
    seconds: f64,
    identity: Identity,
}

/// Trains `stage` to the end of `options.budget`, continuing from the checkpoint in `options.dir` if
/// there is one. Returns the averaged weights and the fixed ones, `None` when stopped before the
/// end.
///
/// # Errors
/// When a file cannot be read or written, the checkpoint is of another training, or the gradients
/// stay infinite.
pub fn train(
    stage: &mut dyn Stage,
    options: &TrainOptions,
) -> Result<Option<Vec<(String, Tensor)>>, TrainError> {
    fs::create_dir_all(&options.dir).map_err(TrainError::io(&options.dir))?;
    let mut optimizer = Optimizer::new(stage.parameters(), options.optimizer, |name| {
        stage.lr_scale(name)
    });
    let mut state = State {
        stage: stage.name().to_owned(),
        step: 0,
        seconds: 0.0,
        identity: options.identity.clone(),
    };
    let fixed = stage.fixed();
    if let Some((step, seconds)) = load(options, &state, &mut optimizer, &fixed)? {
        (state.step, state.seconds) = (step, seconds);
        eprintln!("{}: going on from step {}", state.stage, state.step);
    }
    let metrics_path = options.dir.join("metrics.jsonl");
    let mut metrics_file =
        continue_metrics(&metrics_path, state.step).map_err(TrainError::io(&metrics_path))?;

    let mut saved = Instant::now();
    let mut progress = Progress::new(options, state.step);
    let mut infinite = 0;
    while options.budget.used(&state) < 1.0 {
        let started = Instant::now();
        let mut context = StepContext {
            step: state.step,
            noise: Noise::stream(options.seed, state.step),
        };
        tch::manual_seed(context.noise.below(i64::MAX as usize) as i64);
        let (loss, mut parts) = stage.loss(&mut context);
        loss.backward();
        parts.insert(0, ("loss", loss));
        let norm = optimizer.step(learning_rate(options, &state), state.step);
        infinite = if norm.is_finite() { 0 } else { infinite + 1 };
        if infinite == 20 {
            return Err(TrainError::Diverged(infinite));
        }
        state.step += 1;
        state.seconds += started.elapsed().as_secs_f64();
        progress.add(&parts);
        let last = options.budget.used(&state) >= 1.0;
        if let Some(line) = progress.line(&state, norm, last) {
            writeln!(metrics_file, "{line}").map_err(TrainError::io(&metrics_path))?;
        }
        if last || state.step.is_multiple_of(options.sample_every) {
            let numbers =
                optimizer.with_ema(|| tch::no_grad(|| stage.evaluate(&options.dir, state.step)))?;
            let mut object = serde_json::Map::new();
            object.insert("step".into(), state.step.into());
            object.extend(numbers.iter().map(|&(k, v)| (k.to_owned(), v.into())));
            let line = serde_json::Value::Object(object);
            eprintln!("\r{}: evaluation {line}", state.stage);
            writeln!(metrics_file, "{line}").map_err(TrainError::io(&metrics_path))?;
        }
        let stopped = options.stop.load(Ordering::Relaxed);
        if last || stopped || saved.elapsed() > options.checkpoint_every {
            save(&options.dir, &optimizer, &fixed, &state)?;
            saved = Instant::now();
        }
        if stopped && !last {
            eprintln!(
                "\r{}: stopped at step {}; the same command goes on from here",
                state.stage, state.step
            );
            return Ok(None);
        }
    }
    let mut weights = optimizer.ema_weights(Kind::BFloat16);
    let shipped = |fixed: Parameter| (fixed.name, fixed.tensor.to_kind(Kind::BFloat16));
    weights.extend(fixed.into_iter().map(shipped));
    Ok(Some(weights))
}

/// Linear warm-up, then a cosine from the peak to a tenth of it.
fn learning_rate(options: &TrainOptions, state: &State) -> f64 {
    let warm = ((state.step + 1) as f64 / options.warmup.max(1) as f64).min(1.0);
    let used = options.budget.used(state).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * used).cos());
    options.lr * warm * (0.1 + 0.9 * cosine)
}

/// The file of a folder that a training goes on from.
pub(super) const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// The file that says of which shape a network is, and without which it is not there.
pub(super) const CONFIG_FILE: &str = "config.json";

/// What the name of a fixed parameter has before it in a checkpoint.
const FIXED: &str = "fixed/";

/// State and tensors are one file, so that a kill between two writes cannot mix two steps.
fn save(
    dir: &Path,
    optimizer: &Optimizer,
    fixed: &[Parameter],
    state: &State,
) -> Result<(), TrainError> {
    let path = dir.join(CHECKPOINT_FILE);
    let text = serde_json::to_vec(state).map_err(|e| TrainError::State {
        path: path.clone(),
        reason: e.to_string(),
    })?;
    let mut tensors = optimizer.state();
    let named = |fixed: &Parameter| {
        let name = format!("{FIXED}{}", fixed.name);
        (name, fixed.tensor.shallow_clone())
    };
    tensors.extend(fixed.iter().map(named));
    tensors.push(("state".into(), Tensor::from_slice(&text)));
    crate::weights::save(&path, tensors.iter().map(|(n, t)| (n.as_str(), t)))?;
    Ok(())
}

/// Refuses a checkpoint of another training, before anything is made for one.
///
/// # Errors
/// When there is such a checkpoint, or a damaged one.
pub(super) fn check(options: &TrainOptions) -> Result<(), TrainError> {
    open(options).map(drop)
}

/// Whether a training would take steps: not where a checkpoint has used its budget up.
///
/// # Errors
/// When there is a damaged checkpoint.
pub(super) fn has_steps_left(options: &TrainOptions) -> Result<bool, TrainError> {
    let found = read(&options.dir.join(CHECKPOINT_FILE))?;
    Ok(found.is_none_or(|(_, state)| options.budget.used(&state) < 1.0))
}

/// The checkpoint of this training, if there is one.
fn open(options: &TrainOptions) -> Result<Option<(Checkpoint, State)>, TrainError> {
    let path = options.dir.join(CHECKPOINT_FILE);
    let Some((checkpoint, found)) = read(&path)? else {
        return Ok(None);
    };
    let is_over = options.budget.used(&found) >= 1.0;
    let differences = found.identity.differences(&options.identity, is_over);
    if !differences.is_empty() {
        return Err(TrainError::OtherTraining {
            path,
            differences: differences.join(", "),
        });
    }
    Ok(Some((checkpoint, found)))
}

/// A checkpoint of whatever training, if it is there.
fn read(path: &Path) -> Result<Option<(Checkpoint, State)>, TrainError> {
    if !path.exists() {
        return Ok(None);
    }
    let checkpoint = Checkpoint::open_path(path)?;
    let text = checkpoint.tensor("state", tch::Device::Cpu)?;
    let mut bytes = vec![0u8; text.numel()];
    text.copy_data(&mut bytes, text.numel());
    let found = serde_json::from_slice(&bytes).map_err(|e| TrainError::State {
        path: path.into(),
        reason: e.to_string(),
    })?;
    Ok(Some((checkpoint, found)))
}

/// Takes back what [`save`] wrote of the same training; returns its steps and seconds.
fn load(
    options: &TrainOptions,
    new: &State,
    optimizer: &mut Optimizer,
    fixed: &[Parameter],
) -> Result<Option<(u64, f64)>, TrainError> {
    let Some((checkpoint, found)) = open(options)? else {
        return Ok(None);
    };
    if found.stage != new.stage {
        return Err(TrainError::OtherTraining {
            path: options.dir.join(CHECKPOINT_FILE),
            differences: format!("it is of {}, not of {}", found.stage, new.stage),
        });
    }
    optimizer.restore(&checkpoint)?;
    for parameter in fixed {
        let name = format!("{FIXED}{}", parameter.name);
        copy_from(&checkpoint, &name, &mut parameter.tensor.shallow_clone())?;
    }
    Ok(Some((found.step, found.seconds)))
}

/// Opens the metrics to append to them, without the lines of steps after `step`: those were
/// lost with a kill and will be done again. A line that a kill cut short goes, too.
fn continue_metrics(path: &Path, step: u64) -> io::Result<File> {
    let written = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let done = |line: &&str| {
        let line = serde_json::from_str::<serde_json::Value>(line);
        line.is_ok_and(|line| line["step"].as_u64().is_some_and(|at| at <= step))
    };
    let mut kept: String = written.lines().filter(done).collect::<Vec<_>>().join("\n");
    if !kept.is_empty() {
        kept.push('\n');
    }
    if kept != written {
        let whole = path.with_extension("jsonl.new");
        fs::write(&whole, kept)?;
        fs::rename(&whole, path)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// Averages what the steps report and says how it goes about once a second.
struct Progress<'a> {
    options: &'a TrainOptions,
    first_step: u64,
    started: Instant,
    shown: Instant,
    sums: Vec<(&'static str, Tensor)>,
    count: u64,
}

impl<'a> Progress<'a> {
    fn new(options: &'a TrainOptions, first_step: u64) -> Self {
        Self {
            options,
            first_step,
            started: Instant::now(),
            shown: Instant::now(),
            sums: Vec::new(),
            count: 0,
        }
    }

    fn add(&mut self, parts: &[(&'static str, Tensor)]) {
        self.count += 1;
        let detached = |t: &Tensor| t.detach().to_kind(Kind::Float);
        if self.sums.is_empty() {
            self.sums = parts.iter().map(|(n, t)| (*n, detached(t))).collect();
            return;
        }
        for ((_, sum), (_, value)) in self.sums.iter_mut().zip(parts) {
            *sum = &*sum + detached(value);
        }
    }

    /// A JSON line of the averages since the last one, when it is time for one. Reading a
    /// number waits for the device, so it is not done at every step.
    fn line(&mut self, state: &State, norm: f64, last: bool) -> Option<String> {
        let interval = if std::io::stderr().is_terminal() {
            1
        } else {
            20
        };
        if !last && self.shown.elapsed() < Duration::from_secs(interval) {
            return None;
        }
        self.shown = Instant::now();
        let here = (state.step - self.first_step) as f64;
        let per_step = self.started.elapsed().as_secs_f64() / here;
        let rate = self.options.batch as f64 / per_step;
        let left = match self.options.budget {
            Budget::Steps(steps) => steps.saturating_sub(state.step) as f64 * per_step,
            Budget::Seconds(seconds) => (seconds - state.seconds).max(0.0),
        };
        let mut object = serde_json::Map::new();
        object.insert("step".into(), state.step.into());
        object.insert("seconds".into(), state.seconds.round().into());
        object.insert("samples_per_second".into(), rate.round().into());
        object.insert("grad_norm".into(), norm.into());
        let mut text = String::new();
        for (name, sum) in self.sums.drain(..) {
            let mean = sum.double_value(&[]) / self.count as f64;
            object.insert(name.into(), mean.into());
            text.push_str(&format!(" {name} {mean:.4}"));
        }
        self.count = 0;
        let (minutes, seconds) = (left as u64 / 60, left as u64 % 60);
        let end = if std::io::stderr().is_terminal() && !last {
            "\r"
        } else {
            "\n"
        };
        eprint!(
            "{}: step {}{text}  {rate:.0}/s  {minutes}:{seconds:02} left{end}",
            state.stage, state.step
        );
        Some(serde_json::Value::Object(object).to_string())
    }
}

/// Writes the trained weights of a component into the model folder. Its old configuration goes
/// first and the new one comes last: whatever moment a kill comes at, it is whole or not there.
///
/// # Errors
/// When a file cannot be written.
pub fn export(
    dir: &Path,
    config: &impl serde::Serialize,
    file: &str,
    weights: &[(String, Tensor)],
) -> Result<(), TrainError> {
    let path = dir.join(file);
    remove(&dir.join(CONFIG_FILE))?;
    fs::create_dir_all(dir).map_err(TrainError::io(dir))?;
    crate::weights::save(&path, weights.iter().map(|(n, t)| (n.as_str(), t)))?;
    export_config(dir, config)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), TrainError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(TrainError::io(path)),
    }
}

/// Writes a component's `config.json`.
fn export_config(dir: &Path, config: &impl serde::Serialize) -> Result<(), TrainError> {
    let path = dir.join(CONFIG_FILE);
    let mut text = serde_json::to_string_pretty(config).map_err(|e| TrainError::State {
        path: path.clone(),
        reason: e.to_string(),
    })?;
    text.push('\n');
    fs::write(&path, text).map_err(TrainError::io(path))
}
