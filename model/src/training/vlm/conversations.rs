//! Conversations about what simulated people choose, and the pictures that they choose between.

use image::RgbImage;
use tch::{Device, Tensor};

use crate::data::split::Split;
use crate::diffusion::Noise;
use crate::evaluation::axes::{Axis, AxisValues, measure};
use crate::evaluation::population::{self, Choice, Person};
use crate::evaluation::taste;
use crate::preference::conversation::PAIRS;
use crate::training::pictures::bytes_to_tensor;

/// Seed of the population, and how many people it has.
const POPULATION: u64 = 1;
const PEOPLE: usize = 20_000;

/// Choices of one person: rows of a [`Gallery`], the preferred one first.
pub(super) struct Conversation {
    pub(super) pairs: [(usize, usize); PAIRS],
    /// The choice that is to be foretold.
    pub(super) query: (usize, usize),
}

impl Conversation {
    /// Somebody who chooses the other picture every time.
    pub(super) fn mirrored(&self) -> Self {
        let swap = |(a, b): (usize, usize)| (b, a);
        Self {
            pairs: self.pairs.map(swap),
            query: swap(self.query),
        }
    }

    /// The rows of the prompt's pictures, in order.
    pub(super) fn pictures(&self) -> impl Iterator<Item = usize> {
        self.pairs
            .into_iter()
            .flat_map(|(preferred, rejected)| [preferred, rejected])
    }

    /// The rows of all pictures.
    pub(super) fn all_pictures(&self) -> impl Iterator<Item = usize> {
        self.pictures().chain([self.query.0, self.query.1])
    }

    /// How far the preferred pictures of the first `pairs` pairs are ahead of the others on each
    /// axis that may be told, on the mean.
    pub(super) fn lead(&self, gallery: &Gallery, pairs: usize) -> [f32; Axis::TOLD.len()] {
        Axis::TOLD.map(|axis| {
            let ahead = |&(a, b): &(usize, usize)| gallery.axes[a][axis] - gallery.axes[b][axis];
            self.pairs[..pairs].iter().map(ahead).sum::<f32>() / pairs as f32
        })
    }

    pub(super) fn description(&self, gallery: &Gallery) -> String {
        let choices = self.pairs.map(|(a, b)| (gallery.axes[a], gallery.axes[b]));
        taste::describe(&choices)
    }
}

/// Pictures as people see them. Each collection has groups of pictures that a pair can be made of.
pub(super) struct Gallery {
    /// `[pictures, 3, h, w]` u8.
    pixels: Tensor,
    axes: Vec<AxisValues>,
    captions: Vec<String>,
    collections: Vec<Vec<Vec<usize>>>,
}

impl Gallery {
    /// A gallery on this device with nothing in it.
    pub(super) fn empty(device: Device) -> Self {
        Self {
            pixels: Tensor::empty([0], (tch::Kind::Uint8, device)),
            axes: Vec::new(),
            captions: Vec::new(),
            collections: Vec::new(),
        }
    }

    /// Adds a collection of captions with their pictures, all of one size. Captions with fewer
    /// than two make no pair and are left out.
    pub(super) fn with(
        mut self,
        groups: impl IntoIterator<Item = (String, Vec<RgbImage>)>,
    ) -> Self {
        let device = self.pixels.device();
        let mut blocks = match self.axes.is_empty() {
            true => Vec::new(),
            false => vec![self.pixels.shallow_clone()],
        };
        let mut collection = Vec::new();
        for (caption, pictures) in groups {
            if pictures.len() < 2 {
                continue;
            }
            let first = self.axes.len();
            collection.push((first..first + pictures.len()).collect());
            self.captions
                .extend(std::iter::repeat_n(caption, pictures.len()));
            self.axes
                .extend(pictures.iter().map(|picture| measure(picture).normalised()));
            let pictures: Vec<&RgbImage> = pictures.iter().collect();
            blocks.push(bytes_to_tensor(&pictures).to_device(device));
        }
        if !collection.is_empty() {
            self.collections.push(collection);
        }
        if !blocks.is_empty() {
            self.pixels = Tensor::cat(&blocks, 0);
        }
        self
    }

