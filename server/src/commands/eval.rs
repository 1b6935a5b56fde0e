//! `predilect eval`: measures pictures, the model and the personalisation.
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use predilect_model::data::artwork::Artwork;
use predilect_model::data::cache;
use predilect_model::data::split::Split;
use predilect_model::engine::{Engine, EngineConfig};
use predilect_model::evaluation::axes::{Axis, measure, statistics};
use predilect_model::evaluation::judge::Judge;
use predilect_model::evaluation::mirror::{MirrorSize, mirror};
use predilect_model::evaluation::pictures::{judge_prompts, prompts};
use predilect_model::training::write_sheet;
use predilect_model::weights::ModelFolder;

/// Measure what the model draws, and whether choices move it.
#[derive(Args)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    action: EvalCommand,
}

#[derive(Subcommand)]
enum EvalCommand {
    /// Draw a picture of each of 40 prompts and let the judge name it among all subjects.
    ///
    /// Writes pictures.json and pictures.png (eight a row, in the order of the JSON) and says
    /// the share whose subject is among the judge's first five guesses, beside the same share
    /// on real artwork. Needs a trained model with its judge and the training set.
    Pictures(PicturesArgs),
    /// Let simulated people choose four times, and test that the same pairs with opposite
    /// answers move the pictures in the chosen direction.
    ///
    /// Writes mirror.json and mirror.png: two rows a person, the choices' pictures above the
    /// opposite ones'.
    Mirror(MirrorArgs),
    /// Print mean and standard deviation of every axis over the artwork and its variants: the
    /// constants that measured axes are normalised by.
    Axes(AxesArgs),
}

/// Which model, which data, and where results go.
#[derive(Args)]
pub(crate) struct ModelArgs {
    /// The model folder [default: models/mini in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// The artwork set [default: data/artwork-128 in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    artwork: Option<PathBuf>,
    /// CPU threads [default: all cores]
    #[arg(long)]
    threads: Option<i32>,
}

impl ModelArgs {
    fn folder(&self) -> PathBuf {
        self.model
            .clone()
            .unwrap_or_else(|| cache::cache_dir().join("models/mini"))
    }

    /// Starts the engine on the model.
    pub(crate) fn engine(&self) -> anyhow::Result<Engine> {
        let config = EngineConfig {
            threads: self.threads,
            ..EngineConfig::new(self.folder())
        };
        Ok(Engine::start(config)?)
    }

    /// Opens the artwork set.
    pub(crate) fn artwork(&self) -> anyhow::Result<Artwork> {
        Ok(Artwork::open(
            &self.artwork.clone().unwrap_or_else(cache::artwork_dir),
        )?)
    }
}

#[derive(Args)]
struct PicturesArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Number of prompts
    #[arg(long, default_value_t = 40)]
    count: usize,
    /// Which prompts, and the seed of their pictures
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Ask for subjects that were never trained on
    #[arg(long)]
    held_out: bool,
    /// Where the sheet and the report go
    #[arg(long, value_name = "FOLDER", default_value = "eval")]
    out: PathBuf,
}

#[derive(Args)]
struct MirrorArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Simulated people
    #[arg(long, default_value_t = 20)]
    people: usize,
    /// Pictures of each
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    seeds: u16,
    /// Which people and prompts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the sheet and the report go
    #[arg(long, value_name = "FOLDER", default_value = "eval")]
    out: PathBuf,
}

#[derive(Args)]
struct AxesArgs {
    /// The artwork set [default: data/artwork-128 in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    artwork: Option<PathBuf>,
    /// Variants of each picture that are measured
    #[arg(long, default_value_t = 3)]
    variants: u64,
    /// Measure every N-th picture only
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
}

/// Runs the subcommand.
pub(crate) fn run(args: EvalArgs) -> anyhow::Result<()> {
    match args.action {
        EvalCommand::Pictures(args) => pictures(args),
        EvalCommand::Mirror(args) => run_mirror(args),
        EvalCommand::Axes(args) => axes(args),
    }
}

fn pictures(args: PicturesArgs) -> anyhow::Result<()> {
    let artwork = args.model.artwork()?;
    let judge = Judge::open(&ModelFolder::new(args.model.folder()))?;
    let engine = args.model.engine()?;
    let split = if args.held_out {
        Split::HeldOut
    } else {
        Split::Train
    };
    let asked = prompts(&artwork, split, args.count, args.seed);
    let (report, drawn) = judge_prompts(&engine, &judge, &artwork, &asked, args.seed)?;
    write_report(&args.out, "pictures", &report)?;
    write_sheet(&args.out.join("pictures.png"), &drawn, 8)?;
    for picture in &report.pictures {
        let mark = if picture.hit { "yes" } else { "no " };
        println!(
            "{mark} {:<40} {}",
            picture.prompt,
            picture.guesses.join(", ")
        );
    }
    println!(
        "top-5 {:.1} % of {} pictures; {:.1} % on real artwork; {}",
        100.0 * report.top5,
        report.pictures.len(),
        100.0 * report.ceiling_top5,
        args.out.display()
    );
    Ok(())
}

fn run_mirror(args: MirrorArgs) -> anyhow::Result<()> {
    let artwork = args.model.artwork()?;
    let engine = args.model.engine()?;
    let asked = prompts(&artwork, Split::Train, 16, args.seed);
    let size = MirrorSize {
        people: args.people,
        seeds: args.seeds.into(),
        seed: args.seed,
    };
    let (report, drawn) = mirror(&engine, &asked, size, &mut |done| {
        eprintln!("person {done} of {}", args.people)
    })?;
    write_report(&args.out, "mirror", &report)?;
    write_sheet(&args.out.join("mirror.png"), &drawn, args.seeds.into())?;
    for person in &report.people {
        let moved = person.moves.iter().filter(|m| **m > 0.0).count();
        println!(
            "person {:>3}: {moved} of {} ({}, {}) {}",
            person.person,
            person.moves.len(),
            person.axis,
            if person.high { "high" } else { "low" },
            person.descriptions[0]
        );
    }
    println!(
        "{:.1} % of {} pictures moved in the chosen direction; {}",
        100.0 * report.share,
        report.pictures,
        args.out.display()
    );
    Ok(())
}

fn axes(args: AxesArgs) -> anyhow::Result<()> {
    let artwork = Artwork::open(&args.artwork.unwrap_or_else(cache::artwork_dir))?;
    let mut values = Vec::new();
    for picture in (0..artwork.len()).step_by(args.every as usize) {
        values.extend((0..args.variants).map(|k| measure(&artwork.variant(picture, k).0)));
    }
    for (axis, (mean, deviation)) in Axis::ALL.iter().zip(statistics(&values)) {
        println!("{axis:?}: mean {mean:.4}, standard deviation {deviation:.4}");
    }
    println!("{} pictures", values.len());
    Ok(())
}

fn write_report(folder: &Path, name: &str, report: &impl serde::Serialize) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let path = folder.join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(report)?;
    std::fs::write(&path, text + "\n").with_context(|| path.display().to_string())
}
