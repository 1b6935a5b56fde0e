use serde::Serialize;

/// The 97.5 % quantile of the standard normal distribution: both tails together have 5 %.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// An interval of 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether the value lies outside.
    #[must_use]
    pub fn excludes(&self, value: f64) -> bool {
        value < self.low || value > self.high
    }

    pub(crate) fn around(estimate: f64, standard_error: f64) -> Self {
        Self {
            low: estimate - Z * standard_error,
            high: estimate + Z * standard_error,
        }
    }
}

/// Wilson's score interval (Wilson 1927) of a rate of `successes` in `n` trials; none for no
/// trials.
///
/// A tie may count as half a success. The interval takes the binomial variance, which is
/// more than half successes have, so it is on the safe side.
#[must_use]
pub fn wilson(successes: f64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let trials = n as f64;
    let rate = successes / trials;
    let shrink = 1.0 + Z * Z / trials;
    let centre = (rate + Z * Z / (2.0 * trials)) / shrink;
    let variance = rate * (1.0 - rate) / trials + Z * Z / (4.0 * trials * trials);
    let half = Z / shrink * variance.sqrt();
    // At the ends of the scale the interval reaches them exactly, but for rounding.
    Some(Interval {
        low: if rate > 0.0 { centre - half } else { 0.0 },
        high: if rate < 1.0 { centre + half } else { 1.0 },
    })
}

/// How many more votes it takes until Wilson's interval excludes 50 %, if the rate stays as
/// it is: 0 when it does already, none when the rate is 50 % or there are no votes.
#[must_use]
pub fn more_votes_until_decided(successes: f64, n: u64) -> Option<u64> {
    let lead = successes / n as f64 - 0.5;
    if n == 0 || lead == 0.0 {
        return None;
    }
    // Wilson's interval is the score test turned round: it excludes 1/2 just when
    // lead² > z² · (1/2)² / n.
    let needed = (Z / (2.0 * lead)).powi(2).floor() as u64 + 1;
    Some(needed.saturating_sub(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Interval, low: f64, high: f64) {
        assert!(
            (found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5,
            "{found:?}"
        );
    }

    #[test]
    fn the_papers_win_rate_of_76_percent_at_three_sizes() {
        // statsmodels.stats.proportion.proportion_confint(76, 100, method="wilson"), and so on.
        close(wilson(76.0, 100).unwrap(), 0.66768, 0.83309);
        close(wilson(304.0, 400).unwrap(), 0.71580, 0.79925);
        close(wilson(1216.0, 1600).unwrap(), 0.73847, 0.78029);
        for (wins, n) in [(76.0, 100), (304.0, 400), (1216.0, 1600)] {
            assert!(wilson(wins, n).unwrap().excludes(0.5));
            assert_eq!(more_votes_until_decided(wins, n), Some(0));
        }
    }

    #[test]
    fn the_ends_of_the_scale_stay_on_it() {
        let none = wilson(0.0, 10).unwrap();
        assert_eq!(none.low, 0.0);
        assert!((none.high - 0.277_532_8).abs() < 1e-6, "{none:?}");
        assert_eq!(wilson(10.0, 10).unwrap().high, 1.0);
        assert_eq!(wilson(0.0, 0), None);
    }

    #[test]
    fn the_votes_still_needed_are_just_enough() {
        for (wins, n) in [(6, 10), (11, 20), (26, 50), (9, 20), (3, 4)] {
            let more = more_votes_until_decided(f64::from(wins), n).unwrap();
            let rate = f64::from(wins) / n as f64;
            let decided = |n: u64| wilson(rate * n as f64, n).unwrap().excludes(0.5);
            assert!(decided(n + more), "{wins} of {n} and {more} more");
            assert!(more == 0 || !decided(n + more - 1), "{wins} of {n}");
        }
        assert_eq!(more_votes_until_decided(5.0, 10), None);
        assert_eq!(more_votes_until_decided(0.0, 0), None);
    }
}
