//! `predilect train`: trains the mini's networks.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use predilect_model::data::cache::{artwork_dir, cache_dir};
use predilect_model::device::{DeviceChoice, DtypeChoice, set_threads};
use predilect_model::training::preset::{Preset, StageName};
use predilect_model::training::{Objective, Outcome, Recipe};
use predilect_model::weights::ModelFolder;

/// Train one network of the mini, or all of them in order.
///
/// Needs the training set (`predilect data build`). Ctrl-C stops at a checkpoint, and the
/// same command goes on from there; a finished stage writes its weights into the model
/// folder, where the next stages find them.
#[derive(Args)]
pub(crate) struct TrainArgs {
    /// What to train; `all` is the order in which the help lists them.
    stage: StageArg,
    /// For which machine times and batches are sized.
    #[arg(long, value_enum, default_value = "cpu")]
    preset: PresetArg,
    /// The model folder to read trained networks from and write new ones to
    /// [default: models/mini in the cache folder].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Where checkpoints, metrics.jsonl and sample sheets go [default: train in the cache folder].
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Start from the weights of this model folder (fresh optimizer, short warm-up).
    #[arg(long, value_name = "DIR")]
    init_from: Option<PathBuf>,
    /// Minutes of stepping, instead of the preset's.
    #[arg(long)]
    minutes: Option<f64>,
    /// Samples a step, instead of the preset's.
    #[arg(long)]
    batch: Option<usize>,
    /// Peak learning rate, instead of the preset's.
    #[arg(long)]
    lr: Option<f64>,
    /// Prompts that the preference stage draws pictures for, instead of the preset's.
    #[arg(long)]
    prompts: Option<usize>,
    /// Simulated people that the preference stage trains on, instead of the preset's.
    #[arg(long)]
    people: Option<usize>,
    /// What the preference stage trains for.
    #[arg(long, value_enum, default_value = "dpo-sft")]
    objective: ObjectiveArg,
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
    #[arg(long)]
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
    let recipe = Recipe {
        model: ModelFolder::new(
            args.model
                .unwrap_or_else(|| cache_dir().join("models/mini")),
        ),
        work: args.work.unwrap_or_else(|| cache_dir().join("train")),
        artwork: artwork_dir(),
        preset: match args.preset {
            PresetArg::Cpu => Preset::Cpu,
            PresetArg::Gpu => Preset::Gpu,
        },
        minutes: args.minutes,
        batch: args.batch,
        lr: args.lr,
        prompts: args.prompts,
        people: args.people,
        objective: match args.objective {
            ObjectiveArg::Dpo => Objective::Dpo,
            ObjectiveArg::Sft => Objective::Sft,
            ObjectiveArg::DpoSft => Objective::DpoSft,
        },
        init_from: args.init_from.map(ModelFolder::new),
        freeze_encoder: args.freeze_encoder,
        checkpoint_every: Duration::from_secs(args.checkpoint_every),
        seed: args.seed,
        device,
        kind: args.dtype.resolve(device),
        stop,
    };
    for stage in args.stage.stages() {
        if recipe.run(stage)? == Outcome::Stopped {
            break;
        }
        eprintln!("{}: done", stage.as_str());
    }
    Ok(())
}
