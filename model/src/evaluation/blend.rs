//! Do pictures follow the slider between two people's tastes?
//!
//! Every picture of a couple is drawn from one seed at each place of the slider. What moves is
//! measured by how much better the second person likes it than the first.
use image::RgbImage;
use predilect_statistics::spearman;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::choice_pool::ChoicePool;
use super::drawing::{EvaluationError, Request, draw, embed};
use super::judge::Judge;
use super::pictures::{Hits, Prompt, name};
use super::population::{Person, Population};
use crate::data::artwork::Artwork;
use crate::data::split::stable_hash;
use crate::engine::{Engine, Taste};
use crate::preference::conversation::PAIRS;
use crate::preference::embedding::PreferenceEmbedding;

/// What is blended, and what is drawn.
pub struct BlendConfig<'a> {
    /// Couples of people, each with the next one.
    pub population: &'a Population,
    /// What they choose between, drawn by the base model.
    pub choices: &'a ChoicePool,
    /// What is drawn of each couple's blends.
    pub prompts: &'a [Prompt],
    /// Places of the slider, both ends included; two or more.
    pub places: usize,
    /// Decides the choices and the pictures' seeds.
    pub seed: u64,
}

/// One couple's pictures.
#[derive(Debug, Clone, Serialize)]
pub struct Couple {
    /// Who is blended, by number.
    pub people: [u64; 2],
    /// Place by place, how much better the second person likes the pictures than the first does,
    /// on the mean.
    pub leanings: Vec<f64>,
    /// Spearman's correlation of the leanings with the places; none where nothing moves.
    pub spearman: Option<f64>,
}

/// One place of the slider, over all couples.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Weight of the second person.
    pub second: f64,
    /// Mean utility of the pictures, for the first and the second person.
    pub utilities: [f64; 2],
    /// Whether the pictures still show what was asked for.
    pub hits: Hits,
}

/// What [`blends`] finds.
#[derive(Debug, Clone, Serialize)]
pub struct BlendReport {
    /// SHA-256 of the model's weights.
    pub model: String,
    /// From the first person to the second.
    pub places: Vec<Place>,
    /// Spearman's correlation of the mean leanings with the places.
    pub spearman: Option<f64>,
    /// The median of the couples' own correlations; those where nothing moves count as 0.
    pub median_spearman: f64,
    /// The largest step between neighbouring places, as a share of the way between the ends;
    /// none where the ends are alike.
    pub largest_step: Option<f64>,
    /// By how much the ends differ at most, in levels of 255, from what each person's own profile
    /// gives. Pictures of one batch and of another may round differently.
    pub ends_differ_by: u8,
    /// Couple by couple.
    pub couples: Vec<Couple>,
}

