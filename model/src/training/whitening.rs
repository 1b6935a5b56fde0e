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

/// The symmetric matrix `[d, d]` that lets each direction of white rows through by the share of its
/// variance that these parts of them, `[n, d]` f32, make up (a Wiener filter). What it lets through
/// has unit mean square.
pub(super) fn share_filter(parts: &Tensor) -> Tensor {
    let parts = parts.to_kind(Kind::Double);
    let second_moment = parts.tr().matmul(&parts) / parts.size()[0] as f64;
    let (shares, directions) = second_moment.linalg_eigh("L");
    let shares = shares.clamp_min(0.0);
    let shares = &shares / shares.square().mean(Kind::Double).sqrt();
    let filter = (&directions * shares).matmul(&directions.tr());
    filter.to_kind(Kind::Float)
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

    /// Rows that are a signal in one of three skewed directions and noise in all of them.
    #[test]
    fn a_filter_behind_the_whitening_lets_through_what_the_parts_make_up() {
        let mut noise = Noise::new(2);
        let skew = Tensor::from_slice(&[3.0f32, 1.0, 0.0, 0.0, 0.3, 0.1, 0.5, 0.0, 0.2]);
        let skew = skew.view([3, 3]);
        let signal = noise.gaussian(&[4000, 3]) * Tensor::from_slice(&[0.0f32, 2.0, 0.0]);
        let other = noise.gaussian(&[4000, 3]) * Tensor::from_slice(&[1.0f32, 0.2, 1.0]);
        let (signal, other) = (signal.matmul(&skew), other.matmul(&skew));
        let (matrix, _) = whitening(&(&signal + &other));
        let filter = share_filter(&signal.matmul(&matrix)).matmul(&matrix);
        // As a linear layer applies it.
        let through = |rows: &Tensor| rows.matmul(&filter.tr());
        let power = |rows: Tensor| rows.square().mean(Kind::Float).double_value(&[]);
        let before = power(signal.matmul(&matrix)) / power(other.matmul(&matrix));
        let after = power(through(&signal)) / power(through(&other));
        assert!(after > 10.0 * before, "{before} before, {after} after");
        let all = power(through(&(signal + other)));
        assert!((all - 1.0).abs() < 0.1, "{all}");
    }
}
