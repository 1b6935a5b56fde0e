//! What Stage C learns from: latents of the artwork, and captions that may stand for them.

use tch::{Kind, Tensor};

use super::pictures::{PictureBank, Row};
use crate::data::artwork::Artwork;
use crate::data::captions::{Said, caption, said_alike};
use crate::diffusion::Noise;
use crate::networks::latent_encoder::LatentEncoder;

/// The latents of every row of a picture bank, and what the rows show.
pub(super) struct CaptionedLatents {
    artwork: Artwork,
    rows: Vec<Row>,
    /// `[rows, c, h, w]` f32.
    latents: Tensor,
    /// Rows by the subject's place in the artwork set.
    of_subject: Vec<Vec<usize>>,
    /// Rows by the picture's place in the artwork set.
    of_picture: Vec<Vec<usize>>,
}

impl CaptionedLatents {
    /// Encodes a bank of this artwork's pictures.
    pub(super) fn encode(
        artwork: Artwork,
        encoder: &LatentEncoder,
        pictures: &PictureBank,
        kind: Kind,
    ) -> Self {
        let all: Vec<usize> = (0..pictures.len()).collect();
        let encode = |rows: &[usize]| {
            let latents = encoder.encode(&pictures.batch(rows, kind), false);
            latents.to_kind(Kind::Float)
        };
        let blocks: Vec<Tensor> = tch::no_grad(|| all.chunks(128).map(encode).collect());
        let rows: Vec<Row> = all.iter().map(|&i| pictures.row(i)).collect();
        let mut of_subject = vec![Vec::new(); artwork.subjects().len()];
        let mut of_picture = vec![Vec::new(); artwork.len()];
        for (i, row) in rows.iter().enumerate() {
            of_subject[artwork.picture(row.picture).subject].push(i);
            of_picture[row.picture].push(i);
        }
        Self {
            latents: Tensor::cat(&blocks, 0),
            rows,
            of_subject,
            of_picture,
            artwork,
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All latents, `[rows, c, h, w]` f32.
    pub(super) fn all(&self) -> &Tensor {
        &self.latents
    }

    /// Latents of these rows, `[n, c, h, w]` f32.
    pub(super) fn batch(&self, rows: &[usize]) -> Tensor {
        let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let index = Tensor::from_slice(&index).to_device(self.latents.device());
        self.latents.index_select(0, &index)
    }

    /// The place of a row's subject in the artwork set.
    pub(super) fn subject(&self, row: usize) -> usize {
        self.artwork.picture(self.rows[row].picture).subject
    }

    /// The plain name of what a row shows.
    pub(super) fn label(&self, row: usize) -> &str {
        &self.artwork.subjects()[self.subject(row)].label
    }

    /// A caption of a row that says this much, another one each time.
    pub(super) fn caption(&self, row: usize, said: Said, noise: &mut Noise) -> String {
        let Row { picture, variant } = &self.rows[row];
        let subject = self.artwork.subject_of(*picture);
        let style = self.artwork.style_of(*picture);
        caption(subject, style, variant, said, noise.rng())
    }

    /// Any caption, and the rows that it may stand for.
    pub(super) fn draw(&self, noise: &mut Noise) -> (String, Vec<usize>) {
        let row = noise.below(self.rows.len());
        let said = Said::draw(noise.rng());
        let caption = self.caption(row, said, noise);
        let mut rows = match said.style {
            true => self.of_picture[self.rows[row].picture].clone(),
            false => self.of_subject[self.subject(row)].clone(),
        };
        if said.changes {
            let variant = |row: usize| &self.rows[row].variant;
            rows.retain(|&other| said_alike(variant(other), variant(row)));
        }
        (caption, rows)
    }

    /// Latents of groups of rows, `[groups, k, d]` f32 for the longest group's k, and which of
    /// them there are, `[groups, k]` bool.
    pub(super) fn groups(&self, groups: &[Vec<usize>]) -> (Tensor, Tensor) {
        let longest = groups.iter().map(Vec::len).max().unwrap_or(1);
        let (mut rows, mut known) = (Vec::new(), Vec::new());
        for group in groups {
            rows.extend((0..longest).map(|i| group.get(i).copied().unwrap_or(group[0])));
            known.extend((0..longest).map(|i| i < group.len()));
        }
        let shape = [groups.len() as i64, longest as i64];
        let latents = self.batch(&rows).flatten(1, -1);
        let known = Tensor::from_slice(&known).to_device(latents.device());
        (latents.view([shape[0], shape[1], -1]), known.view(shape))
    }

    /// The mean latent of each subject that has rows, `[subjects, d]` f32, and which they are.
    pub(super) fn subject_means(&self) -> (Tensor, Vec<usize>) {
        let known: Vec<usize> = (0..self.of_subject.len())
            .filter(|&subject| !self.of_subject[subject].is_empty())
            .collect();
        let mean = |&subject: &usize| {
            let latents = self.batch(&self.of_subject[subject]).flatten(1, -1);
            latents.mean_dim([0i64].as_slice(), false, Kind::Float)
        };
        let means: Vec<Tensor> = known.iter().map(mean).collect();
        (Tensor::stack(&means, 0), known)
    }
}
