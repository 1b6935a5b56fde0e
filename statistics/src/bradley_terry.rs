use std::collections::BTreeMap;

use crate::{
    Interval, Vote,
    linear::{Matrix, dot, inverse, times_symmetric, times_vector, zeros},
};

/// Newton's method doubles the right digits each time; this is far more than it needs.
const MAX_STEPS: usize = 100;
/// Log-odds that no longer matter.
const CONVERGED: f64 = 1e-12;

/// Why arms could not be put on one scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BradleyTerryError {
    /// Fewer than two arms.
    #[error("it takes two arms to compare")]
    TooFewArms,
    /// A vote names an arm that is not among them.
    #[error("a vote names arm {0}, which is not among the arms")]
    UnknownArm(usize),
    /// Some arms never lost to, or never met, the others: their distance has no upper bound.
    #[error(
        "some arms have won every comparison with the others, or were never compared with them; \
         it takes votes both ways"
    )]
    Separated,
    /// The intervals come from differences between participants.
    #[error("it takes two participants to tell how sure the strengths are")]
    TooFewParticipants,
    /// The arithmetic failed: the strengths are too far apart for floating point.
    #[error("the strengths are too far apart to be computed")]
    NotConverged,
}

/// How strong an arm is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strength {
    /// Natural log-odds against an arm of average strength: an arm `d` above another wins
    /// `1 / (1 + exp(-d))` of their comparisons. The strengths of all arms sum to 0.
    pub log_odds: f64,
    /// From the cluster-robust (sandwich) standard error.
    pub interval: Interval,
}

/// Arms on one scale.
#[derive(Clone, Debug, PartialEq)]
pub struct BradleyTerry {
    /// One for each arm, by its number.
    pub strengths: Vec<Strength>,
    /// Votes used.
    pub votes: usize,
    /// Participants they came from.
    pub participants: usize,
}

impl BradleyTerry {
    /// Expected win rate of one arm against another, a tie as half, 0 to 1.
    #[must_use]
    pub fn win_rate(&self, arm: usize, against: usize) -> f64 {
        logistic(self.strengths[arm].log_odds - self.strengths[against].log_odds)
    }
}

/// Fits Bradley and Terry's model (1952) to all comparisons between `arms` arms by maximum
/// likelihood, a vote without preference as half a win for each.
///
/// Standard errors are the sandwich's (Huber 1967, White 1982), clustered by participant, with
/// the usual correction for few clusters, G/(G−1) · (N−1)/(N−K): they hold although votes of
/// one participant are alike, and although a tie is no coin's throw.
///
/// # Errors
/// When the votes don't fix the strengths or their errors.
pub fn bradley_terry(votes: &[Vote], arms: usize) -> Result<BradleyTerry, BradleyTerryError> {
    if arms < 2 {
        return Err(BradleyTerryError::TooFewArms);
    }
    let rows = rows(votes, arms)?;
    if !strongly_connected(&rows, arms) {
        return Err(BradleyTerryError::Separated);
    }
    let strengths = fit(&rows, arms)?;
    let covariance = sandwich(&rows, &strengths)?;
    let participants = participants(&rows);
    Ok(BradleyTerry {
        strengths: centred(&strengths, &covariance),
        votes: rows.len(),
        participants,
    })
}

/// A comparison as a row of a logistic regression.
struct Row {
    participant: usize,
    first: usize,
    second: usize,
    /// What the first made of it: 1, 0, or a half.
    score: f64,
}

fn rows(votes: &[Vote], arms: usize) -> Result<Vec<Row>, BradleyTerryError> {
    let mut rows = Vec::with_capacity(votes.len());
    for vote in votes {
        if let Some(unknown) = [vote.left, vote.right].into_iter().find(|&arm| arm >= arms) {
            return Err(BradleyTerryError::UnknownArm(unknown));
        }
        // An arm against itself says nothing about strength.
        if let Some(score) = vote.score_of(vote.left) {
            rows.push(Row {
                participant: vote.participant,
                first: vote.left,
                second: vote.right,
                score,
            });
        }
    }
    Ok(rows)
}

fn participants(rows: &[Row]) -> usize {
    let mut ids: Vec<_> = rows.iter().map(|row| row.participant).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}

/// The likelihood has a maximum just when every arm can be reached from every other along
/// wins (Ford 1957); a tie is half a win each way.
fn strongly_connected(rows: &[Row], arms: usize) -> bool {
    let mut beats = vec![vec![false; arms]; arms];
    for row in rows {
        beats[row.first][row.second] |= row.score > 0.0;
        beats[row.second][row.first] |= row.score < 1.0;
    }
    let forwards = reaches_all(arms, |from, to| beats[from][to]);
    forwards && reaches_all(arms, |from, to| beats[to][from])
}

