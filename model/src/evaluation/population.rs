//! Simulated people: who they are is hidden, what shows is what they choose.
//!
//! A person cares about one to three axes. People come in clusters, so that axes go together as
//! they do in life; some have an ideal point instead of wanting ever more; nobody is perfectly
//! consistent, some lean to one side of the screen, and small differences may end in a tie.
use image::RgbImage;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
#[derive(Debug, Clone, Copy, PartialEq)]
struct Want {
    axis: Axis,
    /// Utility per standard deviation; its sign is the direction.
    weight: f32,
    /// Where the person would have the axis be, in standard deviations; else ever more.
    ideal: Option<f32>,
}

/// A simulated person. The taste itself is private: nothing but [`Person::choose`] and
/// [`Person::utility`] (for measuring, never for training) gives it away.
#[derive(Debug, Clone, PartialEq)]
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
