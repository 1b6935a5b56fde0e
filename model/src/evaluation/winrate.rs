//! Win rates: does a person whose taste was read from a few choices like what is drawn for them
//! better than what the base model draws, what is drawn for everybody, and what is drawn for
//! somebody else?
//!
//! All arms of a comparison share prompt, seed, steps and guidance. The choices that a taste is
//! read from are between pictures of other prompts than those it is judged on. Of several numbers of
//! choices each larger one begins with the same choices, and base and population are drawn once.
mod rates;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

pub use self::rates::{Difference, OfAxis, Results, ShownBy, WinRate};
use self::rates::{differences, results, win_rate};
use super::axes::{AxisValues, measure};
use super::ceiling::{Prior, oracle};
use super::choice_pool::{ChoicePool, Chosen, Shown};
use super::drawing::{EvaluationError, Request, draw, embed};
use super::jury::{Jury, Seen};
use super::next_pair::NextPair;
use super::population::{Choice, Person, Population};
use crate::data::split::stable_hash;
use crate::engine::{Engine, Taste};
use crate::preference::conversation::PAIRS;
use crate::preference::embedding::PreferenceEmbedding;

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

    /// Whether it follows from somebody's choices.
    fn follows_choices(self) -> bool {
        matches!(self, Self::Personalised | Self::Mismatched)
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
    /// Choices that each person's taste is read from, one or more; one run for each number.
    pub pairs_per_user: &'a [usize],
    /// Which pairs they choose between.
    pub shown: Shown,
    /// Decides each person's choices and every picture's seed.
    pub seed: u64,
    /// Pictures of each prompt that the ceilings pick from; without, there are no ceilings.
    pub best_of: Option<usize>,
    /// Who says what the pictures show, if anybody.
    pub jury: Option<Jury<'a>>,
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
    /// What the judge sees in it, where it was asked.
    #[serde(flatten)]
    pub seen: Option<Seen>,
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
    /// Choices that the person's taste was read from.
    pub pairs_per_user: usize,
    /// The pictures, the personalised one first.
    pub pictures: Vec<Drawn>,
    /// What the person answered, with a person's inconsistency, when asked to choose between the
    /// personalised picture and each of the others: 1, 0, or ½ for a tie.
    pub answers: Vec<f64>,
}

impl Comparison {
    /// Whether the personalised picture won against the opponent in this place, by utility: 1, 0, or
    /// ½ for equal ones.
    fn won(&self, opponent: usize) -> f64 {
        won_by(
            self.pictures[0].utility,
            self.pictures[opponent + 1].utility,
        )
    }
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
    /// Prompts drawn for each person.
    pub prompts: usize,
    /// SHA-256 of the model's weights.
    pub model: String,
    /// Of the first number of choices.
    #[serde(flatten)]
    pub results: Results,
    /// Of each further number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Results>,
    /// What more choices win, of every two numbers of choices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Everything that was compared, number of choices by number of choices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
}

/// Reads every person's taste from their choices, draws all arms and compares them.
///
/// # Errors
/// When the population has fewer than two people, drawing or reading choices fails, or a
/// picture cannot be written.
///
/// # Panics
/// Without any number of choices.
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
    let most = config.pairs_per_user.iter().copied().max().unwrap_or(0);
    let chosen: Vec<Vec<Chosen>> = people
        .iter()
        .map(|person| {
            let mut rng = stream(config.seed, person, "choices");
            match &next_pair {
                None => config.choices.choices(person, most, &mut rng),
                Some(next) => config.choices.telling_choices(person, most, &mut rng, next),
            }
        })
        .collect();
    let tastes: Vec<Vec<Taste>> = chosen
        .iter()
        .map(|chosen| read(engine, config, chosen))
        .collect::<Result<_, _>>()?;
    let others = somebody_else(people.len(), config.seed);
    let mut runs = vec![Vec::new(); config.pairs_per_user.len()];
    for (i, person) in people.iter().enumerate() {
        let another = &tastes[others[i]];
        let compared = compare(engine, config, person, &tastes[i], another)?;
        for (run, compared) in runs.iter_mut().zip(compared) {
            run.extend(compared);
        }
        progress(i + 1);
    }
    let ceilings = match config.best_of {
        Some(best_of) => ceilings(engine, config, best_of, &chosen)?
            .into_iter()
            .map(Some)
            .collect(),
        None => vec![None; runs.len()],
    };
    Ok(report(config, engine.info().hash.clone(), runs, ceilings))
}

