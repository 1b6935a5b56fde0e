//! Intervals of win rates.
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Quantile of the normal distribution for a two-sided interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;
/// Resamples of a bootstrap.
const RESAMPLES: usize = 2000;

/// A 95 % interval of a proportion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
}

/// Wilson's score interval (1927) of `successes` among `n`; ties may count as half a success.
/// Of nothing nothing is known: 0 to 1.
pub fn wilson(successes: f64, n: f64) -> Interval {
    if n == 0.0 {
        return Interval {
            lower: 0.0,
            upper: 1.0,
        };
    }
    let (share, z2) = (successes / n, Z * Z);
    let centre = share + z2 / (2.0 * n);
    let spread = Z * ((share * (1.0 - share) + z2 / (4.0 * n)) / n).sqrt();
    let scale = 1.0 + z2 / n;
    Interval {
        lower: ((centre - spread) / scale).max(0.0),
        upper: ((centre + spread) / scale).min(1.0),
    }
}

/// Percentile bootstrap of the mean over clusters: whole clusters are drawn with replacement,
/// since the answers of one person belong together (Cameron, Gelbach and Miller, 2008).
/// Each cluster is (sum, count). The seed decides the resamples.
pub fn cluster_bootstrap(clusters: &[(f64, f64)], seed: u64) -> Interval {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let drawn = (0..clusters.len()).map(|_| clusters[rng.random_range(0..clusters.len())]);
            let (sum, count) = drawn.fold((0.0, 0.0), |(s, n), (a, b)| (s + a, n + b));
            (count > 0.0).then_some(sum / count)
        })
        .collect();
    if means.is_empty() {
        return wilson(0.0, 0.0);
    }
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((means.len() - 1) as f64 * share).round() as usize];
    Interval {
        lower: at(0.025),
        upper: at(0.975),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_is_that_of_the_books() {
        // statsmodels.stats.proportion.proportion_confint(count, n, method="wilson")
        for (count, n, lower, upper) in [
            (76.0, 100.0, 0.667_676_6, 0.833_086_7),
            (304.0, 400.0, 0.715_799_6, 0.799_254_0),
            (0.0, 10.0, 0.0, 0.277_532_8),
        ] {
            let interval = wilson(count, n);
            assert!((interval.lower - lower).abs() < 1e-6, "{interval:?}");
            assert!((interval.upper - upper).abs() < 1e-6, "{interval:?}");
        }
    }

    #[test]
    fn clusters_that_agree_within_widen_the_interval() {
        let alone: Vec<(f64, f64)> = (0..400).map(|i| (f64::from(i % 4 != 0), 1.0)).collect();
        let together: Vec<(f64, f64)> = (0..40)
            .map(|i| (10.0 * f64::from(i % 4 != 0), 10.0))
            .collect();
        let width = |clusters: &[(f64, f64)]| {
            let interval = cluster_bootstrap(clusters, 1);
            assert!(
                interval.lower < 0.75 && interval.upper > 0.75,
                "{interval:?}"
            );
            interval.upper - interval.lower
        };
        assert!(width(&together) > 2.0 * width(&alone));
        assert_eq!(cluster_bootstrap(&alone, 1), cluster_bootstrap(&alone, 1));
    }
}
