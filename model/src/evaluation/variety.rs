//! How varied the base model's pictures are, and how near to what it was trained on.

use image::RgbImage;
use serde::Serialize;
use tch::{Kind, Tensor};

use super::drawing::{EvaluationError, Request, draw};
use super::judge::Judge;
use super::kid::kernel_distance;
use super::pictures::{Prompt, prompts, rendering};
use super::wordings::Wording;
use crate::data::artwork::Artwork;
use crate::data::split::Split;
use crate::engine::{Engine, Taste};

/// How much is drawn.
#[derive(Debug, Clone, Copy)]
pub struct VarietySize {
    /// Prompts whose pictures are counted by style.
    pub prompts: usize,
    /// Pictures of each of them.
    pub seeds: usize,
    /// Prompts with a picture each, whose distances are measured.
    pub pictures: usize,
    /// Which prompts, and the seeds of their pictures.
    pub seed: u64,
}

/// Styles among the pictures of one prompt, as the judge names them.
#[derive(Debug, Clone, Serialize)]
pub struct Styles {
    /// What was asked for; no style is.
    pub prompt: String,
    /// Number of pictures of each style, in the judge's order.
    pub counts: Vec<usize>,
}

impl Styles {
    /// Styles with a picture at least.
    pub fn covered(&self) -> usize {
        self.counts.iter().filter(|&&count| count > 0).count()
    }
}

/// Distances to the nearest picture of the training artwork, 1 − cosine of the judge's features.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Nearest {
    /// Median of the drawn pictures.
    pub drawn: f64,
    /// Median of real renderings of subjects that were held out: as far as pictures are that were
    /// never seen.
    pub held_out: f64,
    /// Share of the drawn pictures that are nearer than 95 % of the held-out renderings: 5 % of
    /// pictures that were never seen would be.
    pub suspiciously_near: f64,
}

/// What [`variety`] finds.
#[derive(Debug, Clone, Serialize)]
pub struct VarietyReport {
    /// The judge's names of the styles.
    pub style_names: Vec<String>,
    /// Prompt by prompt.
    pub styles: Vec<Styles>,
    /// How many pictures were drawn for the distances.
    pub drawn: usize,
    /// How many renderings of held-out subjects they are compared with: as many, or all.
    pub held_out: usize,
    /// Kernel distance of drawn pictures to renderings of held-out subjects.
    pub kid: f64,
    /// The same of real renderings of the drawn subjects: what perfect pictures would have.
    pub kid_of_artwork: f64,
    /// Whether pictures are copies of training artwork.
    pub nearest: Nearest,
}

/// Draws pictures for nobody and measures how varied and how new they are.
///
/// # Errors
/// When drawing fails or the set has too few held-out subjects.
pub fn variety(
    engine: &Engine,
    judge: &Judge,
    artwork: &Artwork,
    size: VarietySize,
) -> Result<VarietyReport, EvaluationError> {
    let asked = |split, count| prompts(artwork, split, Wording::Label, count, size.seed);
    let styles = asked(Split::Train, size.prompts)
        .into_iter()
        .map(|prompt| {
            let seeds = (0..size.seeds as u64).map(|i| size.seed + i).collect();
            let drawn = drawn(engine, vec![(&prompt, seeds)])?;
            let mut counts = vec![0; judge.config().styles.len()];
            for style in judge.styles_of(&drawn) {
                counts[style] += 1;
            }
            Ok(Styles {
                prompt: prompt.text,
                counts,
            })
        })
        .collect::<Result<_, EvaluationError>>()?;

    let trained = asked(Split::Train, size.pictures);
    let held_out = asked(Split::HeldOut, size.pictures);
    let least = trained.len().min(held_out.len());
    if least < 2 {
        return Err(EvaluationError::TooFewSubjects(least));
    }
    let one_each = trained
        .iter()
        .map(|prompt| (prompt, vec![size.seed]))
        .collect();
    let drawn = judge.features(&drawn(engine, one_each)?);
    let real = |asked: &[Prompt]| -> Vec<RgbImage> {
        let picture = |prompt: &Prompt| rendering(artwork, prompt.subject, size.seed);
        asked.iter().map(picture).collect()
    };
    let (same, unseen) = (
        judge.features(&real(&trained)),
        judge.features(&real(&held_out)),
    );
    let seen: Vec<Tensor> = artwork
        .pictures_of(Split::Train)
        .chunks(256)
        .map(|block| {
            let plain = |&picture: &usize| artwork.composite(picture, [255; 3]);
            judge.features(&block.iter().map(plain).collect::<Vec<_>>())
        })
        .collect();
    Ok(VarietyReport {
        drawn: trained.len(),
        held_out: held_out.len(),
        style_names: judge.config().styles.clone(),
        styles,
        kid: kernel_distance(&drawn, &unseen),
        kid_of_artwork: kernel_distance(&same, &unseen),
        nearest: nearest(&drawn, &unseen, &Tensor::cat(&seen, 0)),
    })
}

/// Pictures for nobody, one request after the other.
fn drawn(
    engine: &Engine,
    asked: Vec<(&Prompt, Vec<u64>)>,
) -> Result<Vec<RgbImage>, EvaluationError> {
    let requests = asked
        .into_iter()
        .map(|(prompt, seeds)| Request {
            prompt: prompt.text.clone(),
            seeds,
            taste: Taste::Base,
        })
        .collect();
    Ok(draw(engine, requests)?.into_iter().flatten().collect())
}

/// How far features `[n, d]` are from the nearest of those `seen` `[m, d]`.
fn nearest(drawn: &Tensor, unseen: &Tensor, seen: &Tensor) -> Nearest {
    let unit = |x: &Tensor| {
        let over = [-1i64];
        let squares = x
            .square()
            .sum_dim_intlist(over.as_slice(), true, Kind::Float);
        x / (squares.sqrt() + 1e-12)
    };
    let seen = unit(seen).tr();
    let distances = |x: &Tensor| {
        let (likeness, _) = unit(x).matmul(&seen).max_dim(1, false);
        let likeness = Vec::<f32>::try_from(likeness).expect("a likeness a row");
        let mut distances: Vec<f64> = likeness.iter().map(|&x| 1.0 - f64::from(x)).collect();
        distances.sort_by(f64::total_cmp);
        distances
    };
    let (drawn, unseen) = (distances(drawn), distances(unseen));
    let limit = unseen[unseen.len() / 20];
    let near = drawn.iter().filter(|&&distance| distance < limit).count();
    Nearest {
        suspiciously_near: near as f64 / drawn.len() as f64,
        drawn: drawn[drawn.len() / 2],
        held_out: unseen[unseen.len() / 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::Noise;

    #[test]
    fn copies_are_near_and_new_pictures_as_far_as_unseen_ones() {
        let mut noise = Noise::new(1);
        let (seen, unseen) = (noise.gaussian(&[500, 16]), noise.gaussian(&[100, 16]));
        let copies = nearest(&seen.narrow(0, 0, 100), &unseen, &seen);
        assert!(
            copies.drawn < 1e-5 && copies.suspiciously_near == 1.0,
            "{copies:?}"
        );
        let new = nearest(&noise.gaussian(&[400, 16]), &unseen, &seen);
        assert!((new.drawn - new.held_out).abs() < 0.05, "{new:?}");
        assert!(new.suspiciously_near < 0.15, "{new:?}");
    }
}
