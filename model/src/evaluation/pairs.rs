//! Pairs of pictures: the bank that people choose from, drawn with the model itself, and pairs of
//! artwork that say how consistent people are.
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::axes::{AxisValues, farthest, measure};
use super::drawing::{EvaluationError, Request, draw};
use super::pictures::Prompt;
use crate::data::artwork::Artwork;
use crate::engine::{Engine, Taste};
use crate::preference::pair_bank::{PairBank, PairBankWriter};

/// Pairs of [`of_artwork`], and which.
const OF_ARTWORK: usize = 128;
const OF_ARTWORK_SEED: u64 = 0;

/// Normalised axes, to a hundredth, of 128 random pairs of pictures of the artwork. Both pictures of
/// a pair show the same subject, in any style and variant, as two pictures of one prompt do.
pub fn of_artwork(artwork: &Artwork) -> Vec<[AxisValues; 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(OF_ARTWORK_SEED);
    let pair = |_| {
        let one = rng.random_range(0..artwork.len());
        let subject = artwork.picture(one).subject;
        let alike = |&other: &usize| artwork.picture(other).subject == subject;
        let others: Vec<usize> = (0..artwork.len()).filter(alike).collect();
        let other = others[rng.random_range(0..others.len())];
        [one, other].map(|picture| {
            let (variant, _) = artwork.variant(picture, rng.random_range(0..1000));
            let values = measure(&variant).normalised().0;
            AxisValues(values.map(|value| (value * 100.0).round() / 100.0))
        })
    };
    (0..OF_ARTWORK).map(pair).collect()
}

/// Distance on the axes, in standard deviations of the artwork, from which a difference is plain
/// to see.
pub const VISIBLE: f32 = 1.2;

/// Draws `seeds` pictures of each prompt and writes the two that differ most as a pair. Prompts
/// whose pictures all differ by less than `least` ([`VISIBLE`] as a rule) give none.
///
/// # Errors
/// When drawing or writing fails, or no pair differs visibly.
pub fn build(
    engine: &Engine,
    prompts: &[Prompt],
    seeds: u64,
    least: f32,
    folder: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<PairBank, EvaluationError> {
    let mut writer = PairBankWriter::create(folder, &engine.info().drawing_hash)?;
    let mut pairs = 0;
    for (done, block) in prompts.chunks(8).enumerate() {
        let requests = block.iter().map(|prompt| Request {
            prompt: prompt.text.clone(),
            seeds: (0..seeds).collect(),
            taste: Taste::Base,
        });
        for (prompt, pictures) in block.iter().zip(draw(engine, requests.collect())?) {
            let axes: Vec<AxisValues> = pictures.iter().map(|p| measure(p).normalised()).collect();
            if let Some((left, right)) = farthest(&axes)
                && axes[left].distance(&axes[right]) >= least
            {
                writer.add(&prompt.text, &pictures[left], &pictures[right])?;
                pairs += 1;
            }
        }
        progress((done * 8 + block.len()).min(prompts.len()));
    }
    if pairs == 0 {
        return Err(EvaluationError::TooAlike(
            "no prompt gave two pictures that differ enough: train the model further, or lower \
             --least-difference"
                .to_owned(),
        ));
    }
    Ok(writer.finish()?)
}