/// Draws every couple's blends; with fewer than two people there is nothing to blend.
///
/// # Errors
/// When drawing or reading choices fails, the judge does not know a subject, or there are fewer
/// than two people.
pub fn blends(
    engine: &Engine,
    judge: &Judge,
    artwork: &Artwork,
    config: &BlendConfig,
    progress: &mut dyn FnMut(usize),
) -> Result<BlendReport, EvaluationError> {
    let people = &config.population.people;
    if people.len() < 2 {
        return Err(EvaluationError::TooFewPeople(people.len()));
    }
    let shares: Vec<f32> = (0..config.places)
        .map(|place| place as f32 / (config.places - 1) as f32)
        .collect();
    let mut couples = Vec::new();
    let mut utilities = vec![[0.0; 2]; config.places];
    let mut judged = vec![Vec::new(); config.places];
    let mut ends_differ_by = 0;
    for (number, couple) in people.chunks_exact(2).enumerate() {
        let tastes = [
            read(engine, config, &couple[0])?,
            read(engine, config, &couple[1])?,
        ];
        let request = |parts: Vec<(PreferenceEmbedding, f32)>, prompt: &Prompt| Request {
            prompt: prompt.text.clone(),
            seeds: vec![config.seed + number as u64],
            taste: Taste::Blend(parts),
        };
        let all_prompts = |parts: Vec<(PreferenceEmbedding, f32)>| {
            let request = move |prompt| request(parts.clone(), prompt);
            config.prompts.iter().map(request)
        };
        let between = shares.iter().flat_map(|&share| {
            let [first, second] = tastes.clone();
            all_prompts(vec![(first, 1.0 - share), (second, share)])
        });
        let alone = tastes
            .iter()
            .flat_map(|t| all_prompts(vec![(t.clone(), 1.0)]));
        let drawn = draw(engine, between.chain(alone).collect())?.concat();
        let (between, alone) = drawn.split_at(config.places * config.prompts.len());
        let at_place: Vec<&[_]> = between.chunks(config.prompts.len()).collect();
        let ends = [at_place[0], at_place[config.places - 1]].concat();
        ends_differ_by = ends_differ_by.max(difference(&ends, alone));
        let mut leanings = Vec::with_capacity(config.places);
        for (place, pictures) in at_place.into_iter().enumerate() {
            let mean = |person: &Person| -> f64 {
                let utility = |picture| f64::from(person.utility(picture));
                pictures.iter().map(utility).sum::<f64>() / pictures.len() as f64
            };
            let own = [mean(&couple[0]), mean(&couple[1])];
            leanings.push(own[1] - own[0]);
            utilities[place][0] += own[0];
            utilities[place][1] += own[1];
            judged[place].extend(name(judge, artwork, config.prompts, pictures)?);
        }
        couples.push(Couple {
            people: [couple[0].number(), couple[1].number()],
            spearman: in_order(&leanings),
            leanings,
        });
        progress(couples.len());
    }
    let of_all = couples.len() as f64;
    let places: Vec<Place> = shares
        .iter()
        .zip(utilities)
        .zip(&judged)
        .map(|((&second, sums), judged)| Place {
            second: second.into(),
            utilities: sums.map(|sum| sum / of_all),
            hits: Hits::of(judged),
        })
        .collect();
    let leanings: Vec<f64> = places
        .iter()
        .map(|place| place.utilities[1] - place.utilities[0])
        .collect();
    Ok(BlendReport {
        model: engine.info().hash.clone(),
        spearman: in_order(&leanings),
        median_spearman: median(couples.iter().map(|c| c.spearman.unwrap_or(0.0)).collect()),
        largest_step: largest_step(&leanings),
        ends_differ_by,
        places,
        couples,
    })
}

/// A person's taste from four choices.
fn read(
    engine: &Engine,
    config: &BlendConfig,
    person: &Person,
) -> Result<PreferenceEmbedding, EvaluationError> {
    let key = format!("{} {} choices", config.seed, person.number());
    let mut rng = ChaCha8Rng::seed_from_u64(stable_hash(key.as_bytes()));
    let chosen = config.choices.choices(person, PAIRS, &mut rng);
    let pairs = chosen.iter().map(|choice| config.choices.pair(choice));
    embed(engine, pairs.collect())
}

/// Spearman's correlation of values with their places.
fn in_order(values: &[f64]) -> Option<f64> {
    let places: Vec<f64> = (0..values.len()).map(|place| place as f64).collect();
    spearman(&places, values)
}

/// The largest step between neighbours, as a share of the way from the first to the last.
fn largest_step(values: &[f64]) -> Option<f64> {
    let way = (values[values.len() - 1] - values[0]).abs();
    let steps = values.windows(2).map(|two| (two[1] - two[0]).abs());
    (way > 0.0).then(|| steps.fold(0.0, f64::max) / way)
}

/// The largest difference between pictures of the same sizes, in levels of 255.
fn difference(left: &[RgbImage], right: &[RgbImage]) -> u8 {
    let of_two = |(left, right): (&RgbImage, &RgbImage)| {
        let levels = left.as_raw().iter().zip(right.as_raw());
        levels.map(|(l, r)| l.abs_diff(*r)).max().unwrap_or(0)
    };
    left.iter().zip(right).map(of_two).max().unwrap_or(0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    (values[low] + values[high]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_carries_most_of_the_way() {
        let is = |values: &[f64], share: f64| {
            assert!((largest_step(values).unwrap() - share).abs() < 1e-12);
        };
        is(&[0.0, 1.0, 2.0, 3.0, 4.0], 0.25);
        is(&[0.0, 0.1, 0.2, 0.9, 1.0], 0.7);
        is(&[1.0, 0.5, -1.0], 0.75);
        assert_eq!(largest_step(&[1.0, 2.0, 1.0]), None);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
