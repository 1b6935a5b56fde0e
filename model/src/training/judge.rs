//! Judge: the classifier that evaluation asks what a picture shows.

use std::path::Path;

use tch::{Kind, Tensor};

use super::pictures::{PictureBank, tensor_to_pictures, write_sheet};
use super::{Metrics, Stage, StepContext, TrainError};
use crate::data::artwork::Artwork;
use crate::data::split::stable_hash;
use crate::diffusion::Noise;
use crate::evaluation::judge::Judge;
use crate::weights::{Parameter, Params};

/// Share of the pictures that the judge itself is measured on, in per cent.
const HELD_OUT_PER_CENT: u64 = 8;
/// Pictures on a sample sheet, and how many in a row.
const SHOWN: usize = 32;
const COLUMNS: u32 = 8;
/// Weight of the style's loss beside the subject's.
const STYLE_WEIGHT: f64 = 0.3;

/// The pictures to train on and those to measure on: split by picture, not by subject, since
/// the judge has to know every subject.
pub(super) fn split_pictures(artwork: &Artwork) -> (Vec<usize>, Vec<usize>) {
    (0..artwork.len()).partition(|&i| {
        let name = format!("{} {}", artwork.subject_of(i).code, artwork.style_of(i).id);
        stable_hash(name.as_bytes()) % 100 >= HELD_OUT_PER_CENT
    })
}

/// Trains a [`Judge`] on subject and style, under changes that make it robust to the soft
/// pictures that a generator draws.
pub(super) struct JudgeStage {
    /// The network.
    pub(super) judge: Judge,
    /// Its parameters.
    pub(super) params: Params,
    /// What the pictures show.
    pub(super) artwork: Artwork,
    /// Pictures to train on.
    pub(super) train: PictureBank,
    /// Pictures to measure on.
    pub(super) held_out: PictureBank,
    /// Samples a step.
    pub(super) batch: usize,
}

impl JudgeStage {
    /// Classes of these rows: `[n]` subjects and `[n]` styles, i64.
    fn classes(&self, bank: &PictureBank, rows: &[usize]) -> (Tensor, Tensor) {
        let pictures = || {
            rows.iter()
                .map(|&row| self.artwork.picture(bank.row(row).picture))
        };
        let subjects: Vec<i64> = pictures().map(|picture| picture.subject as i64).collect();
        let styles: Vec<i64> = pictures().map(|picture| picture.style as i64).collect();
        let device = self.params.device();
        (
            Tensor::from_slice(&subjects).to_device(device),
            Tensor::from_slice(&styles).to_device(device),
        )
    }

    /// Writes a sheet of measured pictures and, a line each, what they show and the three subjects
    /// that the judge takes them for.
    fn write_guesses(&self, dir: &Path, step: u64) -> Result<(), TrainError> {
        let rows: Vec<usize> = (0..self.held_out.len().min(SHOWN)).collect();
        let pictures = self.held_out.batch(&rows, Kind::Float);
        let verdicts = self.judge.forward(&pictures, false);
        let (_, best) = verdicts.subjects.topk(3, 1, true, true);
        let best = Vec::<Vec<i64>>::try_from(best).expect("classes are whole numbers");
        let subjects = self.artwork.subjects();
        let line = |(&row, best): (&usize, &Vec<i64>)| {
            let shown = self.held_out.row(row).picture;
            let guesses: Vec<&str> = best
                .iter()
                .map(|&class| subjects[class as usize].label.as_str())
                .collect();
            let label = &self.artwork.subject_of(shown).label;
            format!(
                "{label} ({}): {}\n",
                self.artwork.style_of(shown).id,
                guesses.join(", ")
            )
        };
        let lines: String = rows.iter().zip(&best).map(line).collect();
        let path = dir.join(format!("sheet-{step:06}.txt"));
        std::fs::write(&path, lines).map_err(TrainError::io(path))?;
        let sheet = dir.join(format!("sheet-{step:06}.png"));
        write_sheet(&sheet, &tensor_to_pictures(&pictures), COLUMNS)
    }
}

