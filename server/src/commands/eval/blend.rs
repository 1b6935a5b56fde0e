//! `predilect eval blend`.

use std::path::PathBuf;

use clap::Args;
use predilect_model::data::split::Split;
use predilect_model::evaluation::blend::{BlendConfig, blends};
use predilect_model::evaluation::judge::Judge;
use predilect_model::evaluation::pictures::prompts;
use predilect_model::evaluation::population::Population;
use predilect_model::evaluation::wordings::Wording;

use super::{ModelArgs, pairs_to_choose_from, write_report};

#[derive(Args)]
pub(super) struct BlendArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// The people, as `predilect users sample` writes them: the first is blended with the second,
    /// the third with the fourth
    #[arg(long, value_name = "FILE")]
    users: PathBuf,
    /// The bank that they choose from; it has to be drawn by this model
    #[arg(long, value_name = "FOLDER", default_value = "assets/pairs")]
    pairs: PathBuf,
    /// Places of the slider, the ends included
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u16).range(2..))]
    places: u16,
    /// Prompts, a picture of each at every place
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    prompts: u16,
    /// Which pairs people see, which prompts, and every picture's seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the report goes
    #[arg(long, value_name = "FOLDER", default_value = "eval")]
    out: PathBuf,
}

pub(super) fn run(args: BlendArgs) -> anyhow::Result<()> {
    let population = Population::read(&args.users)?;
    let artwork = args.model.artwork()?;
    let judge = Judge::open(&args.model.model_folder())?;
    let engine = args.model.engine()?;
    let choices = pairs_to_choose_from(&engine, &args.pairs)?;
    let count = args.prompts.into();
    let asked = prompts(&artwork, Split::Train, Wording::Label, count, args.seed);
    let config = BlendConfig {
        population: &population,
        choices: &choices,
        prompts: &asked,
        places: args.places.into(),
        seed: args.seed,
    };
    let couples = population.people.len() / 2;
    let report = blends(&engine, &judge, &artwork, &config, &mut |done| {
        eprint!("\rcouple {done} of {couples}");
    })?;
    eprintln!();
    write_report(&args.out, "blend", &engine, &report)?;
    for place in &report.places {
        println!(
            "{:>3.0} % of the second: utility {:+.2} for the first, {:+.2} for the second; top-5 {:.1} %",
            100.0 * place.second,
            place.utilities[0],
            place.utilities[1],
            100.0 * place.hits.top5
        );
    }
    let in_words = |number: Option<f64>, scale: f64| {
        number.map_or_else(|| "undefined".to_owned(), |n| format!("{:.2}", scale * n))
    };
    println!(
        "Spearman {} over {couples} couples, median of the couples {:.2}",
        in_words(report.spearman, 1.0),
        report.median_spearman
    );
    println!(
        "the largest step carries {} % of the way; the ends differ from the single profiles by {} \
         of 255 levels at most",
        in_words(report.largest_step, 100.0),
        report.ends_differ_by
    );
    Ok(())
}