fn reaches_all(arms: usize, edge: impl Fn(usize, usize) -> bool) -> bool {
    let mut reached = vec![false; arms];
    let mut next = vec![0];
    while let Some(from) = next.pop() {
        if !std::mem::replace(&mut reached[from], true) {
            next.extend((0..arms).filter(|&to| edge(from, to) && !reached[to]));
        }
    }
    reached.into_iter().all(|reached| reached)
}

/// Log-odds of each arm against arm 0, which is fixed at 0 so that the others are determined.
fn fit(rows: &[Row], arms: usize) -> Result<Vec<f64>, BradleyTerryError> {
    let mut strengths = vec![0.0; arms];
    for _ in 0..MAX_STEPS {
        let mut gradient = vec![0.0; arms - 1];
        for row in rows {
            add_score(&mut gradient, row, &strengths);
        }
        let inverse = inverse(&information(rows, &strengths));
        let mut step = times_vector(&inverse.ok_or(BradleyTerryError::NotConverged)?, &gradient);
        // A full step from afar can overshoot; the likelihood is concave, so a shorter one helps.
        let before = log_likelihood(rows, &strengths);
        loop {
            let tried = moved(&strengths, &step);
            let largest = step.iter().fold(0.0_f64, |most, one| most.max(one.abs()));
            if largest < CONVERGED {
                return Ok(tried);
            }
            if log_likelihood(rows, &tried) >= before {
                strengths = tried;
                break;
            }
            step.iter_mut().for_each(|one| *one /= 2.0);
        }
    }
    Err(BradleyTerryError::NotConverged)
}

fn moved(strengths: &[f64], step: &[f64]) -> Vec<f64> {
    let mut moved = strengths.to_vec();
    for (strength, step) in moved[1..].iter_mut().zip(step) {
        *strength += step;
    }
    moved
}

fn log_likelihood(rows: &[Row], strengths: &[f64]) -> f64 {
    rows.iter()
        .map(|row| {
            let distance = strengths[row.first] - strengths[row.second];
            row.score * distance - softplus(distance)
        })
        .sum()
}

fn expected(row: &Row, strengths: &[f64]) -> f64 {
    logistic(strengths[row.first] - strengths[row.second])
}

/// Adds the derivative of a row's log-likelihood by the strengths of arms 1 and up.
fn add_score(sum: &mut [f64], row: &Row, strengths: &[f64]) {
    let surprise = row.score - expected(row, strengths);
    if row.first > 0 {
        sum[row.first - 1] += surprise;
    }
    if row.second > 0 {
        sum[row.second - 1] -= surprise;
    }
}

/// Minus the second derivative of the log-likelihood.
fn information(rows: &[Row], strengths: &[f64]) -> Matrix {
    let mut information = zeros(strengths.len() - 1);
    for row in rows {
        let expected = expected(row, strengths);
        let weight = expected * (1.0 - expected);
        let (first, second) = (row.first.checked_sub(1), row.second.checked_sub(1));
        for arm in [first, second].into_iter().flatten() {
            information[arm][arm] += weight;
        }
        if let (Some(first), Some(second)) = (first, second) {
            information[first][second] -= weight;
            information[second][first] -= weight;
        }
    }
    information
}

/// Covariance of the strengths of arms 1 and up: bread, filling, bread.
fn sandwich(rows: &[Row], strengths: &[f64]) -> Result<Matrix, BradleyTerryError> {
    let free = strengths.len() - 1;
    let mut scores: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for row in rows {
        let score = scores
            .entry(row.participant)
            .or_insert_with(|| vec![0.0; free]);
        add_score(score, row, strengths);
    }
    let (clusters, n) = (scores.len() as f64, rows.len() as f64);
    if scores.len() < 2 || rows.len() <= free {
        return Err(BradleyTerryError::TooFewParticipants);
    }
    let correction = clusters / (clusters - 1.0) * ((n - 1.0) / (n - free as f64));
    let mut filling = zeros(free);
    for score in scores.values() {
        for (row, left) in filling.iter_mut().zip(score) {
            for (entry, right) in row.iter_mut().zip(score) {
                *entry += correction * left * right;
            }
        }
    }
    let bread = inverse(&information(rows, strengths)).ok_or(BradleyTerryError::NotConverged)?;
    Ok(times_symmetric(&times_symmetric(&bread, &filling), &bread))
}