impl Stage for JudgeStage {
    fn name(&self) -> &'static str {
        "judge"
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.params.taken()
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let rows = noise.indices(self.batch, self.train.len());
        let pictures = self.train.batch(&rows, Kind::Float);
        let disturbed = disturb(&pictures, self.judge.config().input_size, noise);
        let verdicts = self.judge.forward(&disturbed, true);
        let (subjects, styles) = self.classes(&self.train, &rows);
        let entropy = |logits: &Tensor, classes: &Tensor| {
            let mean = tch::Reduction::Mean;
            logits.cross_entropy_loss(classes, None::<&Tensor>, mean, -100, 0.0)
        };
        let subject = entropy(&verdicts.subjects, &subjects);
        let style = entropy(&verdicts.styles, &styles);
        let loss = &subject + &style * STYLE_WEIGHT;
        (loss, vec![("subject", subject), ("style", style)])
    }

    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        self.write_guesses(dir, step)?;
        let (mut first, mut five, mut style) = (0.0, 0.0, 0.0);
        let count = self.held_out.len().min(1024);
        for start in (0..count).step_by(64) {
            let rows: Vec<usize> = (start..count.min(start + 64)).collect();
            let verdicts = self
                .judge
                .forward(&self.held_out.batch(&rows, Kind::Float), false);
            let (subjects, styles) = self.classes(&self.held_out, &rows);
            let (_, best) = verdicts.subjects.topk(5, 1, true, true);
            let hits = best.eq_tensor(&subjects.unsqueeze(1));
            let sum = |t: &Tensor| t.sum(Kind::Float).double_value(&[]);
            first += sum(&hits.narrow(1, 0, 1));
            five += sum(&hits);
            style += sum(&verdicts.styles.argmax(1, false).eq_tensor(&styles));
        }
        let share = |hits: f64| hits / count as f64;
        Ok(vec![
            ("top1", share(first)),
            ("top5", share(five)),
            ("style", share(style)),
        ])
    }
}

/// `[n, 3, h, w]` in [0, 1] to `[n, 3, size, size]`: shifted, scaled, recoloured, and for half of
/// the batch blurred; a little noise on all.
fn disturb(pictures: &Tensor, size: i64, noise: &mut Noise) -> Tensor {
    let count = pictures.size()[0];
    let device = pictures.device();
    let fold = pictures.size()[2] / size;
    let small = pictures.avg_pool2d([fold; 2], [fold; 2], [0, 0], false, true, None::<i64>);

    let mut theta = Vec::with_capacity(count as usize * 6);
    for _ in 0..count {
        let scale = 0.85 + 0.4 * noise.unit();
        let mut shift = || 0.24 * noise.unit() - 0.12;
        theta.extend([scale, 0.0, shift(), 0.0, scale, shift()]);
    }
    let theta = Tensor::from_slice(&theta)
        .reshape([count, 2, 3])
        .to_device(device);
    let grid = Tensor::affine_grid_generator(&theta, [count, 3, size, size], false);
    // Bilinear, and the rim's colour continues past the rim: backgrounds are plain.
    let moved = small.grid_sampler(&grid, 0, 1, false);

    let gain = (noise.uniform(&[count, 3, 1, 1]) * 0.15 + 1.0).to_device(device);
    let offset = (noise.uniform(&[count, 3, 1, 1]) * 0.08).to_device(device);
    let coloured = moved * gain + offset;
    let half = count / 2;
    let blurred =
        coloured
            .narrow(0, 0, half)
            .avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None::<i64>);
    let mixed = Tensor::cat(&[blurred, coloured.narrow(0, half, count - half)], 0);
    let grain = mixed.randn_like() * 0.02;
    (mixed + grain).clamp(0.0, 1.0)
}
