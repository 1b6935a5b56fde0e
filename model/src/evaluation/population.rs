//! Simulated people: who they are is hidden, what shows is what they choose.
//!
//! A person cares about one to three axes. People come in clusters, so that axes go together as
//! they do in life; some have an ideal point instead of wanting ever more; nobody is perfectly
//! consistent, some lean to one side of the screen, and small differences may end in a tie.
use std::path::{Path, PathBuf};

use image::RgbImage;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::axes::{Axis, AxisValues, measure};
use crate::data::split::{Split, stable_hash};

/// Share of the people who are held out from all training, in per cent.
pub const HELD_OUT_PER_CENT: u64 = 20;

/// What a person answers when shown two pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The left picture.
    Left,
    /// The right picture.
    Right,
    /// Neither; such pairs do not count.
    Tie,
}

/// Axes that go together in one kind of person, each with the end that is liked.
type Cluster = [(Axis, f32); 3];

const CLUSTERS: [Cluster; 8] = [
    [
        (Axis::Colourfulness, 1.0),
        (Axis::Background, 1.0),
        (Axis::Fill, 1.0),
    ],
    [
        (Axis::Detail, -1.0),
        (Axis::Background, -1.0),
        (Axis::Outline, -1.0),
    ],
    [
        (Axis::Outline, 1.0),
        (Axis::Shading, -1.0),
        (Axis::Colourfulness, -1.0),
    ],
    [
        (Axis::Shading, 1.0),
        (Axis::Outline, -1.0),
        (Axis::Brightness, 1.0),
    ],
    [
        (Axis::Warmth, 1.0),
        (Axis::Colourfulness, 1.0),
        (Axis::Detail, 1.0),
    ],
    [
        (Axis::Brightness, -1.0),
        (Axis::Background, 1.0),
        (Axis::Warmth, -1.0),
    ],
    [
        (Axis::Brightness, 1.0),
        (Axis::Fill, -1.0),
        (Axis::Background, -1.0),
    ],
    [(Axis::Detail, 1.0), (Axis::Shading, 1.0), (Axis::Fill, 1.0)],
];

/// What a person wants of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Want {
    axis: Axis,
    /// Utility per standard deviation; its sign is the direction.
    weight: f32,
    /// Where the person would have the axis be, in standard deviations; else ever more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ideal: Option<f32>,
}

/// A simulated person. The taste itself is private: nothing but [`Person::choose`] and
/// [`Person::utility`] (for measuring, never for training) gives it away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    number: u64,
    wants: Vec<Want>,
    /// Bradley–Terry temperature: difference in utility that counts as one unit of log odds.
    temperature: f32,
    /// Log odds for the left picture when both are equal.
    side_bias: f32,
    /// Chance that a difference in utility below [`NEAR`] ends in a tie.
    tie_rate: f64,
}

/// Most of the near pairs that a person may call equal: more, and choices would never end.
const MOST_TIES: f64 = 0.9;

/// Difference in utility below which a person may call two pictures equal.
const NEAR: f32 = 0.3;

