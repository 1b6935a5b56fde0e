use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use predilect_api::{
    AgreementResult, ArmStrength, ArmWinRate, ConfidenceInterval, ResponseTimeResult,
    SideBiasResult, SurveyResults, WinRateEstimate,
};
use predilect_statistics::{
    Interval, RESAMPLES, Ties, Verdict, Vote, WinRate, agreement, bootstrap, bradley_terry,
    response_times, side_bias,
};

use crate::store::CastVote;

/// Which of a survey's votes are used.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Leave out the votes of whoever failed an attention check, of whichever item.
    pub attentive_only: bool,
    /// Use only items of this prompt group.
    pub group: Option<String>,
}

/// What a survey's votes say. `cast` are all of them; attention checks are counted and told,
/// and are no votes.
#[must_use]
pub fn results(
    cast: &[CastVote],
    arms: &[String],
    seed: u64,
    selection: &Selection,
) -> SurveyResults {
    let count = |passed| {
        let checks = cast.iter().filter(|vote| vote.passed() == Some(passed));
        to_u32(checks.count())
    };
    let votes = votes(cast, selection);
    let participants: HashSet<_> = votes.iter().map(|vote| vote.participant).collect();
    let (strengths, strengths_missing) = match bradley_terry(&votes, arms.len()) {
        Ok(fitted) => (
            Some(
                arms.iter()
                    .zip(fitted.strengths)
                    .map(|(arm, strength)| ArmStrength {
                        arm: arm.clone(),
                        log_odds: strength.log_odds,
                        interval: interval(strength.interval),
                    })
                    .collect(),
            ),
            None,
        ),
        Err(error) => (None, Some(error.to_string())),
    };
    SurveyResults {
        votes: to_u32(votes.len()),
        participants: to_u32(participants.len()),
        attention_passed: count(true),
        attention_failed: count(false),
        win_rates: win_rates(&votes, arms, seed),
        strengths,
        strengths_missing,
        side_bias: side_bias(&votes).map(|bias| SideBiasResult {
            left: bias.left,
            right: bias.right,
            left_rate: bias.left_rate,
            wilson: interval(bias.wilson),
            p_value: bias.p_value,
        }),
        agreement: agreement(&votes).map(|found| AgreementResult {
            items: to_u32(found.items),
            votes: to_u32(found.votes),
            observed: found.observed,
            alpha: found.alpha,
        }),
        response_times: response_times(&votes).map(|times| ResponseTimeResult {
            median_ms: times.median_ms,
            fast_ms: times.fast_ms,
            slow_ms: times.slow_ms,
            outliers: to_u32(times.outliers.len()),
        }),
    }
}

fn votes(cast: &[CastVote], selection: &Selection) -> Vec<Vote> {
    let inattentive: HashSet<&str> = cast
        .iter()
        .filter(|vote| selection.attentive_only && vote.passed() == Some(false))
        .map(|vote| vote.user_id.as_str())
        .collect();
    let used = |vote: &&CastVote| {
        let in_group = selection.group.is_none() || vote.prompt_group == selection.group;
        in_group && vote.spoilt.is_none() && !inattentive.contains(vote.user_id.as_str())
    };
    let (mut participants, mut items) = (Numbers::default(), Numbers::default());
    cast.iter()
        .filter(used)
        .map(|vote| Vote {
            participant: participants.of(vote.user_id.as_str()),
            item: items.of(vote.item),
            left: vote.left_arm as usize,
            right: vote.right_arm as usize,
            verdict: match vote.vote.as_str() {
                "left" => Verdict::Left,
                "right" => Verdict::Right,
                "tie" => Verdict::Tie,
                _ => Verdict::BothBad,
            },
            // A clock that was set back makes a time negative, a forgotten tab makes it long.
            response_ms: u32::try_from(vote.response_ms.max(0)).unwrap_or(u32::MAX),
        })
        .collect()
}

fn win_rates(votes: &[Vote], arms: &[String], seed: u64) -> Vec<ArmWinRate> {
    let mut rates = vec![];
    for (arm, name) in arms.iter().enumerate() {
        let others = (0..arms.len()).filter(|&other| other != arm).map(Some);
        for against in std::iter::once(None).chain(others) {
            let counts = WinRate::of(votes, arm, against);
            let estimate = |ties| estimate(votes, &counts, arm, against, ties, seed);
            rates.push(ArmWinRate {
                arm: name.clone(),
                against: against.map(|other| arms[other].clone()),
                wins: counts.wins,
                losses: counts.losses,
                ties: counts.ties,
                both_bad: counts.both_bad,
                ties_as_half: estimate(Ties::AsHalf),
                ties_left_out: estimate(Ties::LeftOut),
            });
        }
    }
    rates
}

fn estimate(
    votes: &[Vote],
    counts: &WinRate,
    arm: usize,
    against: Option<usize>,
    ties: Ties,
    seed: u64,
) -> Option<WinRateEstimate> {
    let rate = counts.rate(ties)?;
    let resampled = bootstrap(votes, arm, against, ties, RESAMPLES, seed);
    Some(WinRateEstimate {
        n: rate.n,
        rate: rate.rate,
        wilson: interval(rate.wilson),
        bootstrap: resampled.map(|found| interval(found.interval)),
        more_votes: rate.more_votes,
    })
}

/// Gives out numbers from 0, without gaps.
struct Numbers<T>(HashMap<T, usize>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Numbers<T> {
    fn of(&mut self, one: T) -> usize {
        let next = self.0.len();
        *self.0.entry(one).or_insert(next)
    }
}

fn interval(found: Interval) -> ConfidenceInterval {
    ConfidenceInterval {
        low: found.low,
        high: found.high,
    }
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(user: &str, item: i64, group: &str, vote: &str, spoilt: Option<&str>) -> CastVote {
        CastVote {
            user_id: user.into(),
            item,
            prompt: "a dog".into(),
            prompt_group: Some(group.into()),
            left_arm: 0,
            right_arm: 1,
            vote: vote.into(),
            spoilt: spoilt.map(Into::into),
            response_ms: 1000,
            voted_at: 0,
        }
    }

    #[test]
    fn who_failed_a_check_is_left_out_of_every_group() {
        let votes = [
            cast("ana", 1, "even", "left", None),
            cast("bo", 1, "even", "right", None),
            cast("bo", 2, "odd", "left", Some("left")),
            cast("ana", 2, "odd", "right", Some("left")),
        ];
        let arms = ["a".to_owned(), "b".to_owned()];
        let counts = |attentive_only, group: Option<&str>| {
            let selection = Selection {
                attentive_only,
                group: group.map(Into::into),
            };
            let found = results(&votes, &arms, 1, &selection);
            assert_eq!((found.attention_passed, found.attention_failed), (1, 1));
            (found.win_rates[0].wins, found.win_rates[0].losses)
        };
        assert_eq!(counts(false, None), (1, 1));
        assert_eq!(counts(false, Some("odd")), (0, 0));
        assert_eq!(counts(true, Some("even")), (1, 0));
    }
}
