//! The text and image towers, trained together on captions and pictures (Radford et al. 2021).

use std::path::Path;

use tch::{Kind, Tensor};

use super::pictures::{PictureBank, Row, tensor_to_pictures, write_sheet};
use super::{Metrics, Stage, StepContext, TrainError};
use crate::data::artwork::Artwork;
use crate::data::captions::{Said, caption};
use crate::data::tokenizer::Tokenizer;
use crate::diffusion::Noise;
use crate::networks::clip::ClipTextModelWithProjection;
use crate::networks::siglip::{Positions, SiglipVisionModel};
use crate::weights::{Init, Parameter, Params};

/// Pictures of one subject in a batch: in different styles, so that style words count as well.
const PICTURES_OF_A_SUBJECT: usize = 2;
/// The temperature's largest inverse, as in CLIP.
const LARGEST_SCALE: f64 = 100.0;
/// Captions and pictures that a search is tried over.
const GALLERY: usize = 256;
/// Captions on a sample sheet, and pictures that are shown for each.
const SHOWN: usize = 8;
const NEAREST: i64 = 5;

/// The towers and data of [`Clip`].
pub(super) struct ClipParts {
    /// Text tower.
    pub(super) text: ClipTextModelWithProjection,
    /// Its parameters.
    pub(super) text_params: Params,
    /// Image tower; its pooled output is as wide as the text tower's projection.
    pub(super) image: SiglipVisionModel,
    /// Its parameters.
    pub(super) image_params: Params,
    /// The words of both.
    pub(super) tokenizer: Tokenizer,
    /// What the pictures show.
    pub(super) artwork: Artwork,
    /// Pictures to train on.
    pub(super) train: PictureBank,
    /// Pictures to measure on, of subjects that are not trained on.
    pub(super) held_out: PictureBank,
    /// Pictures a step.
    pub(super) batch: usize,
}

/// Trains both towers to find each other's counterpart in the batch.
pub(super) struct Clip {
    parts: ClipParts,
    /// Logarithm of the inverse temperature, `[1]` f32.
    logit_scale: Tensor,
    scale_params: Params,
    /// Rows of the training pictures by subject.
    by_subject: Vec<Vec<usize>>,
}

impl Clip {
    /// A stage over these towers and pictures.
    ///
    /// # Errors
    /// Never with parameters from a seed, as the temperature's are.
    pub(super) fn new(parts: ClipParts) -> Result<Self, TrainError> {
        let scale_params = Params::random(0, Kind::Float, parts.text_params.device());
        let start = Init::Const((1.0f64 / 0.07).ln());
        let logit_scale = scale_params.tensor("logit_scale", &[1], start)?;
        let mut by_subject = vec![Vec::new(); parts.artwork.subjects().len()];
        for i in 0..parts.train.len() {
            let subject = parts.artwork.picture(parts.train.row(i).picture).subject;
            by_subject[subject].push(i);
        }
        by_subject.retain(|rows| !rows.is_empty());
        Ok(Self {
            parts,
            logit_scale,
            scale_params,
            by_subject,
        })
    }

    fn caption(&self, row: Row, noise: &mut Noise) -> String {
        let artwork = &self.parts.artwork;
        let (subject, style) = (
            artwork.subject_of(row.picture),
            artwork.style_of(row.picture),
        );
        let said = Said::draw(noise.rng());
        caption(subject, style, &row.variant, said, noise.rng())
    }

    /// Captions to unit vectors, `[n, c]` f32.
    fn embed_text(&self, captions: &[String]) -> Tensor {
        let encode = |text: &String| {
            let ids = self.parts.tokenizer.encode(text, true);
            ids.expect("byte-level tokens exist for every text")
        };
        let ids: Vec<Vec<i64>> = captions.iter().map(encode).collect();
        let ids = self.parts.text.config().pack_tight(&ids);
        let output = self
            .parts
            .text
            .forward(&ids.to_device(self.parts.text_params.device()), None);
        unit(&output.expect("packed texts fit").text_embeds)
    }

    /// Pictures `[n, 3, h, w]` in [0, 1] to unit vectors, `[n, c]` f32.
    fn embed_pictures(&self, pictures: &Tensor) -> Tensor {
        let image = &self.parts.image;
        let output = image.forward(&image.preprocess(pictures), Positions::Trained);
        let pooled = output
            .expect("pictures are resized to the tower's size")
            .pooler_output;
        unit(&pooled.expect("the image tower is made with its head"))
    }

    /// A batch of rows: subjects at most once, each in a few of its pictures.
    fn rows(&self, noise: &mut Noise) -> Vec<usize> {
        let wanted = self.parts.batch.div_ceil(PICTURES_OF_A_SUBJECT);
        let wanted = wanted.min(self.by_subject.len());
        let mut subjects: Vec<usize> = (0..self.by_subject.len()).collect();
        let mut rows = Vec::with_capacity(self.parts.batch);
        for i in 0..wanted {
            subjects.swap(i, i + noise.below(self.by_subject.len() - i));
            let of_subject = &self.by_subject[subjects[i]];
            for _ in 0..PICTURES_OF_A_SUBJECT {
                rows.push(of_subject[noise.below(of_subject.len())]);
            }
        }
        rows
    }

