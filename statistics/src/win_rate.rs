use crate::{Interval, Vote, more_votes_until_decided, wilson};

/// What a vote without a preference counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// Half a win: what a coin would make of it.
    AsHalf,
    /// Nothing: the rate is among votes with a preference.
    LeftOut,
}

/// A win rate with all it takes to judge it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Votes it is made of.
    pub n: u64,
    /// Wins, a tie perhaps as half, of these votes; 0 to 1.
    pub rate: f64,
    /// Wilson's score interval.
    pub wilson: Interval,
    /// Votes still missing until the interval excludes 50 %, if the rate stays; none at 50 %.
    pub more_votes: Option<u64>,
}

/// How an arm did against others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WinRate {
    /// Votes for it.
    pub wins: u64,
    /// Votes for the other arm.
    pub losses: u64,
    /// Votes that saw no difference.
    pub ties: u64,
    /// Votes that found both bad.
    pub both_bad: u64,
}

impl WinRate {
    /// Counts the votes in which `arm` was compared with `against`, or with any other arm.
    #[must_use]
    pub fn of(votes: &[Vote], arm: usize, against: Option<usize>) -> Self {
        let mut counts = Self::default();
        for vote in votes {
            let Some(opponent) = vote.opponent_of(arm) else {
                continue;
            };
            if against.is_some_and(|against| against != opponent) {
                continue;
            }
            match vote.preferred() {
                Some(preferred) if preferred == arm => counts.wins += 1,
                Some(_) => counts.losses += 1,
                None if vote.verdict == crate::Verdict::BothBad => counts.both_bad += 1,
                None => counts.ties += 1,
            }
        }
        counts
    }

    /// The rate; none without votes. Both bad is a tie, as in the arenas.
    #[must_use]
    pub fn rate(&self, ties: Ties) -> Option<Rate> {
        let (n, successes) = match ties {
            Ties::AsHalf => {
                let undecided = self.ties + self.both_bad;
                let n = self.wins + self.losses + undecided;
                (n, self.wins as f64 + undecided as f64 / 2.0)
            }
            Ties::LeftOut => (self.wins + self.losses, self.wins as f64),
        };
        Some(Rate {
            n,
            wilson: wilson(successes, n)?,
            rate: successes / n as f64,
            more_votes: more_votes_until_decided(successes, n),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half_or_not_at_all() {
        let counts = WinRate {
            wins: 6,
            losses: 2,
            ties: 1,
            both_bad: 1,
        };
        let half = counts.rate(Ties::AsHalf).unwrap();
        assert_eq!((half.n, half.rate), (10, 0.7));
        let out = counts.rate(Ties::LeftOut).unwrap();
        assert_eq!((out.n, out.rate), (8, 0.75));
    }

    #[test]
    fn without_votes_there_is_no_rate() {
        let ties_alone = WinRate {
            ties: 3,
            ..WinRate::default()
        };
        assert!(ties_alone.rate(Ties::LeftOut).is_none());
        assert_eq!(ties_alone.rate(Ties::AsHalf).unwrap().rate, 0.5);
        assert!(WinRate::default().rate(Ties::AsHalf).is_none());
    }
}
