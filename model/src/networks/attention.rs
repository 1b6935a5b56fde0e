//! softmax(QKᵀ/√d)V: the attention of every network.

use tch::{Device, Kind, Tensor};

/// Which positions may look at which.
#[derive(Debug)]
pub enum Mask {
    /// Every position sees every other.
    Full,
    /// A position sees itself and what lies before it.
    Causal,
    /// Bool, broadcast to `[B, heads, S, T]`, true where the query (third dimension) sees the
    /// key (fourth).
    Allowed(Tensor),
}

impl Mask {
    /// As libtorch's attention takes it: a mask, and whether it is causal without one.
    fn arguments(&self) -> (Option<&Tensor>, bool) {
        match self {
            Self::Full => (None, false),
            Self::Causal => (None, true),
            Self::Allowed(allowed) => (Some(allowed), false),
        }
    }
}

/// `[B, n, heads·d]` to `[B, heads, n, d]`.
pub(super) fn split_heads(x: &Tensor, heads: i64) -> Tensor {
    let size = x.size();
    x.view([size[0], size[1], heads, size[2] / heads])
        .transpose(1, 2)
}

/// [`attend`] with heads side by side: `query` is `[B, S, heads·d]`, `key` and `value`
/// `[B, T, heads·d]`, the answer `[B, S, heads·d]`.
pub(super) fn attend_side_by_side(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    heads: i64,
    mask: &Mask,
) -> Tensor {
    let split = |x: &Tensor| split_heads(x, heads);
    join_heads(&attend(&split(query), &split(key), &split(value), mask))
}

/// `[B, heads, n, d]` to `[B, n, heads·d]`.
pub(super) fn join_heads(x: &Tensor) -> Tensor {
    x.transpose(1, 2).flatten(2, 3)
}

/// softmax(QKᵀ/√d)V of `query` `[B, heads, S, d]`, `key` and `value` `[B, groups, T, d]`, where
/// `groups` divides `heads` (grouped queries); the answer is `[B, heads, S, d]`.
pub(super) fn attend(query: &Tensor, key: &Tensor, value: &Tensor, mask: &Mask) -> Tensor {
    if is_fused_slowly(query, key) {
        return attend_by_products(query, key, value, mask);
    }
    let grouped = key.size()[1] != query.size()[1];
    let (allowed, causal) = mask.arguments();
    Tensor::scaled_dot_product_attention(query, key, value, allowed, 0.0, causal, None, grouped)
}

/// Positions up to which the products' own scores cost less than what the fused kernel loses.
const FEW: i64 = 512;

/// libtorch's fused kernel for CPUs sets up a bf16 product anew for each head of each sample on
/// its way back: over four queries and thirty keys a training step of attention took seven times
/// as long as by products of whole batches. Forward it is as fast, and so it is both ways in f32.
fn is_fused_slowly(query: &Tensor, key: &Tensor) -> bool {
    query.device() == Device::Cpu
        && query.kind() == Kind::BFloat16
        && (query.requires_grad() || key.requires_grad())
        && query.size()[2].max(key.size()[2]) <= FEW
}

/// [`attend`] by two products of whole batches.
fn attend_by_products(query: &Tensor, key: &Tensor, value: &Tensor, mask: &Mask) -> Tensor {
    let groups = query.size()[1] / key.size()[1];
    let per_head = |x: &Tensor| match groups {
        1 => x.shallow_clone(),
        _ => x.repeat_interleave_self_int(groups, 1, None),
    };
    let (key, value) = (per_head(key), per_head(value));
    let scale = (query.size()[3] as f64).sqrt().recip();
    let scores = (query * scale).matmul(&key.transpose(-1, -2));
    let hidden = match mask {
        Mask::Full => None,
        Mask::Causal => {
            let all = Tensor::ones(&scores.size()[2..], (Kind::Bool, scores.device()));
            Some(all.triu(1))
        }
        Mask::Allowed(allowed) => Some(allowed.logical_not()),
    };
    let scores = match hidden {
        None => scores,
        Some(hidden) => scores.masked_fill(&hidden, f64::NEG_INFINITY),
    };
    scores.softmax(-1, scores.kind()).matmul(&value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::Noise;

    fn heads(noise: &mut Noise, heads: i64, length: i64) -> Tensor {
        noise.gaussian(&[2, heads, length, 8])
    }

    #[test]
    fn by_products_is_the_same_attention() {
        let mut noise = Noise::new(0);
        let query = heads(&mut noise, 4, 5);
        let allowed = Tensor::from_slice(&[true, true, false, true, true]).view([1, 1, 1, 5]);
        for groups in [4, 2] {
            let key = heads(&mut noise, groups, 5);
            let value = heads(&mut noise, groups, 5);
            for mask in [
                Mask::Full,
                Mask::Causal,
                Mask::Allowed(allowed.shallow_clone()),
            ] {
                let fused = attend(&query, &key, &value, &mask);
                let products = attend_by_products(&query, &key, &value, &mask);
                let off = (fused - products).abs().max().double_value(&[]);
                assert!(off < 1e-5, "{mask:?} of {groups} groups: {off}");
            }
        }
    }
}
