//! Conditions that differ in few directions around a large common part, spread evenly.

use tch::{Kind, Tensor};

/// Share of the mean variance that is added to every direction, so that those in which rows
/// hardly differ are not blown up without end.
const LEAST_VARIANCE: f64 = 1e-3;

/// The symmetric matrix `[d, d]` that gives rows `[n, d]` f32 unit covariance once their mean
/// `[d]` is taken off (zero-phase whitening), and the mean.
pub(super) fn whitening(rows: &Tensor) -> (Tensor, Tensor) {
    let mean = rows.mean_dim([0i64].as_slice(), false, Kind::Float);
    let centred = (rows - &mean).to_kind(Kind::Double);
    let covariance = centred.tr().matmul(&centred) / rows.size()[0] as f64;
    let (variances, directions) = covariance.linalg_eigh("L");
    let least = variances.mean(Kind::Double) * LEAST_VARIANCE;
    let scales = (variances.clamp_min(0.0) + least).rsqrt();
    let whitening = (&directions * scales).matmul(&directions.tr());
    (whitening.to_kind(Kind::Float), mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::Noise;

    #[test]
    fn what_texts_share_is_taken_off_and_where_they_differ_is_spread() {
        // Three directions of very different size around a large common part.
        let sizes = Tensor::from_slice(&[3.0f32, 0.3, 0.1]);
        let rows = Noise::new(1).gaussian(&[4000, 3]) * sizes + 40.0;
        let (matrix, mean) = whitening(&rows);
        let white = (&rows - &mean).matmul(&matrix);
        let covariance = white.tr().matmul(&white) / 4000.0;
        let worst = (covariance - Tensor::eye(3, (Kind::Float, tch::Device::Cpu)))
            .abs()
            .max()
            .double_value(&[]);
        assert!(worst < 0.3, "{worst}");
    }
}
