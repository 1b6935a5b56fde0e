//! `predilect eval winrate`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use predilect_model::evaluation::choice_pool::Shown;
use predilect_model::evaluation::judge::Judge;
use predilect_model::evaluation::jury::Jury;
use predilect_model::evaluation::population::Population;
use predilect_model::evaluation::winrate::{
    Arm, Results, WinRate, WinRateConfig, WinRateReport, win_rates,
};
use predilect_statistics::Interval;

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
    /// more than four blended evenly. Of several numbers, such as 2,4,8,16, what more choices win is
    /// said as well, over the same people, prompts and seeds
    #[arg(
        long,
        value_name = "NUMBERS",
        value_delimiter = ',',
        default_value = "4",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pairs_per_user: Vec<u16>,
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
    /// Write winrate.json here: the report without the single comparisons
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
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
    let mut counts: Vec<usize> = Vec::new();
    for count in args.pairs_per_user {
        ensure!(
            !counts.contains(&count.into()),
            "--pairs-per-user names {count} twice"
        );
        counts.push(count.into());
    }
    let artwork = args.model.artwork();
    let judge = Judge::open(&args.model.model_folder());
    match (&judge, &artwork) {
        (Err(error), _) => eprintln!("Neither styles nor subjects are judged: {error}"),
        (_, Err(error)) => {
            eprintln!("Whether pictures show what was asked for isn't judged: {error}")
        }
        _ => {}
    }
    let jury = judge.as_ref().ok().map(|judge| Jury {
        judge,
        artwork: artwork.as_ref().ok(),
    });
    let engine = args.model.engine()?;
    let choices = pairs_to_choose_from(&engine, &args.pairs)?;
    let config = WinRateConfig {
        population: &population,
        choices: &choices,
        prompts: &prompts,
        opponents: &opponents,
        pairs_per_user: &counts,
        shown: args.shown.into(),
        seed: args.seed,
        best_of: args.best_of.map(usize::from),
        jury,
        save: args.save.as_deref(),
    };
    let people = population.people.len();
    let report = win_rates(&engine, &config, &mut |done| {
        eprint!("\rperson {done} of {people}");
    })?;
    eprintln!();
    if let Some(folder) = &args.save {
        write_report(folder, "manifest", &engine, &report)?;
    }
    if let Some(folder) = &args.out {
        let summary = WinRateReport {
            comparisons: Vec::new(),
            ..report.clone()
        };
        write_report(folder, "winrate", &engine, &summary)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    for results in std::iter::once(&report.results).chain(&report.further) {
        print_results(results);
    }
    for more in &report.differences {
        let [few, many] = more.pairs_per_user;
        println!(
            "{many:>2} choices instead of {few:<2} against {:<10}  {:+.1} points of {}{}",
            more.opponent.as_str(),
            100.0 * more.difference,
            more.n,
            more.by_person
                .map_or_else(String::new, |Interval { low, high }| {
                    format!(" (by person {:+.1} to {:+.1})", 100.0 * low, 100.0 * high)
                })
        );
    }
    Ok(())
}

fn print_results(results: &Results) {
    println!("{} choices of each person", results.pairs_per_user);
    let print = |what: &str, rates: &[WinRate]| {
        for rate in rates {
            println!(
                "  {what}, against {:<10}  {}",
                rate.opponent.as_str(),
                in_words(rate)
            );
        }
    };
    print("by utility", &results.by_utility);
    print("by answers", &results.by_answers);
    print("within a style", &results.within_style);
    for of_axis in &results.by_axis {
        let withheld = if of_axis.withheld { ", withheld" } else { "" };
        let what = format!("who want {:?}{withheld} ({})", of_axis.axis, of_axis.people);
        print(&what, &of_axis.by_utility);
    }
    for shown in &results.subjects {
        println!(
            "  {:<12} shows what was asked for in {:.1} % of {} (top-5)",
            shown.arm.as_str(),
            100.0 * shown.top5,
            shown.n
        );
    }
    if let Some(ceilings) = &results.ceilings {
        println!(
            "  the best of {} base pictures, against base:",
            ceilings.best_of
        );
        println!(
            "    knowing the person        {}",
            in_words(&ceilings.oracle)
        );
        println!(
            "    knowing the same answers  {}",
            in_words(&ceilings.bayes)
        );
    }
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
