//! How much there is to win: what somebody who knew the person, or who made the best of the
//! same four answers, would pick among many pictures of the base model.
//!
//! Four answers carry four bits at most, so no method can know a person from them. A win rate is
//! to be read against these two: the oracle's says what a perfect knowledge of taste would win
//! with pictures that the base model draws anyway, the Bayes ceiling's what four answers allow.
use super::axes::AxisValues;
use super::choice_pool::{ChoicePool, Chosen};
use super::population::Person;
use crate::data::split::Split;

/// How many: the posterior after four answers rests on some hundreds of them.
const PEOPLE: usize = 4000;
/// Sets them apart from those of every population in use.
const SEED: u64 = 0x7072_696f_7273;

/// How people are, as far as anybody can know who doesn't know whom they have before them: many of
/// the held-out side, who are the ones that are judged.
pub struct Prior {
    people: Vec<Person>,
}

impl Prior {
    /// People as [`Person::sample`] draws them.
    #[must_use]
    pub fn sample() -> Self {
        let people = Person::sample_all(SEED, Split::HeldOut);
        Self {
            people: people.take(PEOPLE).collect(),
        }
    }

    /// What these answers leave of it.
    pub fn after(&self, answers: &[Chosen], pool: &ChoicePool) -> Posterior<'_> {
        let weighted = self.people.iter().map(|person| {
            let likelihood = answers
                .iter()
                .map(|c| person.chance_of(pool.axes(c.preferred), pool.axes(c.rejected)))
                .product();
            (person, likelihood)
        });
        Posterior {
            people: weighted.collect(),
        }
    }
}

/// Beliefs about a person, as weighted people of the simulated population.
pub struct Posterior<'a> {
    people: Vec<(&'a Person, f64)>,
}

impl Posterior<'_> {
    /// The candidate that most probably is liked better than `rival`; none of no candidates.
    pub fn best(&self, candidates: &[AxisValues], rival: &AxisValues) -> Option<usize> {
        let mut wins = vec![0.0; candidates.len()];
        for (person, weight) in &self.people {
            let least = person.utility_of(rival);
            for (wins, candidate) in wins.iter_mut().zip(candidates) {
                if person.utility_of(candidate) > least {
                    *wins += weight;
                }
            }
        }
        (0..candidates.len()).max_by(|&a, &b| wins[a].total_cmp(&wins[b]))
    }
}

/// The candidate that the person likes best; none of no candidates.
pub fn oracle(person: &Person, candidates: &[AxisValues]) -> Option<usize> {
    let utility = |&i: &usize| person.utility_of(&candidates[i]);
    (0..candidates.len()).max_by(|a, b| utility(a).total_cmp(&utility(b)))
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::evaluation::axes::{Axis, measure};

    fn grey(value: u8) -> RgbImage {
        RgbImage::from_pixel(32, 32, Rgb([value; 3]))
    }

    #[test]
    fn four_answers_for_the_brighter_picture_make_one_pick_a_bright_one() {
        let prompts = (0..4).map(|i| format!("prompt {i}")).collect();
        let pictures = (0..4).flat_map(|_| [grey(90), grey(250)]).collect();
        let pool = ChoicePool::new(prompts, pictures);
        let answers: Vec<Chosen> = (0..4)
            .map(|prompt| Chosen {
                prompt,
                preferred: 2 * prompt + 1,
                rejected: 2 * prompt,
            })
            .collect();
        let candidates: Vec<AxisValues> = [60, 120, 200, 255]
            .map(|value| measure(&grey(value)).normalised())
            .to_vec();
        let rival = measure(&grey(150)).normalised();
        let prior = Prior::sample();
        let posterior = prior.after(&answers, &pool);
        let picked = posterior.best(&candidates, &rival);
        let brightness = |i: usize| candidates[i][Axis::Brightness];
        assert!(brightness(picked.unwrap()) > rival[Axis::Brightness]);
        assert_eq!(posterior.best(&[], &rival), None);
    }

    #[test]
    fn the_oracle_knows_the_person() {
        let candidates: Vec<AxisValues> = [60, 120, 200, 255]
            .map(|value| measure(&grey(value)).normalised())
            .to_vec();
        for number in 0..20 {
            let person = Person::sample(3, number);
            let picked = oracle(&person, &candidates).unwrap();
            let best = person.utility_of(&candidates[picked]);
            assert!(candidates.iter().all(|c| person.utility_of(c) <= best));
        }
    }
}
