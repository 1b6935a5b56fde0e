//! At which noise a batch is trained.

use crate::diffusion::Noise;

/// Timesteps of one batch, evenly spread (less variance than independent draws) and bent towards
/// 1 where `lean` is above 1: their share above t is (1 − t)^(1/lean).
pub(super) fn timesteps(batch: usize, lean: f32, noise: &mut Noise) -> Vec<f32> {
    let offset = noise.unit();
    let even = |i: usize| (i as f32 + offset) / batch as f32;
    (0..batch)
        .map(|i| 1.0 - (1.0 - even(i)).max(0.0).powf(lean))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_stay_in_range_and_lean_to_noise() {
        let drawn = timesteps(1000, 2.0, &mut Noise::new(1));
        assert!(drawn.iter().all(|t| (0.0..=1.0).contains(t)));
        let high = drawn.iter().filter(|t| **t > 0.75).count();
        assert!((495..=505).contains(&high), "{high}");
    }
}
