//! `predilect eval axes`.

use std::path::PathBuf;

use clap::Args;
use predilect_model::data::artwork::Artwork;
use predilect_model::data::cache;
use predilect_model::evaluation::axes::{Axis, measure, statistics};

#[derive(Args)]
pub(super) struct AxesArgs {
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

pub(super) fn run(args: AxesArgs) -> anyhow::Result<()> {
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
