//! Which pair a person sees next: random per person, the same until it is judged, and
//! none again before all were seen.

use predilect_model::preference::pair_bank::{BankPair, PairBank};
use sha2::{Digest, Sha256};

use crate::store::Judged;

/// The pair to judge next.
///
/// # Panics
/// Never: a loaded bank has at least one pair.
#[must_use]
pub fn next<'a>(bank: &'a PairBank, seed: i64, judged: &Judged) -> &'a BankPair {
    bank.pairs()
        .iter()
        .min_by_key(|pair| {
            let times = times(judged, &pair.id);
            (times, rank(seed, times, &pair.id))
        })
        .expect("a loaded bank has at least one pair")
}

/// Whether a pair may be judged: it was, at most as often as the least judged one.
#[must_use]
pub fn is_due(bank: &PairBank, judged: &Judged, id: &str) -> bool {
    let least = bank
        .pairs()
        .iter()
        .map(|pair| times(judged, &pair.id))
        .min()
        .unwrap_or(0);
    times(judged, id) <= least
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
        let mut judged = Judged::new();
        (0..count)
            .map(|_| {
                let id = next(bank, seed, &judged).id.clone();
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
