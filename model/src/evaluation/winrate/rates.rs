//! What comparisons come to: win rates with their intervals, taken together and apart.
use std::collections::HashMap;

use predilect_statistics::{Cluster, Interval, RESAMPLES, cluster_bootstrap, wilson};
use serde::Serialize;

use super::{Arm, Ceilings, Comparison};
use crate::evaluation::axes::Axis;
use crate::evaluation::population::Person;

/// How often the personalised picture won.
#[derive(Debug, Clone, Serialize)]
pub struct WinRate {
    /// Against whom.
    pub opponent: Arm,
    /// Comparisons.
    pub n: usize,
    /// Comparisons that ended in a tie.
    pub ties: usize,
    /// Share won, ties as half; 0 without comparisons.
    pub rate: f64,
    /// Share won of those that were no tie.
    pub rate_without_ties: f64,
    /// Wilson's interval of `rate`, as if all comparisons were independent; none without any.
    pub wilson: Option<Interval>,
    /// Bootstrap interval of `rate`, clustered by person; none with fewer than two people.
    pub by_person: Option<Interval>,
}

/// Win rates of the people who want something of one axis, by utility.
#[derive(Debug, Clone, Serialize)]
pub struct OfAxis {
    /// The axis.
    pub axis: Axis,
    /// Whether no training was told of it.
    pub withheld: bool,
    /// The people.
    pub people: usize,
    /// Against each opponent.
    pub by_utility: Vec<WinRate>,
}

/// How often the judge saw what was asked for.
#[derive(Debug, Clone, Serialize)]
pub struct ShownBy {
    /// In the pictures of this arm.
    pub arm: Arm,
    /// Pictures whose prompt names something that the judge knows.
    pub n: usize,
    /// Share of them that show it: it is among the judge's first five guesses.
    pub top5: f64,
    /// 95 % interval (Wilson); none without pictures.
    pub interval: Option<Interval>,
}

/// What came of choices of one number.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// Choices that each person's taste was read from.
    pub pairs_per_user: usize,
    /// By the person's own, noiseless utility.
    pub by_utility: Vec<WinRate>,
    /// By what the person answers when asked.
    pub by_answers: Vec<WinRate>,
    /// By utility, apart for the people who want something of each axis. Who wants several is among
    /// the people of each.
    pub by_axis: Vec<OfAxis>,
    /// By utility, of those comparisons alone whose two pictures are of one style as the judge sees
    /// them: what is won within a style.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub within_style: Vec<WinRate>,
    /// How often each arm's pictures show what was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<ShownBy>,
    /// How much there was to win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceilings: Option<Ceilings>,
}

/// By how much more choices won more: the same people, prompts and seeds.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Against whom.
    pub opponent: Arm,
    /// Numbers of choices, the lower first.
    pub pairs_per_user: [usize; 2],
    /// Comparisons.
    pub n: usize,
    /// Mean of what the higher number won more of each comparison (by utility; 1, ½ or 0 won).
    pub difference: f64,
    /// Bootstrap interval, clustered by person; none with fewer than two people.
    pub by_person: Option<Interval>,
}

