//! `predilect eval winrate`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use predilect_model::evaluation::choice_pool::Shown;
use predilect_model::evaluation::population::Population;
use predilect_model::evaluation::winrate::{Arm, WinRate, WinRateConfig, win_rates};

use super::{ModelArgs, pairs_to_choose_from, write_report};
use crate::commands::prompts;

#[derive(Args)]
pub(super) struct WinrateArgs {
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
    /// Choices that each person's taste is read from: four to an embedding, and the embeddings of
    /// more than four blended evenly
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pairs_per_user: u16,
    /// Which pairs people choose between
    #[arg(long, value_enum, default_value = "random")]
    shown: ShownArg,
    /// What to draw; personalised is always among them, and compared with the others
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "personalised,base,population,mismatched"
    )]
    arms: Vec<ArmArg>,
    /// Which pairs people see, and every picture's seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also say how much there is to win: what would be won by picking among this many pictures
    /// of the base model, knowing the person or the same answers (64 is usual)
    #[arg(long, value_name = "PICTURES", value_parser = clap::value_parser!(u16).range(1..))]
    best_of: Option<u16>,
    /// Keep every picture here, with a manifest
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
    /// Print the whole report as JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShownArg {
    /// Any.
    Random,
    /// Those that tell most after the answers so far.
    Telling,
}

impl From<ShownArg> for Shown {
    fn from(shown: ShownArg) -> Self {
        match shown {
            ShownArg::Random => Self::AtRandom,
            ShownArg::Telling => Self::ToTellMost,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArmArg {
    /// What is drawn for the person.
    Personalised,
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
            ArmArg::Personalised => Self::Personalised,
            ArmArg::Base => Self::Base,
            ArmArg::Population => Self::Population,
            ArmArg::Mismatched => Self::Mismatched,
        }
    }
}

pub(super) fn run(args: WinrateArgs) -> anyhow::Result<()> {
    let population = Population::read(&args.users)?;
    let prompts = prompts::read(&args.prompts)?;
    let mut opponents: Vec<Arm> = args.arms.into_iter().map(Arm::from).collect();
    opponents.retain(|arm| *arm != Arm::Personalised);
    ensure!(
        !opponents.is_empty(),
        "--arms needs one besides personalised to compare it with: base, population or mismatched"
    );
    let engine = args.model.engine()?;
    let choices = pairs_to_choose_from(&engine, &args.pairs)?;
    let config = WinRateConfig {
        population: &population,
        choices: &choices,
        prompts: &prompts,
        opponents: &opponents,
        pairs_per_user: args.pairs_per_user.into(),
        shown: args.shown.into(),
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
        println!("  knowing the same answers  {}", in_words(&ceilings.bayes));
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
