//! What a noised latent can have been: targets without the chance of which latent was noised.

use tch::{Kind, Tensor};

/// The mean of the latents that each noised latent may have come from, weighted by how likely
/// each is to have: E\[x₀ | xₜ\] over `references`, one of which was noised.
///
/// It is what a network that learns from the latent itself learns in the end, for the mean of its
/// targets is this. Without their variance it learns the same from fewer samples (stable target
/// field, Xu, Tong and Jaakkola, 2023; there the references are a large batch, here all latents
/// that a caption may stand for).
///
/// - `noised`: `[groups, n, d]` f32
/// - `alpha`: ᾱ of each, `[groups, n]` f32
/// - `references`: `[groups, k, d]` f32
/// - `known`: `[groups, k]` bool, false where a group has fewer references
///
/// Returns `[groups, n, d]` f32.
pub(super) fn posterior_mean(
    noised: &Tensor,
    alpha: &Tensor,
    references: &Tensor,
    known: &Tensor,
) -> Tensor {
    let alpha = alpha.unsqueeze(-1);
    // −‖xₜ − √ᾱ·x‖² / 2(1−ᾱ) up to what all references share.
    let products = noised.bmm(&references.transpose(1, 2)) * alpha.sqrt();
    let squares = references
        .square()
        .sum_dim_intlist([-1i64].as_slice(), false, Kind::Float);
    let likelihood =
        (products - squares.unsqueeze(1) * (&alpha * 0.5)) / (alpha.ones_like() - &alpha);
    let unknown = known.logical_not().unsqueeze(1);
    let weights = likelihood
        .masked_fill(&unknown, f64::NEG_INFINITY)
        .softmax(-1, Kind::Float);
    weights.bmm(references)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::diffusion::Noise;

    fn close(a: &Tensor, b: &Tensor) -> bool {
        (a - b).abs().max().double_value(&[]) < 1e-4
    }

    /// One group of two known references and a third that is not known.
    fn group() -> (Tensor, Tensor) {
        let references = Tensor::from_slice(&[1.0f32, 0.0, -1.0, 0.5, 9.0, 9.0]).view([1, 3, 2]);
        let known = Tensor::from_slice(&[true, true, false]).view([1, 3]);
        (references, known)
    }

    #[test]
    fn noise_may_have_been_any_and_a_clear_latent_only_itself() {
        let (references, known) = group();
        let mean = Tensor::from_slice(&[0.0f32, 0.25]).view([1, 1, 2]);
        let alpha = |a: f32| Tensor::from_slice(&[a]).view([1, 1]);
        let noise = Tensor::from_slice(&[0.3f32, -0.7]).view([1, 1, 2]);
        assert!(close(
            &posterior_mean(&noise, &alpha(0.0), &references, &known),
            &mean
        ));
        let second = references.narrow(1, 1, 1);
        let found = posterior_mean(&(&second * 0.9999), &alpha(0.9998), &references, &known);
        assert!(close(&found, &second));
    }

    /// The mean over many noised latents at nearly the same place is what is promised there.
    #[test]
    fn it_is_the_mean_of_what_was_noised() {
        let (references, known) = group();
        let count = 200_000;
        let mut noise = Noise::new(1);
        let which: Vec<i64> = (0..count).map(|_| noise.below(2) as i64).collect();
        let latents = references
            .squeeze_dim(0)
            .index_select(0, &Tensor::from_slice(&which));
        let alpha = 0.4f64;
        let epsilon = noise.gaussian(&[count, 2]);
        let noised = &latents * alpha.sqrt() + epsilon * (1.0 - alpha).sqrt();
        let place = Tensor::from_slice(&[0.2f32, 0.1]);
        let away =
            (&noised - &place)
                .square()
                .sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        let near = away.lt(0.02).nonzero().squeeze_dim(1);
        assert!(near.size()[0] > 500);
        let seen = latents
            .index_select(0, &near)
            .mean_dim([0i64].as_slice(), false, Kind::Float);
        let alpha = Tensor::full([1, 1], alpha, (Kind::Float, Device::Cpu));
        let promised = posterior_mean(&place.view([1, 1, 2]), &alpha, &references, &known);
        let off = (promised.view([2]) - seen).abs().max().double_value(&[]);
        assert!(off < 0.1, "{off}");
    }
}