/// What the comparisons of one number of choices come to.
pub(super) fn results(
    people: &[Person],
    opponents: &[Arm],
    comparisons: &[Comparison],
    ceilings: Option<Ceilings>,
    seed: u64,
) -> Results {
    let rates = |won: &dyn Fn(&Comparison, usize) -> Option<f64>| -> Vec<WinRate> {
        let rate = |(i, &opponent): (usize, &Arm)| {
            let of = |c: &Comparison| won(c, i).map(|won| (c.person, won));
            let won: Vec<(u64, f64)> = comparisons.iter().filter_map(of).collect();
            win_rate(opponent, &won, seed)
        };
        opponents.iter().enumerate().map(rate).collect()
    };
    let wanted: HashMap<u64, Vec<Axis>> = people
        .iter()
        .map(|person| (person.number(), person.wanted().collect()))
        .collect();
    let of_axis = |axis: Axis| OfAxis {
        axis,
        withheld: !axis.told(),
        people: people
            .iter()
            .filter(|p| wanted[&p.number()].contains(&axis))
            .count(),
        by_utility: rates(&|c, i| wanted[&c.person].contains(&axis).then(|| c.won(i))),
    };
    let by_axis = Axis::ALL.into_iter().map(of_axis);
    let style =
        |c: &Comparison, place: usize| c.pictures[place].seen.as_ref().map(|s| s.style.clone());
    let judged = comparisons.iter().any(|c| c.pictures[0].seen.is_some());
    Results {
        pairs_per_user: comparisons.first().map_or(0, |c| c.pairs_per_user),
        by_utility: rates(&|c, i| Some(c.won(i))),
        by_answers: rates(&|c, i| Some(c.answers[i])),
        by_axis: by_axis.filter(|axis| axis.people > 0).collect(),
        within_style: match judged {
            true => rates(&|c, i| (style(c, 0) == style(c, i + 1)).then(|| c.won(i))),
            false => Vec::new(),
        },
        subjects: subjects(comparisons),
        ceilings,
    }
}

/// How often each arm shows what was asked for; nothing where no prompt names anything known.
fn subjects(comparisons: &[Comparison]) -> Vec<ShownBy> {
    let arms = comparisons.first().map_or(0, |c| c.pictures.len());
    let of_arm = |place: usize| {
        let seen = comparisons
            .iter()
            .filter_map(|c| c.pictures[place].seen.as_ref()?.subject);
        let seen: Vec<bool> = seen.collect();
        let shown = seen.iter().filter(|shown| **shown).count() as f64;
        ShownBy {
            arm: comparisons[0].pictures[place].arm,
            n: seen.len(),
            top5: shown / seen.len().max(1) as f64,
            interval: wilson(shown, seen.len() as u64),
        }
    };
    (0..arms).map(of_arm).filter(|arm| arm.n > 0).collect()
}

/// Of two runs over the same people, prompts and seeds in the same order.
pub(super) fn differences(
    opponents: &[Arm],
    [fewer, more]: [&[Comparison]; 2],
    seed: u64,
) -> Vec<Difference> {
    let of = |(i, &opponent): (usize, &Arm)| {
        let pairs = fewer.iter().zip(more);
        let won: Vec<(u64, f64)> = pairs
            .map(|(fewer, more)| (fewer.person, more.won(i) - fewer.won(i)))
            .collect();
        Difference {
            opponent,
            pairs_per_user: [fewer, more].map(|run| run.first().map_or(0, |c| c.pairs_per_user)),
            n: won.len(),
            difference: won.iter().map(|(_, won)| won).sum::<f64>() / won.len().max(1) as f64,
            by_person: cluster_bootstrap(&clusters(&won), RESAMPLES, seed),
        }
    };
    opponents.iter().enumerate().map(of).collect()
}

/// Results as (person, 1, ½ or 0), a person's together.
pub(super) fn win_rate(opponent: Arm, results: &[(u64, f64)], seed: u64) -> WinRate {
    let n = results.len();
    let ties = results.iter().filter(|(_, won)| *won == 0.5).count();
    let won: f64 = results.iter().map(|(_, won)| won).sum();
    WinRate {
        opponent,
        n,
        ties,
        rate: won / n.max(1) as f64,
        rate_without_ties: (won - 0.5 * ties as f64) / ((n - ties).max(1) as f64),
        wilson: wilson(won, n as u64),
        by_person: cluster_bootstrap(&clusters(results), RESAMPLES, seed),
    }
}

/// A person's results together.
fn clusters(results: &[(u64, f64)]) -> Vec<Cluster> {
    let people = results.chunk_by(|a, b| a.0 == b.0).map(|own| Cluster {
        sum: own.iter().map(|(_, won)| won).sum(),
        n: own.len() as u64,
    });
    people.collect()
}

#[cfg(test)]
mod tests {
    use super::super::Drawn;
    use super::*;
    use crate::evaluation::jury::Seen;

