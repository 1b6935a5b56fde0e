//! The mirror test: the same pairs with opposite answers must move a picture in the direction
//! that was chosen.
use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::axes::measure;
use super::choice_pool::ChoicePool;
use super::drawing::{EvaluationError, Request, draw, embed};
use super::pictures::Prompt;
use super::population::Person;
use super::taste;
use crate::data::split::Split;
use crate::engine::{Engine, Taste};
use crate::preference::conversation::{PAIRS, PreferencePair};

/// Set apart from the seeds that the bank's pictures were drawn from.
const TEST_SEED: u64 = 1_000_000;

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

/// Runs the test: people choose from `pool`, and `prompts` are drawn for them. The pictures come
/// in rows of a person: the choices' pictures first, then the opposite ones'.
///
/// # Errors
/// When drawing or reading choices fails.
pub fn mirror(
    engine: &Engine,
    pool: &ChoicePool,
    prompts: &[Prompt],
    size: MirrorSize,
    progress: &mut dyn FnMut(usize),
) -> Result<(MirrorReport, Vec<RgbImage>), EvaluationError> {
    let people = Person::sample_all(size.seed, Split::HeldOut).take(size.people);
    let (mut results, mut sheet) = (Vec::new(), Vec::new());
    for person in people {
        let mut rng = ChaCha8Rng::seed_from_u64(size.seed ^ person.number());
        let choices = pool.choices(&person, PAIRS, &mut rng);
        let values: Vec<_> = choices
            .iter()
            .map(|c| (*pool.axes(c.preferred), *pool.axes(c.rejected)))
            .collect();
        let (axis, evidence) = taste::ranked(&values)[0];
        let pairs: Vec<_> = choices.iter().map(|c| pool.pair(c)).collect();
        let reversed = pairs.iter().map(PreferencePair::reversed).collect();
        let (chosen, opposite) = (embed(engine, pairs)?, embed(engine, reversed)?);
        let descriptions = [chosen.description.clone(), opposite.description.clone()];
        let requests = [chosen, opposite].into_iter().flat_map(|preference| {
            (0..size.seeds).map(move |seed| Request {
                prompt: prompts[seed % prompts.len()].text.clone(),
                seeds: vec![TEST_SEED + seed as u64],
                taste: Taste::Blend(vec![(preference.clone(), 1.0)]),
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
