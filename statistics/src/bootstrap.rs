use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Interval, Ties, Vote};

/// Resamples that make the ends of an interval steady to about half a percent.
pub const RESAMPLES: u32 = 2000;

/// Values that belong together, such as one person's scores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cluster {
    /// Their sum.
    pub sum: f64,
    /// Their number.
    pub n: u64,
}

/// A win rate whose uncertainty is that of the participants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// Participants resampled.
    pub participants: usize,
    /// The rate of all votes, 0 to 1.
    pub rate: f64,
    /// 2.5 % and 97.5 % of the resampled rates.
    pub interval: Interval,
}

/// The percentile bootstrap of `arm`'s win rate against `against`, or any other arm, clustered
/// by participant; see [`cluster_bootstrap`].
///
/// None where fewer than two participants voted.
#[must_use]
pub fn bootstrap(
    votes: &[Vote],
    arm: usize,
    against: Option<usize>,
    ties: Ties,
    resamples: u32,
    seed: u64,
) -> Option<Bootstrap> {
    let participants = totals(votes, arm, against, ties);
    Some(Bootstrap {
        participants: participants.len(),
        interval: cluster_bootstrap(&participants, resamples, seed)?,
        rate: mean(participants.into_iter()),
    })
}

/// The percentile bootstrap (Efron 1979) of a mean over clusters: whole clusters are drawn with
/// replacement, because the answers of one person are alike (Cameron, Gelbach and Miller 2008).
/// The same seed gives the same interval on every machine.
///
/// None where fewer than two clusters have a value, or nothing is resampled.
#[must_use]
pub fn cluster_bootstrap(clusters: &[Cluster], resamples: u32, seed: u64) -> Option<Interval> {
    let clusters: Vec<Cluster> = clusters.iter().copied().filter(|one| one.n > 0).collect();
    let n = u32::try_from(clusters.len()).ok()?;
    if n < 2 || resamples == 0 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| mean((0..n).map(|_| clusters[rng.random_range(0..n) as usize])))
        .collect();
    means.sort_by(f64::total_cmp);
    Some(Interval {
        low: quantile(&means, 0.025),
        high: quantile(&means, 0.975),
    })
}

/// What each participant who has votes made of them.
fn totals(votes: &[Vote], arm: usize, against: Option<usize>, ties: Ties) -> Vec<Cluster> {
    let mut totals: BTreeMap<usize, Cluster> = BTreeMap::new();
    for vote in votes {
        let Some(score) = vote.score_of(arm) else {
            continue;
        };
        let other = against.is_some() && vote.opponent_of(arm) != against;
        let left_out = ties == Ties::LeftOut && vote.preferred().is_none();
        if other || left_out {
            continue;
        }
        let total = totals.entry(vote.participant).or_default();
        total.sum += score;
        total.n += 1;
    }
    totals.into_values().collect()
}

fn mean(clusters: impl Iterator<Item = Cluster>) -> f64 {
    let (sum, n) = clusters.fold((0.0, 0), |(sum, n), one| (sum + one.sum, n + one.n));
    sum / n as f64
}

/// Between the two nearest values in proportion (Hyndman and Fan's type 7, numpy's default).
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    fn votes(of_each: &[(Verdict, usize)]) -> Vec<Vote> {
        let vote = |(participant, verdict)| Vote {
            participant,
            item: 0,
            left: 0,
            right: 1,
            verdict,
            response_ms: 1000,
        };
        of_each
            .iter()
            .enumerate()
            .flat_map(|(who, &(verdict, times))| std::iter::repeat_n((who, verdict), times))
            .map(vote)
            .collect()
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        // So few resamples of so many people hardly ever have the same quantiles.
        let kinds = [Verdict::Left, Verdict::Right, Verdict::Tie];
        let of_each: Vec<_> = (0..60).map(|who| (kinds[who % 3], 1 + who % 7)).collect();
        let votes = votes(&of_each);
        let run = |seed| bootstrap(&votes, 0, None, Ties::AsHalf, 100, seed).unwrap();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1).interval, run(2).interval);
    }

    #[test]
    fn the_rate_is_that_of_all_votes() {
        let votes = votes(&[
            (Verdict::Left, 3),
            (Verdict::Right, 2),
            (Verdict::Left, 4),
            (Verdict::Tie, 1),
        ]);
        let rate = |ties| bootstrap(&votes, 0, None, ties, 10, 1).unwrap();
        let (half, out) = (rate(Ties::AsHalf), rate(Ties::LeftOut));
        assert_eq!((half.participants, half.rate), (4, 0.75));
        assert_eq!((out.participants, out.rate), (3, 7.0 / 9.0));
    }

    #[test]
    fn participants_who_never_waver_widen_the_interval() {
        // Ten people of one mind each: 100 votes say no more than ten.
        let stubborn: Vec<_> = (0..10)
            .map(|who| match who % 2 {
                0 => (Verdict::Left, 10),
                _ => (Verdict::Right, 10),
            })
            .collect();
        let found = bootstrap(&votes(&stubborn), 0, None, Ties::AsHalf, 2000, 7).unwrap();
        let width = found.interval.high - found.interval.low;
        assert!((0.5..0.7).contains(&width), "{found:?}");
    }

    #[test]
    fn clusters_that_agree_within_widen_the_interval() {
        let clusters = |count: u32, n: u64| -> Vec<Cluster> {
            let sum = |at| if at % 4 == 0 { 0.0 } else { n as f64 };
            (0..count).map(|at| Cluster { sum: sum(at), n }).collect()
        };
        let width = |clusters: &[Cluster]| {
            let found = cluster_bootstrap(clusters, RESAMPLES, 1).unwrap();
            assert!(!found.excludes(0.75), "{found:?}");
            found.high - found.low
        };
        // Four hundred answers each: of four hundred people, and of forty.
        assert!(width(&clusters(40, 10)) > 2.0 * width(&clusters(400, 1)));
    }

    #[test]
    fn clusters_without_values_are_nobody() {
        let some = Cluster { sum: 1.0, n: 2 };
        assert!(cluster_bootstrap(&[some, Cluster::default()], 100, 1).is_none());
        let found = cluster_bootstrap(&[some, Cluster::default(), some], 100, 1).unwrap();
        assert_eq!((found.low, found.high), (0.5, 0.5));
    }

    #[test]
    fn one_participant_says_nothing_about_others() {
        let alone = votes(&[(Verdict::Left, 9)]);
        assert!(bootstrap(&alone, 0, None, Ties::AsHalf, 100, 1).is_none());
        assert!(bootstrap(&[], 0, None, Ties::AsHalf, 100, 1).is_none());
    }

    #[test]
    fn quantiles_lie_between_the_values() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[5.0], 0.975), 5.0);
    }
}
