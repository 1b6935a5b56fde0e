//! How often somebody chooses the picture that they like better.
//!
//! A person's *consistency* is their mean chance to choose the better picture, over the pairs of
//! `assets/population-pairs.json` of which they like one better: two random pictures of the same
//! subject each, as they were measured, so that the number means the same for everybody and no
//! model is needed to know it.
use std::sync::LazyLock;

use crate::evaluation::axes::AxisValues;

/// The pairs, word for word.
pub(super) const TEXT: &str = include_str!("../../../../assets/population-pairs.json");

/// Normalised axes of the pictures of each pair.
static PAIRS: LazyLock<Vec<[AxisValues; 2]>> = LazyLock::new(|| {
    serde_json::from_str(TEXT).expect("a test reads the file that the program is built with")
});

/// The pairs that consistency is about.
#[cfg(test)]
pub(super) fn pairs() -> &'static [[AxisValues; 2]] {
    &PAIRS
}

/// Temperatures that are looked among, as logarithms.
const FROM: f64 = -12.0;
const TO: f64 = 8.0;
/// Halvings of that range: to a millionth.
const HALVINGS: usize = 24;

/// How much more somebody likes the better picture of each pair, where one is better.
pub(super) fn differences(utility: impl Fn(&AxisValues) -> f32) -> Vec<f64> {
    let pairs = PAIRS.iter();
    let all = pairs.map(|[one, other]| f64::from((utility(one) - utility(other)).abs()));
    all.filter(|difference| *difference > 0.0).collect()
}

/// Mean chance of the better picture at this Bradley–Terry temperature, on either side alike.
pub(super) fn consistency(differences: &[f64], temperature: f64, side_bias: f64) -> f64 {
    let chance = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
    let of_pair = |difference: &f64| {
        let fair = difference / temperature;
        (chance(fair + side_bias) + chance(fair - side_bias)) / 2.0
    };
    differences.iter().map(of_pair).sum::<f64>() / differences.len() as f64
}

/// The temperature at which somebody is as consistent as this, above ½ and below 1; none if they
/// like no picture better than another.
pub(super) fn temperature(differences: &[f64], consistency: f64, side_bias: f64) -> Option<f64> {
    if differences.is_empty() {
        return None;
    }
    let (mut low, mut high) = (FROM, TO);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        match self::consistency(differences, middle.exp(), side_bias) > consistency {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(((low + high) / 2.0).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::axes::Axis;

    #[test]
    fn the_pairs_differ_on_every_axis() {
        for axis in Axis::ALL {
            let differences = differences(|values| values[axis]);
            let share = differences.len() as f64 / PAIRS.len() as f64;
            let mean = differences.iter().sum::<f64>() / differences.len() as f64;
            assert!(share > 0.5 && mean > 0.4, "{axis:?}: {share}, {mean}");
        }
    }

    #[test]
    fn the_temperature_is_that_of_the_consistency() {
        let differences = differences(|values| values[Axis::Warmth] - values[Axis::Detail]);
        for wanted in [0.6, 0.8, 0.95] {
            for side_bias in [0.0, 0.3] {
                let temperature = temperature(&differences, wanted, side_bias).unwrap();
                let got = consistency(&differences, temperature, side_bias);
                assert!((got - wanted).abs() < 1e-4, "{wanted}: {got}");
            }
        }
        assert!(temperature(&[], 0.9, 0.0).is_none());
    }
}
