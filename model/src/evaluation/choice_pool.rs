//! Pictures that simulated people choose between: several of each prompt.
use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::axes::{AxisValues, measure};
use super::drawing::{EvaluationError, Request, draw};
use super::population::{Choice, Person};
use crate::engine::{Engine, Taste};
use crate::preference::conversation::{PAIRS, PreferencePair};
use crate::preference::pair_bank::{PairBank, PairBankError, Side};

/// Pictures in blocks of one prompt each.
pub struct ChoicePool {
    prompts: Vec<String>,
    /// Pictures of each prompt.
    seeds: usize,
    pictures: Vec<RgbImage>,
    /// Normalised, in the order of the pictures.
    axes: Vec<AxisValues>,
}

/// A choice between two pictures of one prompt, as positions in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The prompt.
    pub prompt: usize,
    /// The picture that was chosen.
    pub preferred: usize,
    /// The picture that was not.
    pub rejected: usize,
}

impl ChoicePool {
    /// A pool of these pictures, prompt by prompt.
    ///
    /// # Panics
    /// When there are no prompts, or fewer than two pictures of each.
    pub fn new(prompts: Vec<String>, pictures: Vec<RgbImage>) -> Self {
        let seeds = pictures.len() / prompts.len();
        assert!(seeds >= 2, "a choice needs two pictures of a prompt");
        assert_eq!(seeds * prompts.len(), pictures.len());
        let axes = pictures.iter().map(|p| measure(p).normalised()).collect();
        Self {
            prompts,
            seeds,
            pictures,
            axes,
        }
    }

    /// Draws a pool with the base model, `seeds` pictures of each prompt.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn draw(
        engine: &Engine,
        prompts: Vec<String>,
        seeds: u64,
    ) -> Result<Self, EvaluationError> {
        let requests = prompts.iter().map(|prompt| Request {
            prompt: prompt.clone(),
            seeds: (0..seeds).collect(),
            taste: Taste::Base,
        });
        let pictures = draw(engine, requests.collect())?;
        Ok(Self::new(prompts, pictures.into_iter().flatten().collect()))
    }

    /// The pairs of a bank: what people really choose between.
    ///
    /// # Errors
    /// When a picture cannot be read.
    pub fn of_bank(bank: &PairBank) -> Result<Self, PairBankError> {
        let (mut prompts, mut pictures) = (Vec::new(), Vec::new());
        for pair in bank.pairs() {
            prompts.push(pair.prompt.clone());
            for side in [Side::Left, Side::Right] {
                pictures.push(bank.read_picture(pair, side)?);
            }
        }
        Ok(Self::new(prompts, pictures))
    }

    /// The prompts.
    pub fn prompts(&self) -> &[String] {
        &self.prompts
    }

    /// The normalised axes of a picture.
    pub fn axes(&self, picture: usize) -> &AxisValues {
        &self.axes[picture]
    }

    /// Shows a person pairs until one does not end in a tie.
    pub fn choose(&self, person: &Person, rng: &mut ChaCha8Rng) -> Chosen {
        // It ends: nobody calls all near pairs equal.
        loop {
            let prompt = rng.random_range(0..self.prompts.len());
            let left = prompt * self.seeds + rng.random_range(0..self.seeds);
            let right = prompt * self.seeds + rng.random_range(0..self.seeds);
            if left == right {
                continue;
            }
            let choice = person.choose_measured(&self.axes[left], &self.axes[right], rng);
            let (preferred, rejected) = match choice {
                Choice::Left => (left, right),
                Choice::Right => (right, left),
                Choice::Tie => continue,
            };
            return Chosen {
                prompt,
                preferred,
                rejected,
            };
        }
    }

    /// The four counted choices that make an embedding.
    pub fn choices(&self, person: &Person, rng: &mut ChaCha8Rng) -> [Chosen; PAIRS] {
        std::array::from_fn(|_| self.choose(person, rng))
    }

    /// A choice as the vision-language model is shown it.
    pub fn pair(&self, chosen: &Chosen) -> PreferencePair {
        PreferencePair {
            caption: self.prompts[chosen.prompt].clone(),
            preferred: self.pictures[chosen.preferred].clone(),
            rejected: self.pictures[chosen.rejected].clone(),
        }
    }
}
