//! `predilect eval mirror`.

use std::path::PathBuf;

use clap::Args;
use predilect_model::data::split::Split;
use predilect_model::evaluation::mirror::{MirrorSize, mirror};
use predilect_model::evaluation::pictures::prompts;
use predilect_model::evaluation::wordings::Wording;
use predilect_model::training::write_sheet;

use super::{ModelArgs, pairs_to_choose_from, write_report};

#[derive(Args)]
pub(super) struct MirrorArgs {
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

pub(super) fn run(args: MirrorArgs) -> anyhow::Result<()> {
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
    write_report(&args.out, "mirror", &engine, &report)?;
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
