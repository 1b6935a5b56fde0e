//! Win rates: does a person whose taste was read from a few choices like what is drawn for them
//! better than what the base model draws, what is drawn for everybody, and what is drawn for
//! somebody else?
//!
//! All arms of a comparison share prompt, seed, steps and guidance. The choices that a taste is
//! read from are between pictures of other prompts than those it is judged on.
use std::path::{Path, PathBuf};

use image::RgbImage;
use predilect_statistics::{Cluster, Interval, RESAMPLES, cluster_bootstrap, wilson};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::axes::{AxisValues, measure};
use super::ceiling::{Prior, oracle};
use super::choice_pool::{ChoicePool, Chosen, Shown};
use super::drawing::{EvaluationError, Request, draw, embed};
use super::next_pair::NextPair;
use super::population::{Choice, Person, Population};
use crate::data::split::stable_hash;
use crate::engine::{Engine, Taste};
use crate::preference::conversation::PAIRS;

/// Pictures of each prompt that the ceilings' picks are compared with, in turn.
const RIVALS: u64 = 8;
/// Set apart from the seeds of comparisons, which are below 2³².
const CANDIDATE_SEED: u64 = 1 << 32;

/// For whom a picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// For the person, from their choices.
    Personalised,
    /// For nobody: the base model.
    Base,
    /// For everybody at once.
    Population,
    /// For somebody else, who made other choices.
    Mismatched,
}

impl Arm {
    /// All that the personalised one may be compared with.
    pub const OPPONENTS: [Self; 3] = [Self::Base, Self::Population, Self::Mismatched];

    /// As in reports and file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Personalised => "personalised",
            Self::Base => "base",
            Self::Population => "population",
            Self::Mismatched => "mismatched",
        }
    }
}

/// What is compared.
pub struct WinRateConfig<'a> {
    /// The people.
    pub population: &'a Population,
    /// What they choose between, drawn by the base model.
    pub choices: &'a ChoicePool,
    /// What is drawn for them.
    pub prompts: &'a [String],
    /// What the personalised pictures are compared with.
    pub opponents: &'a [Arm],
    /// Choices that each person's taste is read from, one or more.
    pub pairs_per_user: usize,
    /// Which pairs they choose between.
    pub shown: Shown,
    /// Decides each person's choices and every picture's seed.
    pub seed: u64,
    /// Pictures of each prompt that the ceilings pick from; without, there are no ceilings.
    pub best_of: Option<usize>,
    /// Where every picture goes, if anywhere, with a manifest.
    pub save: Option<&'a Path>,
}

/// One picture of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Drawn {
    /// For whom it was drawn.
    pub arm: Arm,
    /// How much the person likes it.
    pub utility: f32,
    /// Its file in the folder, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// All arms for one person, prompt and seed.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The person's number.
    pub person: u64,
    /// What was drawn.
    pub prompt: String,
    /// The seed that the arms share.
    pub seed: u64,
    /// The pictures, the personalised one first.
    pub pictures: Vec<Drawn>,
    /// What the person answered, with a person's inconsistency, when asked to choose between the
    /// personalised picture and each of the others: 1, 0, or ½ for a tie.
    pub answers: Vec<f64>,
}

/// How often the personalised picture won.
#[derive(Debug, Clone, Serialize)]
pub struct WinRate {
    /// Against whom.
    pub opponent: Arm,
    /// Comparisons.
    pub n: usize,
    /// Comparisons that ended in a tie.
    pub ties: usize,
    /// Share won, ties as half.
    pub rate: f64,
    /// Share won of those that were no tie.
    pub rate_without_ties: f64,
    /// Wilson's interval of `rate`, as if all comparisons were independent; none without any.
    pub wilson: Option<Interval>,
    /// Bootstrap interval of `rate`, clustered by person; none with fewer than two people.
    pub by_person: Option<Interval>,
}

/// What can be won against the base model by picking among pictures that it drew, by the
/// person's noiseless utility.
#[derive(Debug, Clone, Serialize)]
pub struct Ceilings {
    /// Pictures of each prompt to pick from.
    pub best_of: usize,
    /// Knowing the person.
    pub oracle: WinRate,
    /// Knowing the same answers, and how people are.
    pub bayes: WinRate,
}

