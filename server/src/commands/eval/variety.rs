//! `predilect eval variety`.

use std::path::PathBuf;

use clap::Args;
use predilect_model::evaluation::judge::Judge;
use predilect_model::evaluation::variety::{VarietySize, variety};

use super::{ModelArgs, write_report};

#[derive(Args)]
pub(super) struct VarietyArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Prompts whose pictures are counted by style
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    prompts: u16,
    /// Pictures of each of these prompts
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    seeds: u16,
    /// Prompts with one picture, whose distances are measured
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(2..))]
    pictures: u16,
    /// Which prompts, and the seeds of their pictures
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the report goes
    #[arg(long, value_name = "FOLDER", default_value = "eval")]
    out: PathBuf,
}

pub(super) fn run(args: VarietyArgs) -> anyhow::Result<()> {
    let artwork = args.model.artwork()?;
    let judge = Judge::open(&args.model.model_folder())?;
    let engine = args.model.engine()?;
    let size = VarietySize {
        prompts: args.prompts.into(),
        seeds: args.seeds.into(),
        pictures: args.pictures.into(),
        seed: args.seed,
    };
    let report = variety(&engine, &judge, &artwork, size)?;
    write_report(&args.out, "variety", &engine, &report)?;
    for styles in &report.styles {
        println!("{:>2} styles  {}", styles.covered(), styles.prompt);
    }
    println!(
        "kernel distance of {} pictures to artwork of {} held-out subjects: {:.4} (artwork of the \
         same subjects: {:.4})",
        report.drawn, report.held_out, report.kid, report.kid_of_artwork
    );
    let nearest = report.nearest;
    println!(
        "distance to the nearest training picture: {:.3} (artwork never seen: {:.3}); {:.1} % \
         suspiciously near, where 5 % of artwork never seen is",
        nearest.drawn,
        nearest.held_out,
        100.0 * nearest.suspiciously_near
    );
    println!(
        "{} prompts of {} pictures; {}",
        report.styles.len(),
        args.seeds,
        args.out.display()
    );
    Ok(())
}
