//! `predilect users`: simulated people for evaluations.
use std::path::PathBuf;

use clap::{Args, Subcommand};
use predilect_model::data::split::Split;
use predilect_model::evaluation::population::Population;

/// Make files of simulated people.
#[derive(Args)]
pub(crate) struct UsersArgs {
    #[command(subcommand)]
    action: UsersCommand,
}

#[derive(Subcommand)]
enum UsersCommand {
    /// Draw people from the model of taste and write them to a JSON file.
    ///
    /// How people are drawn is what assets/population.json says: a person has one to three wants
    /// (an axis of a picture, a weight whose sign is the direction, for some an ideal point) and a
    /// consistency; some call near pictures equal, some lean to one side. A fifth of all people,
    /// told by their numbers, is never trained on; those are drawn unless `--trained` is given.
    Sample(SampleArgs),
}

#[derive(Args)]
struct SampleArgs {
    /// Number of people
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// Which people
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Take people that the preference attention may have been trained on
    #[arg(long)]
    trained: bool,
    /// What reports call them
    #[arg(long, default_value = "held out")]
    name: String,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "users.json")]
    out: PathBuf,
}

/// Runs the subcommand.
pub(crate) fn run(args: UsersArgs) -> anyhow::Result<()> {
    let UsersCommand::Sample(args) = args.action;
    let split = if args.trained {
        Split::Train
    } else {
        Split::HeldOut
    };
    let population = Population::sample(&args.name, args.seed, split, args.count);
    population.write(&args.out)?;
    println!(
        "{} people in {}",
        population.people.len(),
        args.out.display()
    );
    Ok(())
}
