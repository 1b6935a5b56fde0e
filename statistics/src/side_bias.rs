use crate::{Interval, Verdict, Vote, wilson};

/// Whether a side was preferred as such.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SideBias {
    /// Votes for the left picture.
    pub left: u64,
    /// Votes for the right picture.
    pub right: u64,
    /// Votes for the left of all votes with a preference, 0 to 1.
    pub left_rate: f64,
    /// Wilson's score interval of the rate.
    pub wilson: Interval,
    /// How often chance alone is at least as lopsided: the exact binomial test, two-sided.
    pub p_value: f64,
}

/// Tests whether left and right were preferred equally often, as they are where sides are
/// random and nobody favours one. None without a vote that has a preference.
#[must_use]
pub fn side_bias(votes: &[Vote]) -> Option<SideBias> {
    let count = |side| votes.iter().filter(|vote| vote.verdict == side).count() as u64;
    let (left, right) = (count(Verdict::Left), count(Verdict::Right));
    let n = left + right;
    Some(SideBias {
        left,
        right,
        left_rate: left as f64 / n as f64,
        wilson: wilson(left as f64, n)?,
        p_value: binomial_test(left.min(right), n),
    })
}

/// Twice the probability of at most `fewer` heads in `n` throws of a fair coin.
fn binomial_test(fewer: u64, n: u64) -> f64 {
    // In logarithms: the single probabilities of many votes are too small for a float.
    let mut log_probability = -(n as f64) * std::f64::consts::LN_2;
    let mut logs = vec![log_probability];
    for heads in 1..=fewer {
        log_probability += ((n - heads + 1) as f64).ln() - (heads as f64).ln();
        logs.push(log_probability);
    }
    let largest = log_probability;
    let sum: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
    (2.0 * largest.exp() * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_exact() {
        // scipy.stats.binomtest(k, n).pvalue
        for (fewer, n, p) in [
            (5, 10, 1.0),
            (1, 10, 0.021484375),
            (0, 3, 0.25),
            (40, 100, 0.05688793364098088),
        ] {
            let found = binomial_test(fewer, n);
            assert!((found - p).abs() < 1e-12, "{fewer} of {n}: {found}");
        }
        // Too many votes for 2^-n to be a float: close to normal, so near 0.0455 at two
        // standard deviations.
        let found = binomial_test(50_000 - 317, 100_000);
        assert!((found - 0.045).abs() < 1e-3, "{found}");
    }

    #[test]
    fn without_a_preference_there_is_no_side() {
        assert!(side_bias(&[]).is_none());
    }
}
