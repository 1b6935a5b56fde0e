//! `predilect eval`: measures pictures, the model and the personalisation.
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use predilect_model::data::artwork::Artwork;
use predilect_model::data::cache;
use predilect_model::data::split::Split;
use predilect_model::engine::{Engine, EngineConfig};
use predilect_model::evaluation::axes::{Axis, measure, statistics};
use predilect_model::evaluation::choice_pool::ChoicePool;
use predilect_model::evaluation::judge::Judge;
use predilect_model::evaluation::mirror::{MirrorSize, mirror};
use predilect_model::evaluation::pictures::{judge_prompts, prompts};
use predilect_model::evaluation::population::Population;
use predilect_model::evaluation::winrate::{Arm, WinRate, WinRateConfig, win_rates};
use predilect_model::evaluation::wordings::Wording;
use predilect_model::preference::pair_bank::PairBank;
use predilect_model::training::write_sheet;
use predilect_model::weights::ModelFolder;
use predilect_statistics::Interval;

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
    /// on real artwork and on that artwork after the latent encoder, Stage B and Stage A. Needs
    /// a trained model with its judge and the training set.
    Pictures(PicturesArgs),
    /// Let simulated people choose four times between pairs of the bank, and test that the same
    /// pairs with opposite answers move the pictures in the chosen direction.
    ///
    /// Writes mirror.json and mirror.png: two rows a person, the choices' pictures above the
    /// opposite ones'.
    Mirror(MirrorArgs),
    /// Let simulated people compare what is drawn for them with what is drawn for nobody, for
    /// everybody and for somebody else.
    ///
    /// Each person chooses four times between pairs of the bank; their taste is read, and every
    /// prompt is drawn in all arms from one seed. Says the share that the personalised pictures
    /// win, by the person's noiseless utility and by their answers, with Wilson's interval and
    /// that of a bootstrap clustered by person.
    Winrate(WinrateArgs),
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
    /// How the subjects are asked for
    #[arg(long, value_enum, default_value_t = WordingArg::Label)]
    wording: WordingArg,
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
    /// The bank that they choose from; it has to be drawn by this model
    #[arg(long, value_name = "FOLDER", default_value = "assets/pairs")]
    pairs: PathBuf,
    /// Which people and prompts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the sheet and the report go
    #[arg(long, value_name = "FOLDER", default_value = "eval")]
    out: PathBuf,
}

#[derive(Args)]
struct WinrateArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// The people, as `predilect users sample` writes them
    #[arg(long, value_name = "FILE")]
    users: PathBuf,
    /// What to draw for them: a prompt a line
    #[arg(long, value_name = "FILE")]
    prompts: PathBuf,
    /// The bank that they choose from; it has to be drawn by this model
    #[arg(long, value_name = "FOLDER", default_value = "assets/pairs")]
    pairs: PathBuf,
    /// What to compare with the personalised pictures
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "base,population,mismatched"
    )]
    arms: Vec<ArmArg>,
    /// Which pairs people see, and every picture's seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also say how much there is to win: what would be won by picking among this many pictures
    /// of the base model, knowing the person or the same four answers (64 is usual)
    #[arg(long, value_name = "PICTURES", value_parser = clap::value_parser!(u16).range(1..))]
    best_of: Option<u16>,
    /// Keep every picture here, with a manifest
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
    /// Print the whole report as JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WordingArg {
    /// The plain name
    Label,
    /// Another name for the same
    Synonym,
    /// The plain name in a sentence that training has not seen
    Reworded,
    /// The plain name with two letters exchanged
    Typo,
}

