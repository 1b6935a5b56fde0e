//! Simulated people: who they are is hidden, what shows is what they choose.
//!
//! A person cares about one to three axes. People come in clusters, so that axes go together as
//! they do in life; some have an ideal point instead of wanting ever more; nobody is perfectly
//! consistent, some lean to one side of the screen, and small differences may end in a tie. How
//! people are drawn is said in `assets/population.json`.
mod consistency;
mod reference;

use std::path::{Path, PathBuf};

use image::RgbImage;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::reference::REFERENCE;
use super::axes::{Axis, AxisValues, measure};
use crate::data::split::{Split, stable_hash};

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
#[serde(try_from = "Described", into = "Described")]
pub struct Person {
    number: u64,
    wants: Vec<Want>,
    /// Mean chance to choose the better picture; not known of those whose temperature was given.
    consistency: Option<f32>,
    /// Bradley–Terry temperature: difference in utility that counts as one unit of log odds.
    temperature: f32,
    /// Log odds for the left picture when both are equal.
    side_bias: f32,
    /// Chance that a difference in utility below [`NEAR`] ends in a tie.
    tie_rate: f64,
}

/// A person as a file describes them, by their consistency or, as files of format 1 do, by the
/// temperature that it comes from.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    number: u64,
    wants: Vec<Want>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consistency: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(default)]
    side_bias: f32,
    #[serde(default)]
    tie_rate: f64,
}

/// Somebody who could not choose.
#[derive(Debug, thiserror::Error)]
#[error("person {number} {reason}")]
struct Unable {
    number: u64,
    reason: &'static str,
}

impl TryFrom<Described> for Person {
    type Error = Unable;

    fn try_from(described: Described) -> Result<Self, Unable> {
        let Described {
            number,
            wants,
            consistency,
            temperature,
            side_bias,
            tie_rate,
        } = described;
        let unable = |reason| Unable { number, reason };
        let numbers = wants.iter().flat_map(|w| [Some(w.weight), w.ideal]);
        let wrong = if wants.is_empty() {
            Some("wants nothing: `wants` needs at least one axis")
        } else if !numbers.flatten().all(f32::is_finite) {
            Some("has a weight or an ideal that is no number")
        } else if !side_bias.is_finite() {
            Some("has a `side_bias` that is no number")
        } else if !(0.0..=MOST_TIES).contains(&tie_rate) {
            Some("has a `tie_rate` that is not between 0 and 0.9")
        } else {
            None
        };
        if let Some(reason) = wrong {
            return Err(unable(reason));
        }
        match (consistency, temperature) {
            (Some(consistency), None) => {
                Self::consistent(number, wants, consistency, side_bias, tie_rate).map_err(unable)
            }
            (None, Some(temperature)) if temperature.is_finite() && temperature > 0.0 => Ok(Self {
                number,
                wants,
                consistency: None,
                temperature,
                side_bias,
                tie_rate,
            }),
            (None, Some(_)) => Err(unable("has a `temperature` that is not above 0")),
            _ => Err(unable("needs a `consistency` or else a `temperature`")),
        }
    }
}

impl From<Person> for Described {
    fn from(person: Person) -> Self {
        let temperature = person.consistency.is_none().then_some(person.temperature);
        Self {
            number: person.number,
            wants: person.wants,
            consistency: person.consistency,
            temperature,
            side_bias: person.side_bias,
            tie_rate: person.tie_rate,
        }
    }
}

/// Most of the near pairs that a person may call equal: more, and choices would never end.
const MOST_TIES: f64 = 0.9;

/// Difference in utility below which a person may call two pictures equal.
const NEAR: f32 = 0.3;

/// The words of the files that say who [`Person::sample`] gives: people drawn by others are others.
pub(crate) const REFERENCE_TEXT: [&str; 2] = [reference::TEXT, consistency::TEXT];

/// Side of the fixed split by user, from the person's number alone: a fifth of the people is never
/// trained on.
pub fn side_of(number: u64) -> Split {
    let person = [b"person".as_slice(), &number.to_le_bytes()].concat();
    match stable_hash(&person) % 100 < REFERENCE.held_out_per_cent {
        true => Split::HeldOut,
        false => Split::Train,
    }
}

impl Person {
    /// The person of this number in the population of this seed; the same every time. What is
    /// withheld from training ([`Axis::TOLD`]) is wanted by held-out people alone.
    pub fn sample(seed: u64, number: u64) -> Self {
        REFERENCE.person(seed, number)
    }

    /// The people of a seed who are on one side of the split, without end.
    pub fn sample_all(seed: u64, split: Split) -> impl Iterator<Item = Self> {
        let numbers = (0..).filter(move |&number| side_of(number) == split);
        numbers.map(move |number| Self::sample(seed, number))
    }

