//! `predilect eval axes`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use image::RgbImage;
use predilect_model::data::artwork::Artwork;
use predilect_model::data::cache;
use predilect_model::evaluation::axes::{Axis, AxisValues, correlations, measure, statistics};
use predilect_model::evaluation::pairs::of_artwork;
use predilect_model::preference::pair_bank::{PairBank, Side};
use predilect_model::training::write_sheet;

/// Pictures at each end of an axis on the sheet.
const SHOWN: usize = 12;

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
    /// Measure the pictures of this bank instead of the artwork
    #[arg(long, value_name = "FOLDER", conflicts_with = "write_pairs")]
    pairs: Option<PathBuf>,
    /// Draw the pictures at both ends of each axis: a row of the lowest, a row of the highest, axis
    /// by axis
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Write the normalised axes of random pairs of pictures of one subject each, which is what the
    /// consistency of simulated people refers to
    #[arg(long, value_name = "FILE")]
    write_pairs: Option<PathBuf>,
}

pub(super) fn run(args: AxesArgs) -> anyhow::Result<()> {
    let pictures: Vec<RgbImage> = match &args.pairs {
        Some(folder) => {
            let bank = PairBank::load(folder)?;
            let sides = bank.pairs().iter().flat_map(|pair| {
                [Side::Left, Side::Right].map(|side| bank.read_picture(pair, side))
            });
            sides.collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    let mut values: Vec<AxisValues> = pictures.iter().map(measure).collect();
    let artwork = || {
        Ok::<_, anyhow::Error>(Artwork::open(
            &args.artwork.clone().unwrap_or_else(cache::artwork_dir),
        )?)
    };
    let variant;
    let picture_of: &dyn Fn(usize) -> RgbImage = if args.pairs.is_some() {
        &|i| pictures[i].clone()
    } else {
        let artwork = artwork()?;
        let measured = (0..artwork.len()).step_by(args.every as usize);
        for picture in measured {
            values.extend((0..args.variants).map(|k| measure(&artwork.variant(picture, k).0)));
        }
        if let Some(path) = &args.write_pairs {
            write_pairs(path, &of_artwork(&artwork))?;
        }
        variant = move |i: usize| {
            let (place, k) = (i as u64 / args.variants, i as u64 % args.variants);
            artwork.variant(place as usize * args.every as usize, k).0
        };
        &variant
    };
    for (axis, (mean, deviation)) in Axis::ALL.iter().zip(statistics(&values)) {
        println!("{axis:?}: mean {mean:.4}, standard deviation {deviation:.4}");
    }
    println!("correlations, in that order:");
    for row in correlations(&values) {
        let row = row.map(|correlation| format!("{correlation:>6.2}"));
        println!("{}", row.concat());
    }
    println!("{} pictures", values.len());
    if let Some(path) = &args.sheet {
        let shown: Vec<RgbImage> = ends(&values).into_iter().map(picture_of).collect();
        write_sheet(path, &shown, SHOWN as u32)?;
    }
    Ok(())
}

/// The pictures at the low and then the high end of each axis.
fn ends(values: &[AxisValues]) -> Vec<usize> {
    let of_axis = |axis: Axis| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a][axis].total_cmp(&values[b][axis]));
        let highest = order.iter().rev().take(SHOWN).copied();
        let lowest: Vec<usize> = order.iter().take(SHOWN).copied().collect();
        lowest.into_iter().chain(highest.collect::<Vec<_>>())
    };
    Axis::ALL.into_iter().flat_map(of_axis).collect()
}

/// A pair a line.
fn write_pairs(path: &Path, pairs: &[[AxisValues; 2]]) -> anyhow::Result<()> {
    let lines: Vec<String> = pairs
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    std::fs::write(path, text).with_context(|| path.display().to_string())
}
