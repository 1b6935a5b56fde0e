//! Blending of preferences: a weighted mean of preference tokens.

use tch::Tensor;

/// The weighted mean of preference tokens of one shape, weights normalised to sum 1; `None`
/// where no weight is above 0. A preference of weight 0 leaves no trace, so {a: 1, b: 0}
/// equals a, bit for bit.
pub fn blend(tokens: &[(Tensor, f32)]) -> Option<Tensor> {
    let kept: Vec<&(Tensor, f32)> = tokens.iter().filter(|(_, weight)| *weight > 0.0).collect();
    let total: f64 = kept.iter().map(|(_, weight)| f64::from(*weight)).sum();
    match kept.as_slice() {
        [] => None,
        [(only, _)] => Some(only.shallow_clone()),
        several => several
            .iter()
            .map(|(tokens, weight)| tokens * (f64::from(*weight) / total))
            .reduce(|sum, part| sum + part),
    }
}