    /// Somebody who chooses the better picture this often, or what keeps them from it.
    fn consistent(
        number: u64,
        wants: Vec<Want>,
        consistency: f32,
        side_bias: f32,
        tie_rate: f64,
    ) -> Result<Self, &'static str> {
        let mut person = Self {
            number,
            wants,
            consistency: Some(consistency),
            temperature: 1.0,
            side_bias,
            tie_rate,
        };
        if !(consistency > 0.5 && consistency < 1.0) {
            return Err("has a `consistency` that is not above 0.5 and below 1");
        }
        let differences = consistency::differences(|values| person.utility_of(values));
        let bias = f64::from(side_bias);
        person.temperature = consistency::temperature(&differences, consistency.into(), bias)
            .ok_or("likes no picture better than another: no weight is other than 0")?
            as f32;
        Ok(person)
    }

    /// Somebody who likes what this person dislikes, and is the same otherwise.
    pub fn opposite(&self) -> Self {
        let mut opposite = self.clone();
        for want in &mut opposite.wants {
            want.weight = -want.weight;
            want.ideal = want.ideal.map(|ideal| -ideal);
        }
        // Mirrored ideals lie elsewhere among the pictures: as consistent is another temperature.
        match self.consistency {
            Some(consistency) => Self::consistent(
                self.number,
                opposite.wants,
                consistency,
                self.side_bias,
                self.tie_rate,
            )
            .expect("the opposite of somebody with wants has wants"),
            None => opposite,
        }
    }

    /// The person's number in the population.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Side of the fixed split by user.
    pub fn split(&self) -> Split {
        side_of(self.number)
    }

    /// The axes that the person wants something of.
    pub fn wanted(&self) -> impl Iterator<Item = Axis> {
        self.wants.iter().map(|want| want.axis)
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

/// Format that files of people are written in.
const FILE_FORMAT: u32 = 2;
/// Formats that are read. Format 1 had a temperature where format 2 has the consistency.
const FORMATS_READ: std::ops::RangeInclusive<u32> = 1..=FILE_FORMAT;

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
        Self {
            format: FILE_FORMAT,
            name: name.to_owned(),
            people: Person::sample_all(seed, split).take(count).collect(),
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
        if !FORMATS_READ.contains(&population.format) {
            return Err(error(format!(
                "the file is of format {}, this program reads formats 1 and {FILE_FORMAT}",
                population.format
            )));
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
    use rand::SeedableRng;

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
            (|p| p.consistency = Some(0.5), "consistency"),
            (
                |p| p.wants.iter_mut().for_each(|w| w.weight = 0.0),
                "weight",
            ),
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
    fn a_file_of_the_first_format_is_read_as_it_was_meant() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("people.json");
        let first = r#"{"format": 1, "name": "held out", "people": [{"number": 3,
            "wants": [{"axis": "outline", "weight": 1.1},
                      {"axis": "warmth", "weight": -0.8, "ideal": -1.0}],
            "temperature": 0.3, "side_bias": 0.1, "tie_rate": 0.2}]}"#;
        std::fs::write(&path, first).unwrap();
        let population = Population::read(&path).unwrap();
        assert_eq!(population.people[0].temperature, 0.3);
        assert!(
            population.people[0]
                .wanted()
                .eq([Axis::Outline, Axis::Warmth])
        );
        population.write(&path).unwrap();
        assert_eq!(Population::read(&path).unwrap(), population);

        for (from, to, said) in [
            ("0.3", "0.0", "temperature"),
            ("\"temperature\": 0.3,", "", "consistency"),
            (
                "\"temperature\"",
                "\"consistency\": 0.9, \"temperature\"",
                "or else",
            ),
            ("\"format\": 1", "\"format\": 3", "format 3"),
        ] {
            std::fs::write(&path, first.replace(from, to)).unwrap();
            let error = Population::read(&path).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn people_are_as_consistent_as_the_reference_population_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut values: Vec<f32> = people(300).map(|p| p.consistency.unwrap()).collect();
        values.sort_by(f32::total_cmp);
        assert!(values[0] >= 0.8 && values[0] < 0.82 && values[299] <= 0.95 && values[299] > 0.93);
        for person in people(300) {
            let differences = consistency::differences(|values| person.utility_of(values));
            let bias = f64::from(person.side_bias);
            let got = consistency::consistency(&differences, person.temperature.into(), bias);
            let wanted = f64::from(person.consistency.unwrap());
            assert!((got - wanted).abs() < 1e-3, "{got} of {wanted}");
        }
        let some = |has: &dyn Fn(&Person) -> bool| people(300).filter(has).count();
        for having in [some(&|p| p.tie_rate > 0.0), some(&|p| p.side_bias != 0.0)] {
            assert!((110..190).contains(&having), "{having}");
        }
        let (person, mut better, mut decided) = (Person::sample(1, 2), 0, 0);
        for [left, right] in consistency::pairs().iter().cycle().take(20_000) {
            let best = match person.utility_of(left).total_cmp(&person.utility_of(right)) {
                std::cmp::Ordering::Equal => continue,
                std::cmp::Ordering::Greater => Choice::Left,
                std::cmp::Ordering::Less => Choice::Right,
            };
            let undecided = Person {
                tie_rate: 0.0,
                ..person.clone()
            };
            better += u32::from(undecided.choose_measured(left, right, &mut rng) == best);
            decided += 1;
        }
        let share = f64::from(better) / f64::from(decided);
        let wanted = f64::from(person.consistency.unwrap());
        assert!((share - wanted).abs() < 0.02, "{share} of {wanted}");
    }

    #[test]
    fn no_trained_person_wants_what_is_withheld_and_some_held_out_ones_do() {
        let withheld = |split| {
            let people = Person::sample_all(1, split).take(500);
            people.filter(|p| !p.wanted().all(Axis::told)).count()
        };
        assert_eq!(withheld(Split::Train), 0);
        let held_out = withheld(Split::HeldOut);
        assert!((50..200).contains(&held_out), "{held_out}");
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
                let wanted = Person::sample_all(1, Split::HeldOut)
                    .take(500)
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
