//! `predilect eval pictures`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use predilect_model::data::split::Split;
use predilect_model::evaluation::judge::Judge;
use predilect_model::evaluation::pictures::{judge_prompts, prompts};
use predilect_model::evaluation::wordings::Wording;
use predilect_model::training::write_sheet;
use predilect_statistics::Interval;

use super::{ModelArgs, write_report};

#[derive(Args)]
pub(super) struct PicturesArgs {
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

pub(super) fn run(args: PicturesArgs) -> anyhow::Result<()> {
    let artwork = args.model.artwork()?;
    let folder = args.model.model_folder();
    let judge = Judge::open(&folder)?;
    let engine = args.model.engine()?;
    let split = if args.held_out {
        Split::HeldOut
    } else {
        Split::Train
    };
    let asked = prompts(&artwork, split, args.wording.into(), args.count, args.seed);
    let (report, drawn) = judge_prompts(&engine, &folder, &judge, &artwork, &asked, args.seed)?;
    write_report(&args.out, "pictures", &engine, &report)?;
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
