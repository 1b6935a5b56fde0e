//! Which pair a person sees next: one that tells much about them, the same until it is judged, and
//! none again before all were seen.

use predilect_api::Choice;
use predilect_model::evaluation::axes::measure;
use predilect_model::evaluation::next_pair::NextPair;
use predilect_model::evaluation::population::Choice as Answer;
use predilect_model::preference::pair_bank::{BankPair, PairBank, PairBankError, Side};
use sha2::{Digest, Sha256};

use crate::store::Judged;

/// Share of what the most telling pair tells that is enough to be shown: among these a person's own
/// order decides, so that people who begin don't all see the same.
const ENOUGH: f64 = 0.8;

/// Knows what each pair of a bank would tell.
pub struct PairOrder {
    next_pair: NextPair,
}

impl PairOrder {
    /// Of this bank; looks at every picture.
    ///
    /// # Errors
    /// When a picture cannot be read.
    pub fn of(bank: &PairBank) -> Result<Self, PairBankError> {
        let axes = |pair, side| Ok(measure(&bank.read_picture(pair, side)?).normalised());
        let pairs = bank.pairs().iter();
        let pairs: Vec<_> = pairs
            .map(|pair| Ok([axes(pair, Side::Left)?, axes(pair, Side::Right)?]))
            .collect::<Result<_, PairBankError>>()?;
        Ok(Self {
            next_pair: NextPair::new(&pairs),
        })
    }

    /// The pair to judge next after these answers about the same taste.
    ///
    /// # Panics
    /// Never: a loaded bank has at least one pair.
    #[must_use]
    pub fn next<'a>(
        &self,
        bank: &'a PairBank,
        seed: i64,
        judged: &Judged,
        answers: &[(String, Choice)],
    ) -> &'a BankPair {
        let told = self.next_pair.information(&known(bank, answers));
        let least = least_judged(bank, judged);
        let due = || {
            let pairs = bank.pairs().iter().zip(&told);
            pairs.filter(|(pair, _)| times(judged, &pair.id) <= least)
        };
        let most = due().map(|(_, told)| *told).fold(0.0, f64::max);
        let (next, _) = due()
            .filter(|(_, told)| **told >= ENOUGH * most)
            .min_by_key(|(pair, _)| rank(seed, times(judged, &pair.id), &pair.id))
            .expect("the pairs judged least are due, and one of them tells most");
        next
    }
}

/// The answers to pairs that the bank still has, by their places in it. Who skipped said nothing.
fn known(bank: &PairBank, answers: &[(String, Choice)]) -> Vec<(usize, Answer)> {
    let known = answers.iter().filter_map(|(id, choice)| {
        let answer = match choice {
            Choice::Left => Answer::Left,
            Choice::Right => Answer::Right,
            Choice::Tie => Answer::Tie,
            Choice::Skip => return None,
        };
        let place = bank.pairs().iter().position(|pair| pair.id == *id)?;
        Some((place, answer))
    });
    known.collect()
}

/// Whether a pair may be judged: it was, at most as often as the least judged one.
#[must_use]
pub fn is_due(bank: &PairBank, judged: &Judged, id: &str) -> bool {
    times(judged, id) <= least_judged(bank, judged)
}

/// How often the pair was judged that was judged least.
fn least_judged(bank: &PairBank, judged: &Judged) -> u32 {
    let pairs = bank.pairs().iter();
    let times = pairs.map(|pair| times(judged, &pair.id));
    times.min().unwrap_or(0)
}

fn times(judged: &Judged, id: &str) -> u32 {
    judged.get(id).copied().unwrap_or(0)
}

/// A hash orders the bank differently for each person and round, and alike in every
/// process and version.
fn rank(seed: i64, round: u32, id: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(round.to_le_bytes());
    hash.update(id);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use image::{Rgb, RgbImage};
    use predilect_model::preference::pair_bank::PairBankWriter;

    use super::*;

    fn bank(pairs: u8) -> (tempfile::TempDir, PairBank) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = PairBankWriter::create(folder.path(), "abc").unwrap();
        for n in 0..pairs {
            let picture = RgbImage::from_pixel(8, 8, Rgb([n * 20, 0, 0]));
            writer
                .add(&format!("subject {n}"), &picture, &picture)
                .unwrap();
        }
        (folder, writer.finish().unwrap())
    }

    fn order(bank: &PairBank, seed: i64, count: usize) -> Vec<String> {
        let order = PairOrder::of(bank).unwrap();
        let mut judged = Judged::new();
        (0..count)
            .map(|_| {
                let id = order.next(bank, seed, &judged, &[]).id.clone();
                assert!(is_due(bank, &judged, &id));
                *judged.entry(id.clone()).or_default() += 1;
                id
            })
            .collect()
    }

    #[test]
    fn every_pair_comes_before_any_comes_again() {
        let (_folder, bank) = bank(7);
        let seen = order(&bank, 1, 14);
        assert_eq!(seen[..7].iter().collect::<HashSet<_>>().len(), 7);
        assert_eq!(seen[7..].iter().collect::<HashSet<_>>().len(), 7);
    }

    #[test]
    fn each_person_has_an_order_of_their_own() {
        let (_folder, bank) = bank(7);
        assert_eq!(order(&bank, 1, 7), order(&bank, 1, 7));
        assert_ne!(order(&bank, 1, 7), order(&bank, 2, 7));
    }

    #[test]
    fn a_pair_that_tells_something_comes_before_one_of_two_pictures_alike() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = PairBankWriter::create(folder.path(), "abc").unwrap();
        let grey = |level| RgbImage::from_pixel(32, 32, Rgb([level; 3]));
        for (n, right) in [91, 92, 250, 93, 94].into_iter().enumerate() {
            let prompt = format!("subject {n}");
            writer.add(&prompt, &grey(90), &grey(right)).unwrap();
        }
        let bank = writer.finish().unwrap();
        for seed in 0..10 {
            let first = &order(&bank, seed, 1)[0];
            assert_eq!(bank.get(first).unwrap().prompt, "subject 2");
        }
    }

    #[test]
    fn a_judged_pair_is_not_due_while_others_are() {
        let (_folder, bank) = bank(2);
        let (first, second) = (&bank.pairs()[0].id, &bank.pairs()[1].id);
        let once = Judged::from([(first.clone(), 1)]);
        assert!(!is_due(&bank, &once, first));
        assert!(is_due(&bank, &once, second));
        assert!(is_due(
            &bank,
            &Judged::from([(first.clone(), 1), (second.clone(), 1)]),
            first
        ));
    }
}