/// Win rates of one population.
#[derive(Debug, Clone, Serialize)]
pub struct WinRateReport {
    /// The population's name.
    pub population: String,
    /// Its size.
    pub people: usize,
    /// Choices that each person's taste was read from.
    pub pairs_per_user: usize,
    /// SHA-256 of the model's weights.
    pub model: String,
    /// By the person's own, noiseless utility.
    pub by_utility: Vec<WinRate>,
    /// By what the person answers when asked.
    pub by_answers: Vec<WinRate>,
    /// How much there was to win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceilings: Option<Ceilings>,
    /// Everything that was compared.
    pub comparisons: Vec<Comparison>,
}

/// Reads every person's taste from their choices, draws all arms and compares them.
///
/// # Errors
/// When the population has fewer than two people, drawing or reading choices fails, or a
/// picture cannot be written.
pub fn win_rates(
    engine: &Engine,
    config: &WinRateConfig,
    progress: &mut dyn FnMut(usize),
) -> Result<WinRateReport, EvaluationError> {
    let people = &config.population.people;
    if people.len() < 2 {
        return Err(EvaluationError::TooFewPeople(people.len()));
    }
    let next_pair = match config.shown {
        Shown::AtRandom => None,
        Shown::ToTellMost => Some(NextPair::new(&config.choices.shown_pairs())),
    };
    let chosen: Vec<Vec<Chosen>> = people
        .iter()
        .map(|person| {
            let mut rng = stream(config.seed, person, "choices");
            let count = config.pairs_per_user;
            match &next_pair {
                None => config.choices.choices(person, count, &mut rng),
                Some(next) => config
                    .choices
                    .telling_choices(person, count, &mut rng, next),
            }
        })
        .collect();
    let tastes: Vec<Taste> = chosen
        .iter()
        .map(|chosen| read(engine, config.choices, chosen))
        .collect::<Result<_, _>>()?;
    let others = somebody_else(people.len(), config.seed);
    let mut comparisons = Vec::with_capacity(people.len() * config.prompts.len());
    for (i, person) in people.iter().enumerate() {
        let another = &tastes[others[i]];
        comparisons.extend(compare(engine, config, person, &tastes[i], another)?);
        progress(i + 1);
    }
    let ceilings = match config.best_of {
        Some(best_of) => Some(ceilings(engine, config, best_of, &chosen)?),
        None => None,
    };
    let model = engine.info().hash.clone();
    Ok(report(config, model, comparisons, ceilings))
}

/// The taste that choices speak of, four to an embedding, the embeddings blended evenly as those of
/// a profile's sets are.
fn read(engine: &Engine, pool: &ChoicePool, chosen: &[Chosen]) -> Result<Taste, EvaluationError> {
    let sets = chosen.chunks(PAIRS).map(|set| {
        let pairs = set.iter().map(|choice| pool.pair(choice)).collect();
        Ok((embed(engine, pairs)?, 1.0))
    });
    Ok(Taste::Blend(sets.collect::<Result<_, EvaluationError>>()?))
}

/// For each of `count` people another one, everybody once: a random cycle through all (Sattolo,
/// 1986).
fn somebody_else(count: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut others: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        others.swap(last, rng.random_range(0..last));
    }
    others
}

