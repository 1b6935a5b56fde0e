use std::collections::BTreeMap;

use crate::{Verdict, Vote};

/// How far participants agree who judged the same items.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Items with votes of two participants or more.
    pub items: usize,
    /// Votes on these items.
    pub votes: usize,
    /// Pairs of votes on one item that say the same, of all such pairs, each item weighed by
    /// its votes; 0 to 1.
    pub observed: f64,
    /// Krippendorff's alpha for nominal data: 1 is full agreement, 0 what chance gives, below
    /// 0 systematic disagreement. None where all votes on all items are the same, so that
    /// there is nothing to tell chance from.
    pub alpha: Option<f64>,
}

/// What a vote said, whichever side the pictures were on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Prefers(usize),
    Tie,
    BothBad,
}

impl Said {
    fn of(vote: &Vote) -> Self {
        match (vote.preferred(), vote.verdict) {
            (Some(arm), _) => Self::Prefers(arm),
            (None, Verdict::BothBad) => Self::BothBad,
            (None, _) => Self::Tie,
        }
    }
}

/// Krippendorff's alpha (2004) over items that several participants judged. A participant's
/// repeated votes on an item count as votes of the item. None where no item has two votes.
#[must_use]
pub fn agreement(votes: &[Vote]) -> Option<Agreement> {
    let mut by_item: BTreeMap<usize, BTreeMap<Said, f64>> = BTreeMap::new();
    for vote in votes {
        let counts = by_item.entry(vote.item).or_default();
        *counts.entry(Said::of(vote)).or_default() += 1.0;
    }
    let total = |counts: &BTreeMap<Said, f64>| counts.values().sum::<f64>();
    by_item.retain(|_, counts| total(counts) >= 2.0);
    let n: f64 = by_item.values().map(total).sum();
    if by_item.is_empty() {
        return None;
    }
    // An item with m votes gives m (m - 1) ordered pairs, each of weight 1 / (m - 1).
    let mut agreeing = 0.0;
    let mut values: BTreeMap<Said, f64> = BTreeMap::new();
    for counts in by_item.values() {
        let others = total(counts) - 1.0;
        for (said, count) in counts {
            agreeing += count * (count - 1.0) / others;
            *values.entry(*said).or_default() += count;
        }
    }
    let observed = agreeing / n;
    let by_chance = values
        .values()
        .map(|count| count * (count - 1.0))
        .sum::<f64>()
        / (n * (n - 1.0));
    Some(Agreement {
        items: by_item.len(),
        votes: n as usize,
        observed,
        alpha: (values.len() > 1).then(|| (observed - by_chance) / (1.0 - by_chance)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(participant: usize, item: usize, left: usize, verdict: Verdict) -> Vote {
        Vote {
            participant,
            item,
            left,
            right: 1 - left,
            verdict,
            response_ms: 1000,
        }
    }

    #[test]
    fn agreement_is_about_pictures_and_not_sides() {
        let votes = [
            vote(0, 0, 0, Verdict::Left),
            vote(1, 0, 1, Verdict::Right),
            vote(0, 1, 0, Verdict::Right),
            vote(1, 1, 1, Verdict::Left),
        ];
        let found = agreement(&votes).unwrap();
        assert_eq!((found.items, found.votes), (2, 4));
        assert_eq!((found.observed, found.alpha), (1.0, Some(1.0)));
    }

    #[test]
    fn items_seen_once_say_nothing() {
        let once = [vote(0, 0, 0, Verdict::Left), vote(1, 1, 0, Verdict::Left)];
        assert!(agreement(&once).is_none());
    }

    #[test]
    fn where_all_say_the_same_chance_can_not_be_told() {
        let same = [vote(0, 0, 0, Verdict::Tie), vote(1, 0, 0, Verdict::Tie)];
        let found = agreement(&same).unwrap();
        assert_eq!((found.observed, found.alpha), (1.0, None));
    }
}