    #[test]
    fn ties_are_half_or_left_out_and_people_are_clusters() {
        let results = [(1, 1.0), (1, 0.5), (2, 0.0), (2, 1.0), (3, 1.0)];
        let rate = win_rate(Arm::Base, &results, 0);
        assert_eq!((rate.n, rate.ties), (5, 1));
        assert!((rate.rate - 0.7).abs() < 1e-12);
        assert!((rate.rate_without_ties - 0.75).abs() < 1e-12);
        let by_person = rate.by_person.unwrap();
        assert!(by_person.low >= 0.5 - 1e-12, "{by_person:?}");
        assert!((by_person.high - 1.0).abs() < 1e-12);
    }

    fn person(number: u64, axis: &str) -> Person {
        serde_json::from_value(serde_json::json!({
            "number": number, "wants": [{"axis": axis, "weight": 1.0}], "consistency": 0.9,
        }))
        .unwrap()
    }

    /// The personalised and the base picture of one person, liked this much and of these styles.
    fn compared(person: u64, pairs: usize, utilities: [f32; 2], styles: [&str; 2]) -> Comparison {
        let drawn = |arm, i: usize| Drawn {
            arm,
            utility: utilities[i],
            seen: Some(Seen {
                style: styles[i].to_owned(),
                subject: (person == 1).then_some(i == 0),
            }),
            file: None,
        };
        Comparison {
            person,
            prompt: "a dog".to_owned(),
            seed: 0,
            pairs_per_user: pairs,
            pictures: vec![drawn(Arm::Personalised, 0), drawn(Arm::Base, 1)],
            answers: vec![0.5],
        }
    }

    #[test]
    fn rates_are_told_apart_by_axis_and_within_a_style_and_subjects_by_arm() {
        let people = [person(1, "warmth"), person(2, "symmetry")];
        let comparisons = [
            compared(1, 4, [1.0, 0.0], ["flat", "flat"]),
            compared(1, 4, [1.0, 0.0], ["flat", "line"]),
            compared(2, 4, [0.0, 1.0], ["line", "line"]),
        ];
        let results = results(&people, &[Arm::Base], &comparisons, None, 0);
        assert_eq!(results.pairs_per_user, 4);
        let axes = results.by_axis.iter();
        let axes = axes.map(|a| (a.axis, a.withheld, a.people, a.by_utility[0].rate));
        let expected = [
            (Axis::Warmth, false, 1, 1.0),
            (Axis::Symmetry, true, 1, 0.0),
        ];
        assert!(axes.eq(expected));
        let within = &results.within_style[0];
        assert_eq!((within.n, within.rate), (2, 0.5));
        let subjects: Vec<_> = results
            .subjects
            .iter()
            .map(|s| (s.arm, s.n, s.top5))
            .collect();
        assert_eq!(subjects, [(Arm::Personalised, 2, 1.0), (Arm::Base, 2, 0.0)]);
        assert_eq!(results.by_answers[0].ties, 3);
    }

    #[test]
    fn what_more_choices_win_more_is_counted_comparison_by_comparison() {
        let of = |pairs, utilities: [f32; 4]| {
            let people = [1, 1, 2, 2].into_iter().zip(utilities);
            let compared = |(who, liked)| compared(who, pairs, [liked, 0.0], ["flat"; 2]);
            people.map(compared).collect::<Vec<_>>()
        };
        let fewer = of(2, [1.0, -1.0, -1.0, 0.0]);
        let more = of(8, [1.0, 1.0, -1.0, 1.0]);
        let found = &differences(&[Arm::Base], [&fewer, &more], 0)[0];
        assert_eq!(found.pairs_per_user, [2, 8]);
        assert_eq!(found.n, 4);
        assert!((found.difference - 1.5 / 4.0).abs() < 1e-12);
        let Interval { low, high } = found.by_person.unwrap();
        assert!(
            (low - 0.25).abs() < 1e-12 && (high - 0.5).abs() < 1e-12,
            "{low} {high}"
        );
    }
}