/// Draws candidates of every prompt and picks among them for every person. The rivals are other
/// pictures of the base model, so that picking at random would win half.
fn ceilings(
    engine: &Engine,
    config: &WinRateConfig,
    best_of: usize,
    chosen: &[Vec<Chosen>],
) -> Result<Ceilings, EvaluationError> {
    let seeds = (0..best_of as u64 + RIVALS).map(|i| CANDIDATE_SEED + i);
    let requests = config.prompts.iter().map(|prompt| Request {
        prompt: prompt.clone(),
        seeds: seeds.clone().collect(),
        taste: Taste::Base,
    });
    let measured: Vec<Vec<AxisValues>> = draw(engine, requests.collect())?
        .iter()
        .map(|pictures| pictures.iter().map(|p| measure(p).normalised()).collect())
        .collect();
    let prior = Prior::sample();
    let (mut oracle_won, mut bayes_won) = (Vec::new(), Vec::new());
    for (i, (person, answers)) in config.population.people.iter().zip(chosen).enumerate() {
        let posterior = prior.after(answers, config.choices);
        for pictures in &measured {
            let (candidates, rivals) = pictures.split_at(best_of);
            let rival = &rivals[i % rivals.len()];
            let won = |picked: Option<usize>| {
                let picked = picked.map_or(f32::MIN, |i| person.utility_of(&candidates[i]));
                won_by(picked, person.utility_of(rival))
            };
            let number = person.number();
            oracle_won.push((number, won(oracle(person, candidates))));
            bayes_won.push((number, won(posterior.best(candidates, rival))));
        }
    }
    Ok(Ceilings {
        best_of,
        oracle: win_rate(Arm::Base, &oracle_won, config.seed),
        bayes: win_rate(Arm::Base, &bayes_won, config.seed),
    })
}

/// 1, 0, or ½ for equal utilities.
fn won_by(own: f32, other: f32) -> f64 {
    match own.total_cmp(&other) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    }
}

/// All prompts for one person.
fn compare(
    engine: &Engine,
    config: &WinRateConfig,
    person: &Person,
    own: &Taste,
    another: &Taste,
) -> Result<Vec<Comparison>, EvaluationError> {
    let seeds: Vec<u64> = config
        .prompts
        .iter()
        .map(|prompt| stream(config.seed, person, prompt).random::<u32>().into())
        .collect();
    let arms: Vec<Arm> = [&[Arm::Personalised], config.opponents].concat();
    let taste = |arm: &Arm| match arm {
        Arm::Personalised => own.clone(),
        Arm::Base => Taste::Base,
        Arm::Population => Taste::Population,
        Arm::Mismatched => another.clone(),
    };
    let mut requests = Vec::with_capacity(seeds.len() * arms.len());
    for (prompt, &seed) in config.prompts.iter().zip(&seeds) {
        requests.extend(arms.iter().map(|arm| Request {
            prompt: prompt.clone(),
            seeds: vec![seed],
            taste: taste(arm),
        }));
    }
    let pictures: Vec<RgbImage> = draw(engine, requests)?.into_iter().flatten().collect();
    let blocks = pictures.chunks(arms.len());
    config
        .prompts
        .iter()
        .zip(&seeds)
        .zip(blocks)
        .map(|((prompt, &seed), pictures)| {
            let mut rng = stream(config.seed, person, &format!("answers {prompt}"));
            let (own, others) = (&pictures[0], &pictures[1..]);
            let answers = others
                .iter()
                .map(|other| answer(person, own, other, &mut rng));
            let answers = answers.collect();
            let drawn = arms.iter().zip(pictures).map(|(&arm, picture)| {
                let utility = person.utility(picture);
                let file = config
                    .save
                    .map(|dir| save(dir, person, prompt, arm, seed, picture))
                    .transpose()?;
                Ok(Drawn { arm, utility, file })
            });
            Ok(Comparison {
                person: person.number(),
                prompt: prompt.clone(),
                seed,
                pictures: drawn.collect::<Result<_, EvaluationError>>()?,
                answers,
            })
        })
        .collect()
}

/// The person's answer with the personalised picture on a random side: 1, 0, or ½ for a tie.
fn answer(person: &Person, own: &RgbImage, other: &RgbImage, rng: &mut ChaCha8Rng) -> f64 {
    let own_left = rng.random_bool(0.5);
    let (left, right) = if own_left { (own, other) } else { (other, own) };
    match person.choose(left, right, rng) {
        Choice::Tie => 0.5,
        choice => f64::from(u8::from((choice == Choice::Left) == own_left)),
    }
}

