//! Drawing the bank of pairs that people choose from, with the model itself.
use std::path::Path;

use super::axes::{AxisValues, farthest, measure};
use super::drawing::{EvaluationError, Request, draw};
use super::pictures::Prompt;
use crate::engine::{Engine, Taste};
use crate::preference::pair_bank::{PairBank, PairBankWriter};

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