    /// Where a caption (row) says nothing that tells another picture (column) of its subject
    /// apart: no counterpart, but no wrong one either. `[n, n]` bool.
    fn ambiguous(&self, rows: &[Row], captions: &[String]) -> Tensor {
        let artwork = &self.parts.artwork;
        let mut flags = Vec::with_capacity(rows.len() * rows.len());
        for (i, (row, text)) in rows.iter().zip(captions).enumerate() {
            let shown = artwork.picture(row.picture);
            let words = &artwork.style_of(row.picture).words;
            let says_style = words.iter().any(|words| text.contains(words.as_str()));
            for (j, other) in rows.iter().enumerate() {
                let other = artwork.picture(other.picture);
                let same_subject = other.subject == shown.subject;
                let told_apart = says_style && other.style != shown.style;
                flags.push(i != j && same_subject && !told_apart);
            }
        }
        let n = rows.len() as i64;
        Tensor::from_slice(&flags).view([n, n])
    }

    /// Looks for the captions of [`GALLERY`] pictures, each of another subject, among them.
    fn search(&self, bank: &PictureBank) -> Search {
        let mut noise = Noise::new(1);
        let mut seen = std::collections::HashSet::new();
        let mut rows = Vec::new();
        // Every subject has pictures in several styles; a stride takes each in another one.
        for i in 0..bank.len() {
            let row = (i * 7919) % bank.len();
            let subject = self.parts.artwork.picture(bank.row(row).picture).subject;
            if rows.len() < GALLERY && seen.insert(subject) {
                rows.push(row);
            }
        }
        let captions: Vec<String> = rows
            .iter()
            .map(|&row| self.caption(bank.row(row), &mut noise))
            .collect();
        let kind = self.parts.image_params.kind();
        let texts = self.embed_text(&captions);
        let pictures = self.embed_pictures(&bank.batch(&rows, kind));
        Search {
            near: texts.matmul(&pictures.tr()),
            rows,
            captions,
        }
    }
}

/// How near captions are to pictures, each caption's own picture at its place.
struct Search {
    rows: Vec<usize>,
    captions: Vec<String>,
    /// `[captions, pictures]` f32.
    near: Tensor,
}

impl Search {
    /// Share of captions whose picture is among the `k` nearest, for k = 1 and 5.
    fn recall(&self) -> (f64, f64) {
        let own = self.near.diag(0).unsqueeze(1);
        let better =
            self.near
                .gt_tensor(&own)
                .sum_dim_intlist([1i64].as_slice(), false, Kind::Int64);
        let within = |k: i64| {
            better
                .lt(k)
                .to_kind(Kind::Double)
                .mean(Kind::Double)
                .double_value(&[])
        };
        (within(1), within(5))
    }

    /// Writes a sheet with a row a caption: its own picture, then those nearest to it. The captions
    /// are in a text file beside it, a line each.
    fn write(&self, bank: &PictureBank, dir: &Path, step: u64) -> Result<(), TrainError> {
        let nearest = NEAREST.min(self.rows.len() as i64);
        let (_, best) = self.near.topk(nearest, 1, true, true);
        let best = Vec::<Vec<i64>>::try_from(best).expect("places are whole numbers");
        let mut shown = Vec::new();
        for (&own, best) in self.rows.iter().zip(&best).take(SHOWN) {
            shown.push(own);
            shown.extend(best.iter().map(|&place| self.rows[place as usize]));
        }
        let pictures = tensor_to_pictures(&bank.batch(&shown, Kind::Float));
        let sheet = dir.join(format!("sheet-{step:06}.png"));
        write_sheet(&sheet, &pictures, 1 + nearest as u32)?;
        let captions = self.captions[..self.captions.len().min(SHOWN)].join("\n") + "\n";
        let path = dir.join(format!("sheet-{step:06}.txt"));
        std::fs::write(&path, captions).map_err(TrainError::io(path))
    }
}

impl Stage for Clip {
    fn name(&self) -> &'static str {
        "clip"
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.parts.text_params.taken_as("text_encoder");
        all.extend(self.parts.image_params.taken_as("image_encoder"));
        all.extend(self.scale_params.taken());
        all
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let indices = self.rows(noise);
        let rows: Vec<Row> = indices.iter().map(|&i| self.parts.train.row(i)).collect();
        let captions: Vec<String> = rows.iter().map(|&row| self.caption(row, noise)).collect();
        let pictures = self
            .parts
            .train
            .batch(&indices, self.parts.image_params.kind());
        let device = pictures.device();

        let texts = self.embed_text(&captions);
        let pictures = self.embed_pictures(&pictures);
        let scale = self.logit_scale.exp().clamp_max(LARGEST_SCALE);
        let ambiguous = self.ambiguous(&rows, &captions).to_device(device);
        let logits =
            (texts.matmul(&pictures.tr()) * scale).masked_fill(&ambiguous, f64::from(f32::MIN));
        let own = Tensor::arange(rows.len() as i64, (Kind::Int64, device));
        let find_picture = logits.cross_entropy_for_logits(&own);
        let find_text = logits.tr().cross_entropy_for_logits(&own);
        let hits = logits
            .argmax(1, false)
            .eq_tensor(&own)
            .to_kind(Kind::Float)
            .mean(Kind::Float);
        (
            (find_picture + find_text) / 2.0,
            vec![("recall@1 in batch", hits)],
        )
    }

    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        let (trained_1, trained_5) = self.search(&self.parts.train).recall();
        let new = self.search(&self.parts.held_out);
        let (new_1, new_5) = new.recall();
        new.write(&self.parts.held_out, dir, step)?;
        Ok(vec![
            ("recall@1", trained_1),
            ("recall@5", trained_5),
            ("recall@1 new subjects", new_1),
            ("recall@5 new subjects", new_5),
        ])
    }
}

/// Rows at unit length, f32.
fn unit(x: &Tensor) -> Tensor {
    let x = x.to_kind(Kind::Float);
    let length = x
        .square()
        .sum_dim_intlist([-1i64].as_slice(), true, Kind::Float)
        .sqrt();
    x / length.clamp_min(1e-6)
}