    /// Whether it has any pair.
    pub(super) fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    /// What the picture of a row shows.
    pub(super) fn caption(&self, row: usize) -> &str {
        &self.captions[row]
    }

    pub(super) fn axes(&self, row: usize) -> &AxisValues {
        &self.axes[row]
    }

    /// Pictures of these rows, `[n, 3, h, w]` u8.
    pub(super) fn pixels(&self, rows: &[usize]) -> Tensor {
        let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let index = Tensor::from_slice(&index).to_device(self.pixels.device());
        self.pixels.index_select(0, &index)
    }

    /// Somebody of this side of the population makes five choices in one of the collections.
    pub(super) fn conversation(&self, split: Split, noise: &mut Noise) -> Conversation {
        let number = loop {
            let number = noise.below(PEOPLE) as u64;
            if population::side_of(number) == split {
                break number;
            }
        };
        let person = Person::sample(POPULATION, number);
        let groups = &self.collections[noise.below(self.collections.len())];
        let mut choice = || loop {
            let rows = &groups[noise.below(groups.len())];
            let left = rows[noise.below(rows.len())];
            let right = rows[noise.below(rows.len())];
            if left == right {
                continue;
            }
            match person.choose_measured(&self.axes[left], &self.axes[right], noise.rng()) {
                Choice::Left => break (left, right),
                Choice::Right => break (right, left),
                Choice::Tie => {}
            }
        };
        Conversation {
            pairs: std::array::from_fn(|_| choice()),
            query: choice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// Captions with pictures from dark to bright.
    fn groups(captions: &[&str], pictures: u8) -> Vec<(String, Vec<RgbImage>)> {
        let grey = |i| RgbImage::from_pixel(16, 16, Rgb([40 * i; 3]));
        let of = |caption: &&str| ((*caption).to_owned(), (0..pictures).map(grey).collect());
        captions.iter().map(of).collect()
    }

    #[test]
    fn a_conversation_keeps_to_one_collection_and_a_pair_to_one_caption() {
        let gallery = Gallery::empty(Device::Cpu)
            .with(groups(&["a dog", "a cat"], 5))
            .with(groups(&["a drawn dog", "a drawn cat"], 5));
        let mut noise = Noise::new(3);
        let mut seen = [false; 2];
        for _ in 0..30 {
            let conversation = gallery.conversation(Split::Train, &mut noise);
            let is_drawn = |row: usize| gallery.caption(row).contains("drawn");
            let first = is_drawn(conversation.query.0);
            assert!(
                conversation
                    .all_pictures()
                    .all(|row| is_drawn(row) == first)
            );
            for (preferred, rejected) in conversation.pairs {
                assert_eq!(gallery.caption(preferred), gallery.caption(rejected));
                assert_ne!(preferred, rejected);
            }
            seen[usize::from(first)] = true;
        }
        assert_eq!(seen, [true; 2]);
    }

    #[test]
    fn what_makes_no_pair_is_left_out() {
        let gallery = Gallery::empty(Device::Cpu).with(groups(&["a dog"], 1));
        assert!(gallery.is_empty());
        let gallery = gallery.with(groups(&["a cat"], 2));
        assert!(!gallery.is_empty());
        assert_eq!(gallery.pixels(&[1, 0, 1]).size(), [3, 3, 16, 16]);
        assert_eq!(gallery.caption(0), "a cat");
    }

    #[test]
    fn a_mirror_leads_the_other_way() {
        let gallery = Gallery::empty(Device::Cpu).with(groups(&["a dog", "a cat"], 6));
        let conversation = gallery.conversation(Split::Train, &mut Noise::new(1));
        let mirror = conversation.mirrored();
        for pairs in [1, PAIRS] {
            let ahead = conversation.lead(&gallery, pairs);
            let behind = mirror.lead(&gallery, pairs);
            assert!(ahead.iter().zip(behind).all(|(a, b)| (a + b).abs() < 1e-5));
        }
    }
}
