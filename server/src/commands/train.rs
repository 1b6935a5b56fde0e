//! `predilect train`: trains the mini's networks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::prompts;
use anyhow::{Context, ensure};
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use predilect_model::data::artwork::Artwork;
use predilect_model::data::cache::{artwork_dir, cache_dir};
use predilect_model::data::split::{Split, stable_hash};
use predilect_model::device::{Device, DeviceChoice, DtypeChoice, set_threads};
use predilect_model::training::preset::{Preset, StageName};
use predilect_model::training::{Objective, Outcome, PublishedTraining, Recipe};
use predilect_model::weights::{ModelFolder, UNetSize, holds_published};

/// Train one network of the mini, or all of them in order; or preference attention of the
/// published models, where --model is a folder with their repositories.
///
/// Needs the training set (`predilect data build`). Ctrl-C stops at a checkpoint, and the
/// same command goes on from there; a finished stage writes its weights into the model
/// folder, where the next stages find them. From one run to the next --minutes, --budget, --batch,
/// --lr, --checkpoint-every, --device, --dtype and --threads may change; whatever else is another
/// training, and needs another --work.
#[derive(Args)]
pub(crate) struct TrainArgs {
    /// What to train; `all` is the order in which the help lists them.
    stage: StageArg,
    /// For which machine the mini's times and batches are sized [default: cpu].
    #[arg(long, value_enum)]
    preset: Option<PresetArg>,
    /// The model folder to read trained networks from and write new ones to
    /// [default: models/mini in the cache folder].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Where checkpoints, metrics.jsonl and sample sheets go [default: train in the cache folder].
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Start from the weights of this model folder, another one than --model (fresh optimizer,
    /// short warm-up); a network that it lacks starts from the seed, and each says which.
    #[arg(long, value_name = "DIR")]
    init_from: Option<PathBuf>,
    /// Minutes of stepping of each stage, instead of the preset's.
    #[arg(long, value_parser = positive)]
    minutes: Option<f64>,
    /// Minutes of stepping of all stages together: each has the share of them that the preset
    /// gives it, and one stage by itself has its share, too. What is done before the first step
    /// (encoding the artwork, drawing pictures, reading choices) comes on top.
    #[arg(long, value_name = "MINUTES", value_parser = positive, conflicts_with = "minutes")]
    budget: Option<f64>,
    /// Samples a step, instead of the preset's.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Peak learning rate, instead of the preset's.
    #[arg(long, value_parser = positive)]
    lr: Option<f64>,
    /// Prompts that the vlm and preference stages draw pictures for, instead of the preset's.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    prompts: Option<u32>,
    /// Pictures that they draw of each prompt, instead of the preset's: among more there is a
    /// better favourite.
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
    seeds: Option<u32>,
    /// Simulated people that the preference stage trains on, instead of the preset's.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    people: Option<u32>,
    /// Published models only: what the preference stage draws pictures of, one prompt a line
    /// [default: the training set's labels, where it is there].
    #[arg(long, value_name = "FILE")]
    prompts_file: Option<PathBuf>,
    /// Published models only: where the adapter goes [default: preference_adapter, or
    /// preference_adapter_lite for the lite prior, in the model folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Published models only: take the lite networks where there are both sizes.
    #[arg(long, env = "PREDILECT_LITE", value_parser = FalseyValueParser::new())]
    lite: bool,
    /// What the preference stage trains for.
    #[arg(long, value_enum, default_value = "dpo-sft")]
    objective: ObjectiveArg,
    /// β of the preference stage's DPO, instead of the preset's: a smaller one lets pictures go
    /// farther from what the base model draws.
    #[arg(long, value_parser = positive)]
    beta: Option<f64>,
    /// Train Stage B against the latent encoder that the model folder has, unchanged.
    #[arg(long)]
    freeze_encoder: bool,
    /// Seconds between checkpoints: what a kill can cost at most.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    checkpoint_every: u64,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// CPU threads [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    threads: Option<i32>,
    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// What to compute in: auto, f32 or bf16; auto takes the faster one here.
    #[arg(long, default_value = "auto")]
    dtype: DtypeChoice,
}

#[derive(Clone, Copy, ValueEnum)]
enum StageArg {
    /// Every stage, in this order.
    All,
    /// A classifier of subject and style, which only ever judges.
    Judge,
    /// The text encoder and the image tower, by contrast.
    Clip,
    /// The autoencoder between pictures and latents.
    StageA,
    /// The diffusion decoder, and the latent encoder with it.
    StageB,
    /// The prior under text, after its text encoder.
    StageC,
    /// The vision-language model that reads choices.
    Vlm,
    /// Preference attention in the prior: drawing for a taste.
    Preference,
}

impl StageArg {
    fn stages(self) -> Vec<StageName> {
        vec![match self {
            Self::All => return StageName::ALL.to_vec(),
            Self::Judge => StageName::Judge,
            Self::Clip => StageName::Clip,
            Self::StageA => StageName::StageA,
            Self::StageB => StageName::StageB,
            Self::StageC => StageName::StageC,
            Self::Vlm => StageName::Vlm,
            Self::Preference => StageName::Preference,
        }]
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum PresetArg {
    /// A night on two cores.
    Cpu,
    /// Twenty minutes on one H100.
    Gpu,
}

#[derive(Clone, Copy, ValueEnum)]
enum ObjectiveArg {
    /// Rather a person's favourite than another picture (Diffusion-DPO).
    Dpo,
    /// A person's favourite (supervised fine-tuning).
    Sft,
    /// Both.
    DpoSft,
}

impl From<ObjectiveArg> for Objective {
    fn from(objective: ObjectiveArg) -> Self {
        match objective {
            ObjectiveArg::Dpo => Self::Dpo,
            ObjectiveArg::Sft => Self::Sft,
            ObjectiveArg::DpoSft => Self::DpoSft,
        }
    }
}

/// A number above zero.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("a number above zero is needed".into()),
    }
}

pub(crate) fn run(args: TrainArgs) -> anyhow::Result<()> {
    if let Some(threads) = args.threads {
        set_threads(threads);
    }
    let device = args.device.resolve()?;
    let stop = Arc::new(AtomicBool::new(false));
    let on_signal = stop.clone();
    ctrlc::set_handler(move || {
        if on_signal.swap(true, Ordering::Relaxed) {
            // Asked twice: the last checkpoint has to do.
            std::process::exit(130);
        }
        eprintln!("\nstopping at a checkpoint; once more to stop at once");
    })
    .context("could not listen for Ctrl-C")?;
    let folder = args.model.clone();
    let folder = folder.unwrap_or_else(|| cache_dir().join("models/mini"));
    if let Some(published) = published(&args, &folder)? {
        return train_published(args, published, device, stop);
    }
    // The variable may be there for serving.
    let lite = args.lite && std::env::var_os("PREDILECT_LITE").is_none();
    ensure!(
        args.prompts_file.is_none() && args.out.is_none() && !lite,
        "--prompts-file, --out and --lite are for published models, and {} has none",
        folder.display()
    );
    let recipe = Recipe {
        model: ModelFolder::new(folder),
        work: args.work.unwrap_or_else(|| cache_dir().join("train")),
        artwork: artwork_dir(),
        preset: match args.preset {
            None | Some(PresetArg::Cpu) => Preset::Cpu,
            Some(PresetArg::Gpu) => Preset::Gpu,
        },
        minutes: args.minutes,
        budget: args.budget,
        batch: args.batch.map(|batch| batch as usize),
        lr: args.lr,
        prompts: args.prompts.map(|prompts| prompts as usize),
        seeds: args.seeds.map(|seeds| seeds as usize),
        people: args.people.map(|people| people as usize),
        objective: args.objective.into(),
        beta: args.beta,
        init_from: args.init_from.map(ModelFolder::new),
        freeze_encoder: args.freeze_encoder,
        checkpoint_every: Duration::from_secs(args.checkpoint_every),
        seed: args.seed,
        device,
        kind: args.dtype.resolve(device),
        stop,
    };
    let stages = args.stage.stages();
    recipe.check(&stages)?;
    for stage in stages {
        let end = match recipe.run(stage)? {
            Outcome::Stopped => break,
            Outcome::Finished => "done",
            Outcome::FinishedBefore => "finished before, left as it is",
        };
        eprintln!("{}: {end}", stage.as_str());
    }
    Ok(())
}

/// The published models in a folder, where they are what is to be trained: a folder that is broken
/// is no mini that is still to be made.
fn published(args: &TrainArgs, folder: &Path) -> anyhow::Result<Option<ModelFolder>> {
    if ModelFolder::is_own(folder) {
        return Ok(None);
    }
    let meant = args.prompts_file.is_some() || args.out.is_some();
    match ModelFolder::open(folder, UNetSize::lite(args.lite)) {
        Ok(published) => Ok(Some(published)),
        Err(error) if meant || holds_published(folder) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Preference attention for the published models in a folder.
fn train_published(
    args: TrainArgs,
    model: ModelFolder,
    device: Device,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    ensure!(
        matches!(args.stage, StageArg::Preference),
        "of published models only preference attention is trained: predilect train preference"
    );
    ensure!(
        args.init_from.is_none() && !args.freeze_encoder && args.preset.is_none(),
        "--init-from, --freeze-encoder and --preset are for the mini's stages"
    );
    let work = args.work.unwrap_or_else(|| cache_dir().join("train"));
    let prompts = match &args.prompts_file {
        Some(file) => prompts::read(file)?,
        None => artwork_labels()?,
    };
    let count = args.prompts.unwrap_or(PUBLISHED_PROMPTS) as usize;
    let prompts = prompts.into_iter().take(count).collect();
    let training = PublishedTraining::new(model, work.join("published"), prompts);
    let training = PublishedTraining {
        out: args.out,
        people: args
            .people
            .map_or(training.people, |people| people as usize),
        objective: args.objective.into(),
        beta: args.beta.unwrap_or(training.beta),
        seeds: args.seeds.map_or(training.seeds, |seeds| seeds as usize),
        minutes: args.minutes.or(args.budget).unwrap_or(training.minutes),
        batch: args.batch.map_or(training.batch, |batch| batch as usize),
        lr: args.lr.unwrap_or(training.lr),
        checkpoint_every: Duration::from_secs(args.checkpoint_every),
        seed: args.seed,
        device,
        kind: args.dtype.resolve(device),
        stop,
        ..training
    };
    if training.run()? == Outcome::Finished {
        eprintln!("preference: done");
    }
    Ok(())
}

/// Prompts that pictures are drawn of where `--prompts` names no other number.
const PUBLISHED_PROMPTS: u32 = 100;

/// The labels of the training set's subjects, far from their neighbours, which show like things.
fn artwork_labels() -> anyhow::Result<Vec<String>> {
    let artwork = Artwork::open(&artwork_dir()).context(
        "there is no training set to take prompts from: name a file of them with --prompts-file",
    )?;
    let subjects = artwork.subjects().iter();
    let train = subjects.filter(|subject| subject.split == Split::Train);
    let mut labels: Vec<String> = train.map(|subject| subject.label.clone()).collect();
    labels.sort_by_key(|label| stable_hash(label.as_bytes()));
    labels.dedup();
    Ok(labels)
}
