//! The mirror test: the same pairs with opposite answers must move a picture in the direction
//! that was chosen.
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::axes::{Axis, AxisValues, measure};
use super::drawing::{EvaluationError, Request, draw, embed};
use super::pictures::Prompt;
use super::population::{Choice, Person};
use super::taste;
use crate::data::split::Split;
use crate::engine::Engine;
use crate::preference::conversation::{PAIRS, PreferencePair};

/// Seeds of each prompt that people choose between.
const CHOICE_SEEDS: u64 = 4;
/// Set apart from all seeds that pictures are chosen from.
const TEST_SEED: u64 = 1_000_000;
/// Pairs that a person may look at before four choices have come together.
const PATIENCE: usize = 400;

/// How large the test is.
#[derive(Debug, Clone, Copy)]
pub struct MirrorSize {
    /// Simulated people, all of them held out.
    pub people: usize,
    /// Pictures drawn for each.
    pub seeds: usize,
    /// Everything random follows from it.
    pub seed: u64,
}

/// One person's result.
#[derive(Debug, Clone, Serialize)]
pub struct Mirrored {
    /// The person's number.
    pub person: u64,
    /// The axis that the four choices speak of most.
    pub axis: String,
    /// Whether its high end was chosen.
    pub high: bool,
    /// The model's description of the choices, and of the opposite ones.
    pub descriptions: [String; 2],
    /// Picture by picture: by how much the axis moved in the chosen direction from the
    /// opposite choices' picture, in standard deviations of the artwork.
    pub moves: Vec<f32>,
}

/// The outcome of the test.
#[derive(Debug, Clone, Serialize)]
pub struct MirrorReport {
    /// Share of all pictures that moved in the chosen direction.
    pub share: f64,
    /// Number of pictures.
    pub pictures: usize,
    /// Person by person.
    pub people: Vec<Mirrored>,
}

/// Runs the test; `prompts` serve both for choosing and for drawing. The pictures come in rows of
/// a person: the choices' pictures first, then the opposite ones'.
///
/// # Errors
/// When drawing or reading choices fails, or the pictures of all prompts are too alike.
pub fn mirror(
    engine: &Engine,
    prompts: &[Prompt],
    size: MirrorSize,
    progress: &mut dyn FnMut(usize),
) -> Result<(MirrorReport, Vec<RgbImage>), EvaluationError> {
    let pool = Pool::draw(engine, prompts)?;
    let people = (0..)
        .map(|number| Person::sample(size.seed, number))
        .filter(|person| person.split() == Split::HeldOut)
        .take(size.people);
    let (mut results, mut sheet) = (Vec::new(), Vec::new());
    for person in people {
        let mut rng = ChaCha8Rng::seed_from_u64(size.seed ^ person.number());
        let pairs = pool.choices(&person, &mut rng)?;
        let values: Vec<(AxisValues, AxisValues)> = pairs
            .iter()
            .map(|&(p, r)| (pool.axes[p], pool.axes[r]))
            .collect();
        let (axis, evidence) = taste::ranked(&values)[0];
        let pairs: Vec<_> = pairs.iter().map(|&(p, r)| pool.pair(p, r)).collect();
        let reversed = pairs.iter().map(PreferencePair::reversed).collect();
        let (chosen, opposite) = (embed(engine, pairs)?, embed(engine, reversed)?);
        let descriptions = [chosen.description.clone(), opposite.description.clone()];
        let requests = [chosen, opposite].into_iter().flat_map(|preference| {
            (0..size.seeds).map(move |seed| Request {
                prompt: prompts[seed % prompts.len()].text.clone(),
                seeds: vec![TEST_SEED + seed as u64],
                preference: Some(preference.clone()),
            })
        });
        let drawn: Vec<RgbImage> = draw(engine, requests.collect())?
            .into_iter()
            .flatten()
            .collect();
        let on_axis = |picture: &RgbImage| measure(picture).normalised()[axis];
        let (with, against) = drawn.split_at(size.seeds);
        let moves = with
            .iter()
            .zip(against)
            .map(|(with, against)| (on_axis(with) - on_axis(against)) * evidence.signum())
            .collect();
        sheet.extend(drawn);
        results.push(Mirrored {
            person: person.number(),
            axis: format!("{axis:?}"),
            high: evidence > 0.0,
            descriptions,
            moves,
        });
        progress(results.len());
    }
    let moves: Vec<f32> = results
        .iter()
        .flat_map(|r| r.moves.iter().copied())
        .collect();
    let share = moves.iter().filter(|m| **m > 0.0).count() as f64 / moves.len().max(1) as f64;
    Ok((
        MirrorReport {
            share,
            pictures: moves.len(),
            people: results,
        },
        sheet,
    ))
}

/// Pictures of the base model that people choose between.
struct Pool {
    captions: Vec<String>,
    pictures: Vec<RgbImage>,
    axes: Vec<AxisValues>,
}

impl Pool {
    fn draw(engine: &Engine, prompts: &[Prompt]) -> Result<Self, EvaluationError> {
        let requests = prompts.iter().map(|prompt| Request {
            prompt: prompt.text.clone(),
            seeds: (0..CHOICE_SEEDS).collect(),
            preference: None,
        });
        let pictures: Vec<RgbImage> = draw(engine, requests.collect())?
            .into_iter()
            .flatten()
            .collect();
        let axes = pictures.iter().map(|p| measure(p).normalised()).collect();
        let captions = prompts.iter().map(|prompt| prompt.text.clone()).collect();
        Ok(Self {
            captions,
            pictures,
            axes,
        })
    }

    /// Four counted choices of a person: (preferred, rejected).
    fn choices(
        &self,
        person: &Person,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<(usize, usize)>, EvaluationError> {
        let seeds = CHOICE_SEEDS as usize;
        let mut chosen = Vec::with_capacity(PAIRS);
        for _ in 0..PATIENCE {
            let prompt = rng.random_range(0..self.captions.len());
            let left = prompt * seeds + rng.random_range(0..seeds);
            let right = prompt * seeds + rng.random_range(0..seeds);
            let choice = person.choose_measured(&self.axes[left], &self.axes[right], rng);
            match choice {
                _ if left == right => {}
                Choice::Left => chosen.push((left, right)),
                Choice::Right => chosen.push((right, left)),
                Choice::Tie => {}
            }
            if chosen.len() == PAIRS {
                return Ok(chosen);
            }
        }
        Err(EvaluationError::TooAlike(format!(
            "person {} found no four pairs to choose from: the model's pictures are too alike",
            person.number()
        )))
    }

    fn pair(&self, preferred: usize, rejected: usize) -> PreferencePair {
        PreferencePair {
            caption: self.captions[preferred / CHOICE_SEEDS as usize].clone(),
            preferred: self.pictures[preferred].clone(),
            rejected: self.pictures[rejected].clone(),
        }
    }
}

/// Distance of two pictures on all axes, in standard deviations of the artwork.
pub(super) fn distance(a: &AxisValues, b: &AxisValues) -> f32 {
    Axis::ALL
        .into_iter()
        .map(|axis| (a[axis] - b[axis]).powi(2))
        .sum::<f32>()
        .sqrt()
}