impl From<WordingArg> for Wording {
    fn from(wording: WordingArg) -> Self {
        match wording {
            WordingArg::Label => Self::Label,
            WordingArg::Synonym => Self::Synonym,
            WordingArg::Reworded => Self::Reworded,
            WordingArg::Typo => Self::Typo,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArmArg {
    /// What is drawn without any taste.
    Base,
    /// What is drawn for everybody at once.
    Population,
    /// What is drawn for somebody else.
    Mismatched,
}

impl From<ArmArg> for Arm {
    fn from(arm: ArmArg) -> Self {
        match arm {
            ArmArg::Base => Self::Base,
            ArmArg::Population => Self::Population,
            ArmArg::Mismatched => Self::Mismatched,
        }
    }
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
        EvalCommand::Winrate(args) => winrate(args),
        EvalCommand::Axes(args) => axes(args),
    }
}

fn pictures(args: PicturesArgs) -> anyhow::Result<()> {
    let artwork = args.model.artwork()?;
    let folder = ModelFolder::new(args.model.folder());
    let judge = Judge::open(&folder)?;
    let engine = args.model.engine()?;
    let split = if args.held_out {
        Split::HeldOut
    } else {
        Split::Train
    };
    let asked = prompts(&artwork, split, args.wording.into(), args.count, args.seed);
    let (report, drawn) = judge_prompts(&engine, &folder, &judge, &artwork, &asked, args.seed)?;
    write_report(&args.out, "pictures", &report)?;
    write_sheet(&args.out.join("pictures.png"), &drawn, 8)?;
    for picture in &report.pictures {
        let mark = match picture.rank {
            Some(_) => "yes",
            None => "no ",
        };
        println!(
            "{mark} {:<40} {}",
            picture.prompt,
            picture.guesses.join(", ")
        );
    }
    for (what, hits) in [
        ("drawn", report.drawn),
        ("real artwork", report.real),
        ("the same, encoded and decoded", report.reconstructed),
    ] {
        print!(
            "{what}: top-1 {:.1} %, top-5 {:.1} %",
            100.0 * hits.top1,
            100.0 * hits.top5
        );
        match hits.top5_interval {
            Some(Interval { low, high }) => {
                println!(" ({:.1} to {:.1} %)", 100.0 * low, 100.0 * high)
            }
            None => println!(),
        }
    }
    println!("{} pictures; {}", report.pictures.len(), args.out.display());
    Ok(())
}

fn run_mirror(args: MirrorArgs) -> anyhow::Result<()> {
    let artwork = args.model.artwork()?;
    let engine = args.model.engine()?;
    let pool = pairs_to_choose_from(&engine, &args.pairs)?;
    let asked = prompts(&artwork, Split::Train, Wording::Label, 16, args.seed);
    let size = MirrorSize {
        people: args.people,
        seeds: args.seeds.into(),
        seed: args.seed,
    };
    let (report, drawn) = mirror(&engine, &pool, &asked, size, &mut |done| {
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

fn winrate(args: WinrateArgs) -> anyhow::Result<()> {
    let population = Population::read(&args.users)?;
    let text = std::fs::read_to_string(&args.prompts)
        .with_context(|| format!("{}", args.prompts.display()))?;
    let prompts: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    ensure!(
        !prompts.is_empty(),
        "{} has no prompt: it needs one a line",
        args.prompts.display()
    );
    let engine = args.model.engine()?;
    let choices = pairs_to_choose_from(&engine, &args.pairs)?;
    let opponents: Vec<Arm> = args.arms.into_iter().map(Arm::from).collect();
    let config = WinRateConfig {
        population: &population,
        choices: &choices,
        prompts: &prompts,
        opponents: &opponents,
        seed: args.seed,
        best_of: args.best_of.map(usize::from),
        save: args.save.as_deref(),
    };
    let people = population.people.len();
    let report = win_rates(&engine, &config, &mut |done| {
        eprint!("\rperson {done} of {people}");
    })?;
    eprintln!();
    if let Some(folder) = &args.save {
        write_report(folder, "manifest", &report)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    for (judged, rates) in [
        ("utility", &report.by_utility),
        ("answers", &report.by_answers),
    ] {
        for rate in rates {
            println!(
                "by {judged}, against {:<10}  {}",
                rate.opponent.as_str(),
                in_words(rate)
            );
        }
    }
    if let Some(ceilings) = &report.ceilings {
        println!(
            "the best of {} base pictures, against base:",
            ceilings.best_of
        );
        println!("  knowing the person        {}", in_words(&ceilings.oracle));
        println!("  knowing the four answers  {}", in_words(&ceilings.bayes));
    }
    Ok(())
}

fn in_words(rate: &WinRate) -> String {
    let by_person = rate.by_person.map_or_else(String::new, |interval| {
        let (low, high) = (100.0 * interval.low, 100.0 * interval.high);
        format!("; by person {low:.1} to {high:.1} %")
    });
    format!(
        "{:.1} % of {} (ties {}{by_person})",
        100.0 * rate.rate,
        rate.n,
        rate.ties
    )
}

/// The bank in this folder, where the engine's model drew it.
fn pairs_to_choose_from(engine: &Engine, folder: &Path) -> anyhow::Result<ChoicePool> {
    let bank = PairBank::load(folder)?;
    ensure!(
        bank.model_hash() == engine.info().hash,
        "the pairs in {} were drawn by other weights: draw them with predilect pairs build",
        folder.display()
    );
    Ok(ChoicePool::of_bank(&bank)?)
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