impl Person {
    /// The person of this number in the population of this seed; the same every time.
    pub fn sample(seed: u64, number: u64) -> Self {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..].copy_from_slice(&number.to_le_bytes());
        let mut rng = ChaCha8Rng::seed_from_u64(stable_hash(&key));
        let count = rng.random_range(1..=3);
        let signs: Vec<(Axis, f32)> = if rng.random_bool(0.7) {
            let mut cluster = CLUSTERS[rng.random_range(0..CLUSTERS.len())];
            shuffle(&mut cluster, &mut rng);
            cluster[..count].to_vec()
        } else {
            let mut axes = Axis::ALL;
            shuffle(&mut axes, &mut rng);
            axes[..count]
                .iter()
                .map(|&axis| (axis, if rng.random_bool(0.5) { 1.0 } else { -1.0 }))
                .collect()
        };
        let wants = signs
            .into_iter()
            .map(|(axis, sign)| Want {
                axis,
                weight: sign * rng.random_range(0.6..1.5),
                ideal: rng
                    .random_bool(0.15)
                    .then(|| sign * rng.random_range(0.5..1.5)),
            })
            .collect();
        Self {
            number,
            wants,
            temperature: rng.random_range(0.15..0.6),
            side_bias: rng.random_range(-0.3..0.3),
            tie_rate: rng.random_range(0.0..0.5),
        }
    }

    /// Somebody who likes what this person dislikes, and is the same otherwise.
    pub fn opposite(&self) -> Self {
        let mut opposite = self.clone();
        for want in &mut opposite.wants {
            want.weight = -want.weight;
            want.ideal = want.ideal.map(|ideal| -ideal);
        }
        opposite
    }

    /// What keeps this person from choosing, if anything.
    fn check(&self) -> Result<(), &'static str> {
        let numbers = self.wants.iter().flat_map(|w| [Some(w.weight), w.ideal]);
        if self.wants.is_empty() {
            Err("wants nothing: `wants` needs at least one axis")
        } else if !numbers.flatten().all(f32::is_finite) {
            Err("has a weight or an ideal that is no number")
        } else if !(self.temperature.is_finite() && self.temperature > 0.0) {
            Err("has a `temperature` that is not above 0")
        } else if !self.side_bias.is_finite() {
            Err("has a `side_bias` that is no number")
        } else if !(0.0..=MOST_TIES).contains(&self.tie_rate) {
            Err("has a `tie_rate` that is not between 0 and 0.9")
        } else {
            Ok(())
        }
    }

    /// The person's number in the population.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Side of the fixed split by user: a fifth of the people is never trained on.
    pub fn split(&self) -> Split {
        let person = [b"person".as_slice(), &self.number.to_le_bytes()].concat();
        if stable_hash(&person) % 100 < HELD_OUT_PER_CENT {
            Split::HeldOut
        } else {
            Split::Train
        }
    }

    /// How much this person likes a picture; only differences mean anything.
    pub fn utility(&self, picture: &RgbImage) -> f32 {
        self.utility_of(&measure(picture).normalised())
    }

    /// [`Person::utility`] of a picture that was measured already (normalised axes).
    pub fn utility_of(&self, values: &AxisValues) -> f32 {
        self.wants
            .iter()
            .map(|want| match want.ideal {
                Some(ideal) => -want.weight.abs() * (values[want.axis] - ideal).abs(),
                None => want.weight * values[want.axis],
            })
            .sum()
    }

    /// The chance that this person, shown two measured pictures with either on the left, chooses
    /// the first.
    pub fn chance_of(&self, preferred: &AxisValues, rejected: &AxisValues) -> f64 {
        let difference = self.utility_of(preferred) - self.utility_of(rejected);
        let decided = match difference.abs() < NEAR {
            true => 1.0 - self.tie_rate,
            false => 1.0,
        };
        let chance = |bias: f32| {
            let log_odds = f64::from(difference / self.temperature + bias);
            1.0 / (1.0 + (-log_odds).exp())
        };
        decided * (chance(self.side_bias) + chance(-self.side_bias)) / 2.0
    }

    /// Chooses between two pictures, as a person does: not always the same way.
    pub fn choose<R: Rng + ?Sized>(
        &self,
        left: &RgbImage,
        right: &RgbImage,
        rng: &mut R,
    ) -> Choice {
        self.choose_measured(
            &measure(left).normalised(),
            &measure(right).normalised(),
            rng,
        )
    }

    /// [`Person::choose`] between pictures that were measured already (normalised axes).
    pub fn choose_measured<R: Rng + ?Sized>(
        &self,
        left: &AxisValues,
        right: &AxisValues,
        rng: &mut R,
    ) -> Choice {
        let difference = self.utility_of(left) - self.utility_of(right);
        if difference.abs() < NEAR && rng.random_bool(self.tie_rate) {
            return Choice::Tie;
        }
        let log_odds = difference / self.temperature + self.side_bias;
        let left_chance = 1.0 / (1.0 + f64::from(-log_odds).exp());
        if rng.random_bool(left_chance) {
            Choice::Left
        } else {
            Choice::Right
        }
    }
}

/// Format of a file of people; another one is refused.
const FILE_FORMAT: u32 = 1;

/// People in a file, so that results can be had again and others can bring their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    format: u32,
    /// What to call them in a report.
    pub name: String,
    /// The people.
    pub people: Vec<Person>,
}

/// A file of people that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct PopulationError {
    path: PathBuf,
    reason: String,
}

impl Population {
    /// The first `count` people of a seed on one side of the split.
    pub fn sample(name: &str, seed: u64, split: Split, count: usize) -> Self {
        let people = (0..)
            .map(|number| Person::sample(seed, number))
            .filter(|person| person.split() == split);
        Self {
            format: FILE_FORMAT,
            name: name.to_owned(),
            people: people.take(count).collect(),
        }
    }

