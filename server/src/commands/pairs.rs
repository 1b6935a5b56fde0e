//! `predilect pairs`: the bank of pairs that people choose from.
use std::path::PathBuf;

use clap::{Args, Subcommand};
use predilect_model::data::split::Split;
use predilect_model::evaluation::{pairs, pictures::prompts, wordings::Wording};

use super::eval::ModelArgs;

/// The pairs of pictures that people choose from.
#[derive(Args)]
pub(crate) struct PairsArgs {
    #[command(subcommand)]
    action: PairsCommand,
}

#[derive(Subcommand)]
enum PairsCommand {
    /// Draw the bank with the model itself: several seeds of each prompt, of which the two
    /// pictures that differ most become a pair.
    ///
    /// Source artwork never gets into the bank. Writes bank.json and a WebP file a picture.
    Build(BuildArgs),
}

#[derive(Args)]
struct BuildArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Number of prompts
    #[arg(long, default_value_t = 96)]
    prompts: usize,
    /// Pictures drawn of each prompt
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(2..))]
    seeds: u64,
    /// Pairs that differ less are left out; in standard deviations of the artwork's axes
    #[arg(long, default_value_t = pairs::VISIBLE)]
    least_difference: f32,
    /// Which prompts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the bank
    #[arg(long, value_name = "FOLDER", default_value = "assets/pairs")]
    out: PathBuf,
}

/// Runs the subcommand.
pub(crate) fn run(args: PairsArgs) -> anyhow::Result<()> {
    let PairsCommand::Build(args) = args.action;
    let artwork = args.model.artwork()?;
    let engine = args.model.engine()?;
    let asked = prompts(
        &artwork,
        Split::Train,
        Wording::Label,
        args.prompts,
        args.seed,
    );
    let bank = pairs::build(
        &engine,
        &asked,
        args.seeds,
        args.least_difference,
        &args.out,
        &mut |done| eprintln!("prompt {done} of {}", asked.len()),
    )?;
    println!("{} pairs in {}", bank.pairs().len(), args.out.display());
    Ok(())
}
