//! Which pair would tell most about a person.
//!
//! Belief about a person is a weight on each of many simulated people ([`Person::sample`]), by how
//! well they explain the answers so far. The pair that tells most is the one whose answer is
//! expected to take most from the uncertainty about who it is (Lindley, 1956; Houlsby et al.,
//! Bayesian Active Learning by Disagreement, 2011).

use super::axes::AxisValues;
use super::population::{Choice, Person};

/// People that beliefs are about.
const PEOPLE: u64 = 1000;
/// Sets them apart from those of every population in use.
const PEOPLE_SEED: u64 = 0x6e65_7874_7061;

/// The chances that one of the simulated people answers a pair with left, right and neither, in the
/// order of [`Choice`].
type Chances = [f64; 3];

/// Knows how each of many people would answer each pair.
pub struct NextPair {
    /// Pair by pair, person by person.
    pairs: Vec<Vec<Chances>>,
}

impl NextPair {
    /// Of these pairs, by the normalised axes of their left and right pictures.
    pub fn new(pairs: &[[AxisValues; 2]]) -> Self {
        let people: Vec<Person> = (0..PEOPLE)
            .map(|n| Person::sample(PEOPLE_SEED, n))
            .collect();
        let chances = |person: &Person, [left, right]: &[AxisValues; 2]| {
            let (first, second) = (person.chance_of(left, right), person.chance_of(right, left));
            [first, second, (1.0 - first - second).max(0.0)]
        };
        let of_pair = |pair| people.iter().map(|person| chances(person, pair)).collect();
        Self {
            pairs: pairs.iter().map(of_pair).collect(),
        }
    }

    /// How much each pair is expected to tell after these answers (pairs by their place), in nats: the
    /// mutual information of the side that is preferred and the person, times the chance that one
    /// is. Who calls two pictures equal says how fast they are to do so, not what they like.
    pub fn information(&self, answers: &[(usize, Choice)]) -> Vec<f64> {
        let weights = self.weights(answers);
        let of_pair = |pair: &Vec<Chances>| {
            let (mut left, mut decided, mut known) = (0.0, 0.0, 0.0);
            for (weight, &[first, second, _]) in weights.iter().zip(pair) {
                left += weight * first;
                decided += weight * (first + second);
                known += weight * (first + second) * entropy(first / (first + second));
            }
            (decided * entropy(left / decided) - known).max(0.0)
        };
        self.pairs.iter().map(of_pair).collect()
    }

    /// How likely each person is to be who answered so; they add up to one.
    fn weights(&self, answers: &[(usize, Choice)]) -> Vec<f64> {
        let mut weights = vec![1.0 / PEOPLE as f64; PEOPLE as usize];
        for &(pair, choice) in answers {
            for (weight, chances) in weights.iter_mut().zip(&self.pairs[pair]) {
                *weight *= chances[choice as usize];
            }
            let sum: f64 = weights.iter().sum();
            if sum > 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
        }
        weights
    }
}

/// Entropy of what comes with this chance, in nats.
fn entropy(chance: f64) -> f64 {
    let part = |p: f64| match p > 0.0 {
        true => -p * p.ln(),
        false => 0.0,
    };
    part(chance) + part(1.0 - chance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::axes::Axis;

    /// Two pictures that differ by this much on one axis.
    fn apart(axis: Axis, by: f32) -> [AxisValues; 2] {
        let mut left = AxisValues([0.0; Axis::ALL.len()]);
        let mut right = left;
        left.0[axis.index()] = by / 2.0;
        right.0[axis.index()] = -by / 2.0;
        [left, right]
    }

    #[test]
    fn two_pictures_alike_tell_nothing_and_two_far_apart_much() {
        let next = NextPair::new(&[apart(Axis::Warmth, 0.0), apart(Axis::Warmth, 3.0)]);
        let told = next.information(&[]);
        assert!(told[0] < 1e-9 && told[1] > 0.05, "{told:?}");
    }

    #[test]
    fn what_was_answered_alike_tells_less_when_asked_again_than_something_else() {
        let outline = || apart(Axis::Outline, 3.0);
        let next = NextPair::new(&[outline(), outline(), apart(Axis::Warmth, 3.0)]);
        let told = next.information(&[(0, Choice::Left); 8]);
        assert!(told[1] < told[2], "{told:?}");
    }
}
