use crate::Vote;

/// Iglewicz and Hoaglin's (1993) bound on the modified z-score.
const BOUND: f64 = 3.5;
/// A normal distribution's standard deviation in median absolute deviations.
const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// How long votes took, and which took strangely long or short.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseTimes {
    /// In milliseconds.
    pub median_ms: f64,
    /// Votes faster than this were hardly looked at, in milliseconds.
    pub fast_ms: f64,
    /// Votes slower than this were interrupted, in milliseconds.
    pub slow_ms: f64,
    /// Places in the list of votes of those outside, in its order.
    pub outliers: Vec<usize>,
}

/// Finds outliers by the modified z-score of the logarithm: times are skewed, their
/// logarithms hardly, and median and median absolute deviation are not moved by what is
/// looked for. A vote of 0 ms counts as 1. None for fewer than three votes, or where more
/// than half took the same time, so that there is no scale.
#[must_use]
pub fn response_times(votes: &[Vote]) -> Option<ResponseTimes> {
    if votes.len() < 3 {
        return None;
    }
    let logs: Vec<f64> = votes
        .iter()
        .map(|vote| f64::from(vote.response_ms.max(1)).ln())
        .collect();
    let centre = median(logs.clone());
    let spread = MAD_TO_SD * median(logs.iter().map(|log| (log - centre).abs()).collect());
    if spread == 0.0 {
        return None;
    }
    let reach = BOUND * spread;
    let outside = |log: f64| (log - centre).abs() > reach;
    Some(ResponseTimes {
        median_ms: median(
            votes
                .iter()
                .map(|vote| f64::from(vote.response_ms))
                .collect(),
        ),
        fast_ms: (centre - reach).exp(),
        slow_ms: (centre + reach).exp(),
        outliers: (0..votes.len()).filter(|&at| outside(logs[at])).collect(),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    fn votes(times: &[u32]) -> Vec<Vote> {
        let vote = |&response_ms| Vote {
            participant: 0,
            item: 0,
            left: 0,
            right: 1,
            verdict: Verdict::Left,
            response_ms,
        };
        times.iter().map(vote).collect()
    }

    #[test]
    fn a_click_and_a_coffee_break_stand_out() {
        let times = [2100, 1800, 30, 2500, 3100, 1500, 600_000, 2000, 2700];
        let found = response_times(&votes(&times)).unwrap();
        assert_eq!(found.outliers, [2, 6]);
        assert_eq!(found.median_ms, 2100.0);
        assert!(found.fast_ms > 30.0 && found.slow_ms < 600_000.0);
    }

    #[test]
    fn without_a_scale_nothing_stands_out() {
        assert!(response_times(&votes(&[1000, 1000, 1000, 9])).is_none());
        assert!(response_times(&votes(&[5, 6])).is_none());
    }
}