    /// Reads a file of people.
    ///
    /// # Errors
    /// When the file cannot be read, is of another format, or has a person who could not
    /// choose.
    pub fn read(path: &Path) -> Result<Self, PopulationError> {
        let error = |reason: String| PopulationError {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read(path).map_err(|e| error(e.to_string()))?;
        let population: Self =
            serde_json::from_slice(&text).map_err(|e| error(format!("no file of people: {e}")))?;
        if population.format != FILE_FORMAT {
            return Err(error(format!(
                "the file is of format {}, this program reads format {FILE_FORMAT}",
                population.format
            )));
        }
        for person in &population.people {
            person
                .check()
                .map_err(|reason| error(format!("person {} {reason}", person.number)))?;
        }
        match population.people.is_empty() {
            true => Err(error("there is nobody in it".to_owned())),
            false => Ok(population),
        }
    }

    /// Writes the file that [`Population::read`] reads.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), PopulationError> {
        let error = |e: std::io::Error| PopulationError {
            path: path.to_owned(),
            reason: e.to_string(),
        };
        let text = serde_json::to_string_pretty(self)
            .expect("people are numbers and names, which JSON can hold");
        std::fs::write(path, text + "\n").map_err(error)
    }
}

fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(count: u64) -> impl Iterator<Item = Person> {
        (0..count).map(|number| Person::sample(1, number))
    }

    #[test]
    fn a_person_never_changes_and_a_fifth_is_held_out() {
        assert_eq!(Person::sample(1, 5), Person::sample(1, 5));
        assert_ne!(Person::sample(1, 5).wants, Person::sample(2, 5).wants);
        let held_out = people(5000).filter(|p| p.split() == Split::HeldOut).count();
        assert!((900..1100).contains(&held_out), "{held_out}");
    }

    #[test]
    fn a_file_of_people_reads_back_and_bad_ones_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("people.json");
        let written = Population::sample("some", 3, Split::HeldOut, 20);
        assert!(written.people.iter().all(|p| p.split() == Split::HeldOut));
        written.write(&path).unwrap();
        assert_eq!(Population::read(&path).unwrap(), written);

        for (spoil, expected) in [
            ((|p| p.wants.clear()) as fn(&mut Person), "wants nothing"),
            (|p| p.temperature = 0.0, "temperature"),
            (|p| p.tie_rate = 1.0, "tie_rate"),
        ] {
            let mut spoiled = written.clone();
            spoil(&mut spoiled.people[1]);
            spoiled.write(&path).unwrap();
            let said = Population::read(&path).unwrap_err().to_string();
            let person = format!("person {}", spoiled.people[1].number);
            assert!(said.contains(expected) && said.contains(&person), "{said}");
        }
        std::fs::write(&path, "{}").unwrap();
        assert!(Population::read(&path).is_err());
    }

    #[test]
    fn opposites_disagree() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut disagreed = 0;
        for person in people(1000) {
            let mut any = || AxisValues(std::array::from_fn(|_| rng.random_range(-1.5..1.5)));
            let (left, right) = (any(), any());
            let prefers_left = |p: &Person| p.utility_of(&left) > p.utility_of(&right);
            disagreed += u32::from(prefers_left(&person) != prefers_left(&person.opposite()));
        }
        // All but some of those with an ideal point, who may find both too far from it.
        assert!(disagreed > 850, "{disagreed}");
    }

    #[test]
    fn every_axis_and_both_directions_are_wanted_by_somebody() {
        for axis in Axis::ALL {
            for sign in [1.0, -1.0] {
                let wanted = people(500)
                    .flat_map(|p| p.wants)
                    .any(|want| want.axis == axis && want.weight * sign > 0.0);
                assert!(wanted, "{axis:?} {sign}");
            }
        }
    }

    #[test]
    fn choices_follow_utility_but_not_slavishly() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (mut agreed, mut all) = (0, 0);
        for person in people(2000) {
            let mut any = || AxisValues(std::array::from_fn(|_| rng.random_range(-1.5..1.5)));
            let (left, right) = (any(), any());
            let better = person.utility_of(&left) > person.utility_of(&right);
            match person.choose_measured(&left, &right, &mut rng) {
                Choice::Tie => {}
                choice => {
                    all += 1;
                    agreed += u32::from((choice == Choice::Left) == better);
                }
            }
        }
        let share = f64::from(agreed) / f64::from(all);
        assert!((0.8..0.98).contains(&share), "{share}");
    }
}