/// The taste that choices of each number speak of, four to an embedding, the embeddings blended
/// evenly as those of a profile's sets are.
fn read(
    engine: &Engine,
    config: &WinRateConfig,
    chosen: &[Chosen],
) -> Result<Vec<Taste>, EvaluationError> {
    let mut embeddings: HashMap<(usize, usize), PreferenceEmbedding> = HashMap::new();
    let mut taste = |count: usize| {
        let mut sets = Vec::new();
        for from in (0..count).step_by(PAIRS) {
            let to = count.min(from + PAIRS);
            let embedding = match embeddings.entry((from, to)) {
                Entry::Occupied(read) => read.get().clone(),
                Entry::Vacant(unread) => {
                    let pairs = chosen[from..to].iter().map(|c| config.choices.pair(c));
                    unread.insert(embed(engine, pairs.collect())?).clone()
                }
            };
            sets.push((embedding, 1.0));
        }
        Ok(Taste::Blend(sets))
    };
    config
        .pairs_per_user
        .iter()
        .map(|&count| taste(count))
        .collect()
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

/// Draws candidates of every prompt and picks among them for every person, by each number of their
/// choices. The rivals are other pictures of the base model, so that picking at random would win
/// half.
fn ceilings(
    engine: &Engine,
    config: &WinRateConfig,
    best_of: usize,
    chosen: &[Vec<Chosen>],
) -> Result<Vec<Ceilings>, EvaluationError> {
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
    let of_count = |&count: &usize| {
        let (mut oracle_won, mut bayes_won) = (Vec::new(), Vec::new());
        for (i, (person, answers)) in config.population.people.iter().zip(chosen).enumerate() {
            let posterior = prior.after(&answers[..count], config.choices);
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
        Ceilings {
            best_of,
            oracle: win_rate(Arm::Base, &oracle_won, config.seed),
            bayes: win_rate(Arm::Base, &bayes_won, config.seed),
        }
    };
    Ok(config.pairs_per_user.iter().map(of_count).collect())
}

/// 1, 0, or ½ for equal utilities.
fn won_by(own: f32, other: f32) -> f64 {
    match own.total_cmp(&other) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    }
}

/// All prompts for one person, for each number of choices.
fn compare(
    engine: &Engine,
    config: &WinRateConfig,
    person: &Person,
    own: &[Taste],
    another: &[Taste],
) -> Result<Vec<Vec<Comparison>>, EvaluationError> {
    let arms: Vec<Arm> = [&[Arm::Personalised], config.opponents].concat();
    let runs = 0..config.pairs_per_user.len();
    // What follows no choices is drawn for the first run, and is the same in all.
    let drawn_for = |arm: Arm, run: usize| if arm.follows_choices() { run } else { 0 };
    let kinds: Vec<(Arm, usize)> = runs
        .clone()
        .flat_map(|run| arms.iter().map(move |&arm| (arm, run)))
        .filter(|&(arm, run)| drawn_for(arm, run) == run)
        .collect();
    let taste = |(arm, run): (Arm, usize)| match arm {
        Arm::Personalised => own[run].clone(),
        Arm::Base => Taste::Base,
        Arm::Population => Taste::Population,
        Arm::Mismatched => another[run].clone(),
    };
    let seeds: Vec<u64> = config
        .prompts
        .iter()
        .map(|prompt| stream(config.seed, person, prompt).random::<u32>().into())
        .collect();
    let asked = || config.prompts.iter().zip(&seeds);
    let requests = asked().flat_map(|(prompt, &seed)| {
        let request = move |&kind| Request {
            prompt: prompt.clone(),
            seeds: vec![seed],
            taste: taste(kind),
        };
        kinds.iter().map(request)
    });
    let pictures: Vec<RgbImage> = draw(engine, requests.collect())?.concat();
    let seen: Vec<Option<Seen>> = match &config.jury {
        Some(jury) => {
            let prompts = asked().flat_map(|(prompt, _)| kinds.iter().map(|_| prompt.as_str()));
            let seen = jury.look(&prompts.collect::<Vec<_>>(), &pictures);
            seen.into_iter().map(Some).collect()
        }
        None => vec![None; pictures.len()],
    };
    let mut all: Vec<Drawn> = Vec::with_capacity(pictures.len());
    for (i, (picture, seen)) in pictures.iter().zip(seen).enumerate() {
        let (arm, run) = kinds[i % kinds.len()];
        let prompt = i / kinds.len();
        let name = match arm.follows_choices() && runs.len() > 1 {
            true => format!("{}-{}", arm.as_str(), config.pairs_per_user[run]),
            false => arm.as_str().to_owned(),
        };
        let save = |dir| {
            save(
                dir,
                person,
                &config.prompts[prompt],
                &name,
                seeds[prompt],
                picture,
            )
        };
        all.push(Drawn {
            arm,
            utility: person.utility(picture),
            seen,
            file: config.save.map(save).transpose()?,
        });
    }
    let comparison = |run: usize, place: usize| {
        let of_arm = |&arm: &Arm| {
            let kind = (arm, drawn_for(arm, run));
            let kind = kinds.iter().position(|&one| one == kind);
            place * kinds.len() + kind.expect("every arm was drawn for its run")
        };
        let places: Vec<usize> = arms.iter().map(of_arm).collect();
        let prompt = &config.prompts[place];
        // The same in every run, so that runs differ by their pictures alone.
        let mut rng = stream(config.seed, person, &format!("answers {prompt}"));
        let answer =
            |&other: &usize| answer(person, &pictures[places[0]], &pictures[other], &mut rng);
        Comparison {
            person: person.number(),
            prompt: prompt.clone(),
            seed: seeds[place],
            pairs_per_user: config.pairs_per_user[run],
            answers: places[1..].iter().map(answer).collect(),
            pictures: places.iter().map(|&place| all[place].clone()).collect(),
        }
    };
    let prompts = config.prompts.len();
    Ok(runs
        .map(|run| (0..prompts).map(|place| comparison(run, place)).collect())
        .collect())
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

/// Writes `DIR/PERSON/PROMPT-ARM-SEED.png`, the arm by its name; returns the path within `dir`.
fn save(
    dir: &Path,
    person: &Person,
    prompt: &str,
    arm: &str,
    seed: u64,
    picture: &RgbImage,
) -> Result<PathBuf, EvaluationError> {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let prompt: String = prompt.chars().map(plain).collect();
    let folder = PathBuf::from(format!("person-{}", person.number()));
    let file = folder.join(format!("{prompt}-{arm}-{seed}.png"));
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
    runs: Vec<Vec<Comparison>>,
    ceilings: Vec<Option<Ceilings>>,
) -> WinRateReport {
    let (people, opponents) = (&config.population.people, config.opponents);
    let mut all = runs.iter().zip(ceilings).map(|(comparisons, ceilings)| {
        results(people, opponents, comparisons, ceilings, config.seed)
    });
    let two = |(fewer, more)| differences(opponents, [fewer, more], config.seed);
    let mut by_count: Vec<&[Comparison]> = runs.iter().map(Vec::as_slice).collect();
    by_count.sort_by_key(|run| run.first().map(|c| c.pairs_per_user));
    let couples = (0..by_count.len()).flat_map(|a| (a + 1..by_count.len()).map(move |b| (a, b)));
    WinRateReport {
        population: config.population.name.clone(),
        people: people.len(),
        prompts: config.prompts.len(),
        model,
        differences: couples
            .flat_map(|(a, b)| two((by_count[a], by_count[b])))
            .collect(),
        results: all.next().expect("there is a number of choices"),
        further: all.collect(),
        comparisons: runs.concat(),
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