/// From "against arm 0" to "against the average arm", estimates and errors.
fn centred(strengths: &[f64], covariance: &[Vec<f64>]) -> Vec<Strength> {
    let arms = strengths.len() as f64;
    let mean = strengths.iter().sum::<f64>() / arms;
    strengths
        .iter()
        .enumerate()
        .map(|(arm, strength)| {
            // The contrast "this arm less the mean of all", over arms 1 and up.
            let contrast: Vec<f64> = (1..strengths.len())
                .map(|other| if other == arm { 1.0 } else { 0.0 } - 1.0 / arms)
                .collect();
            let variance = dot(&contrast, &times_vector(covariance, &contrast));
            let log_odds = strength - mean;
            Strength {
                log_odds,
                // A variance of 0 may come out a rounding error below it.
                interval: Interval::around(log_odds, variance.max(0.0).sqrt()),
            }
        })
        .collect()
}

fn logistic(distance: f64) -> f64 {
    1.0 / (1.0 + (-distance).exp())
}

/// `ln(1 + exp(x))` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    fn vote(participant: usize, left: usize, right: usize, verdict: Verdict) -> Vote {
        Vote {
            participant,
            item: 0,
            left,
            right,
            verdict,
            response_ms: 1000,
        }
    }

    /// Four people, each of whom votes for arm 0 three times in four.
    fn three_in_four() -> Vec<Vote> {
        let of = |who| {
            let verdicts = (0..4).map(move |n| {
                if n == who {
                    Verdict::Right
                } else {
                    Verdict::Left
                }
            });
            verdicts.map(move |verdict| vote(who, 0, 1, verdict))
        };
        (0..4).flat_map(of).collect()
    }

    #[test]
    fn two_arms_are_as_far_apart_as_the_odds_of_their_win_rate() {
        let found = bradley_terry(&three_in_four(), 2).unwrap();
        let [first, second] = &found.strengths[..] else {
            panic!("{found:?}")
        };
        assert!((first.log_odds - second.log_odds - 3.0_f64.ln()).abs() < 1e-9);
        assert!((first.log_odds + second.log_odds).abs() < 1e-12);
        assert!((found.win_rate(0, 1) - 0.75).abs() < 1e-9);
        assert_eq!((found.votes, found.participants), (16, 4));
    }

    #[test]
    fn swapping_the_sides_changes_nothing() {
        let votes = three_in_four();
        let swapped: Vec<_> = votes
            .iter()
            .map(|vote| Vote {
                left: vote.right,
                right: vote.left,
                verdict: match vote.verdict {
                    Verdict::Left => Verdict::Right,
                    Verdict::Right => Verdict::Left,
                    other => other,
                },
                ..*vote
            })
            .collect();
        let (one, other) = (bradley_terry(&votes, 2), bradley_terry(&swapped, 2));
        let distance = one.unwrap().strengths[0].log_odds - other.unwrap().strengths[0].log_odds;
        assert!(distance.abs() < 1e-12);
    }

    #[test]
    fn an_arm_that_never_lost_has_no_strength_that_could_be_told() {
        let won_all = [vote(0, 0, 1, Verdict::Left), vote(1, 0, 1, Verdict::Left)];
        assert_eq!(
            bradley_terry(&won_all, 2),
            Err(BradleyTerryError::Separated)
        );
        // Two islands: 0 and 1, 2 and 3.
        let islands: Vec<_> = [(0, 1), (2, 3)]
            .into_iter()
            .flat_map(|(a, b)| [vote(0, a, b, Verdict::Left), vote(1, a, b, Verdict::Right)])
            .collect();
        assert_eq!(
            bradley_terry(&islands, 4),
            Err(BradleyTerryError::Separated)
        );
        let one_tie = [won_all[0], won_all[1], vote(1, 0, 1, Verdict::Tie)];
        assert!(bradley_terry(&one_tie, 2).is_ok());
    }

    #[test]
    fn what_does_not_fix_a_scale_is_said() {
        let votes = three_in_four();
        assert_eq!(bradley_terry(&votes, 1), Err(BradleyTerryError::TooFewArms));
        let unknown = [vote(0, 0, 5, Verdict::Left)];
        assert_eq!(
            bradley_terry(&unknown, 2),
            Err(BradleyTerryError::UnknownArm(5))
        );
        let alone: Vec<_> = votes
            .iter()
            .map(|one| Vote {
                participant: 0,
                ..*one
            })
            .collect();
        let refused = bradley_terry(&alone, 2);
        assert_eq!(refused, Err(BradleyTerryError::TooFewParticipants));
    }
}
