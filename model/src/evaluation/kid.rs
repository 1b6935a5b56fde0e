//! The kernel inception distance of two sets of pictures, on any network's features.

use tch::{Kind, Tensor};

/// The unbiased estimate of the squared maximum mean discrepancy between two sets of features,
/// `[n, d]` and `[m, d]` f32, under the kernel (x·y/d + 1)³ (Bińkowski et al., 2018). 0 is
/// expected of two sets from one source; single estimates may lie below it.
///
/// # Panics
/// With fewer than two rows in a set.
pub fn kernel_distance(one: &Tensor, other: &Tensor) -> f64 {
    let (n, m) = (one.size()[0] as f64, other.size()[0] as f64);
    assert!(
        n >= 2.0 && m >= 2.0,
        "a distance needs two of each at least"
    );
    let dimensions = one.size()[1] as f64;
    let kernel = |x: &Tensor, y: &Tensor| -> Tensor {
        let wide = |x: &Tensor| x.to_kind(Kind::Double);
        let base: Tensor = wide(x).matmul(&wide(y).tr()) / dimensions + 1.0;
        base.pow_tensor_scalar(3)
    };
    let sum = |x: &Tensor| x.sum(Kind::Double).double_value(&[]);
    // A picture is like itself, whatever the set.
    let within = |x: &Tensor, count: f64| {
        let all = kernel(x, x);
        (sum(&all) - sum(&all.diag(0))) / (count * (count - 1.0))
    };
    within(one, n) + within(other, m) - 2.0 * sum(&kernel(one, other)) / (n * m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::Noise;

    #[test]
    fn it_is_what_the_definition_says() {
        let one = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 2.0]).view([2, 2]);
        let other = Tensor::from_slice(&[1.0f32, 1.0, -1.0, 0.0]).view([2, 2]);
        // Within: (0/2 + 1)³ = 1 and (−1/2 + 1)³ = 1/8. Between: (1/2 + 1)³, (−1/2 + 1)³,
        // (2/2 + 1)³, 1.
        let between = (3.375 + 0.125 + 8.0 + 1.0) / 4.0;
        let expected = 1.0 + 0.125 - 2.0 * between;
        assert!((kernel_distance(&one, &other) - expected).abs() < 1e-9);
    }

    #[test]
    fn it_tells_sets_of_one_source_from_those_of_two() {
        let mut noise = Noise::new(1);
        let (one, other) = (noise.gaussian(&[400, 8]), noise.gaussian(&[400, 8]));
        let same = kernel_distance(&one, &other);
        let moved = kernel_distance(&one, &(other + 0.5));
        assert!(same.abs() < 0.05, "{same}");
        assert!(moved > 0.3, "{moved}");
    }
}