/// Writes `DIR/PERSON/PROMPT-ARM-SEED.png`; returns the path within `dir`.
fn save(
    dir: &Path,
    person: &Person,
    prompt: &str,
    arm: Arm,
    seed: u64,
    picture: &RgbImage,
) -> Result<PathBuf, EvaluationError> {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let prompt: String = prompt.chars().map(plain).collect();
    let folder = PathBuf::from(format!("person-{}", person.number()));
    let file = folder.join(format!("{prompt}-{}-{seed}.png", arm.as_str()));
    let path = dir.join(&file);
    let io = |source| EvaluationError::Io {
        path: path.clone(),
        source,
    };
    std::fs::create_dir_all(dir.join(folder)).map_err(io)?;
    picture
        .save(&path)
        .map_err(|error| io(std::io::Error::other(error)))?;
    Ok(file)
}

fn report(
    config: &WinRateConfig,
    model: String,
    comparisons: Vec<Comparison>,
    ceilings: Option<Ceilings>,
) -> WinRateReport {
    let rates = |wins: &dyn Fn(&Comparison, usize) -> f64| -> Vec<WinRate> {
        let rate = |(i, &opponent): (usize, &Arm)| {
            let results: Vec<(u64, f64)> =
                comparisons.iter().map(|c| (c.person, wins(c, i))).collect();
            win_rate(opponent, &results, config.seed)
        };
        config.opponents.iter().enumerate().map(rate).collect()
    };
    let by_utility = rates(&|comparison, opponent| {
        let utility = |i: usize| comparison.pictures[i].utility;
        won_by(utility(0), utility(opponent + 1))
    });
    let by_answers = rates(&|comparison, opponent| comparison.answers[opponent]);
    WinRateReport {
        population: config.population.name.clone(),
        people: config.population.people.len(),
        pairs_per_user: config.pairs_per_user,
        model,
        by_utility,
        by_answers,
        ceilings,
        comparisons,
    }
}

/// Results as (person, 1, ½ or 0), a person's together.
fn win_rate(opponent: Arm, results: &[(u64, f64)], seed: u64) -> WinRate {
    let n = results.len();
    let ties = results.iter().filter(|(_, won)| *won == 0.5).count();
    let won: f64 = results.iter().map(|(_, won)| won).sum();
    let people: Vec<Cluster> = results
        .chunk_by(|a, b| a.0 == b.0)
        .map(|own| Cluster {
            sum: own.iter().map(|(_, won)| won).sum(),
            n: own.len() as u64,
        })
        .collect();
    WinRate {
        opponent,
        n,
        ties,
        rate: won / n as f64,
        rate_without_ties: (won - 0.5 * ties as f64) / ((n - ties).max(1) as f64),
        wilson: wilson(won, n as u64),
        by_person: cluster_bootstrap(&people, RESAMPLES, seed),
    }
}

/// Random numbers of one person for one purpose, whoever else is in the population.
fn stream(seed: u64, person: &Person, purpose: &str) -> ChaCha8Rng {
    let key = format!("{seed} {} {purpose}", person.number());
    ChaCha8Rng::seed_from_u64(stable_hash(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_half_or_left_out_and_people_are_clusters() {
        let results = [(1, 1.0), (1, 0.5), (2, 0.0), (2, 1.0), (3, 1.0)];
        let rate = win_rate(Arm::Base, &results, 0);
        assert_eq!((rate.n, rate.ties), (5, 1));
        assert!((rate.rate - 0.7).abs() < 1e-12);
        assert!((rate.rate_without_ties - 0.75).abs() < 1e-12);
        let by_person = rate.by_person.unwrap();
        assert!(by_person.low >= 0.5 - 1e-12, "{by_person:?}");
        assert!((by_person.high - 1.0).abs() < 1e-12);
    }

    #[test]
    fn everybody_stands_in_for_somebody_else_once() {
        for count in [2, 3, 17] {
            let others = somebody_else(count, 5);
            assert!(others.iter().enumerate().all(|(i, &other)| i != other));
            let mut all = others.clone();
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
        assert_ne!(somebody_else(17, 5), somebody_else(17, 6));
    }

    #[test]
    fn a_person_draws_the_same_numbers_in_any_company() {
        let person = Person::sample(1, 7);
        let numbers = |purpose| stream(3, &person, purpose).random::<u64>();
        assert_eq!(numbers("a"), numbers("a"));
        assert_ne!(numbers("a"), numbers("b"));
    }
}
