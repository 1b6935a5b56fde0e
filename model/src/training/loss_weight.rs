//! Adaptive loss weight over timesteps, as Stable Cascade's training has it: each stretch
//! of timesteps is weighted by the inverse of its own running loss.
//!
//! The noise that a step from t ≈ 1 must predict is nearly the input itself, so its plain
//! loss is tiny, yet its error is what sampling amplifies most.

use tch::{Device, Kind, Tensor};

use crate::weights::Parameter;

const BUCKETS: i64 = 64;
/// Share of a new loss in the running one.
const RATE: f64 = 0.05;
/// Bounds of the weights, against a bucket that has seen nothing yet or fits perfectly.
const WEIGHT_RANGE: (f64, f64) = (0.5, 500.0);

/// Running losses of equal stretches of timesteps.
pub(super) struct AdaptiveLossWeight {
    losses: Tensor,
}

impl AdaptiveLossWeight {
    pub(super) fn new(device: Device) -> Self {
        Self {
            losses: Tensor::ones([BUCKETS], (Kind::Float, device)),
        }
    }

    /// The running losses, to be kept with a checkpoint.
    pub(super) fn state(&self) -> Parameter {
        Parameter {
            name: "loss_weight/buckets".into(),
            tensor: self.losses.shallow_clone(),
            trainable: false,
        }
    }

    /// The weighted mean of per-sample losses `[B]` f32 at timesteps `t` `[B]` in [0, 1].
    pub(super) fn weigh(&mut self, losses: &Tensor, t: &Tensor) -> Tensor {
        let bucket = (t * BUCKETS).to_kind(Kind::Int64).clamp(0, BUCKETS - 1);
        let running = self.losses.index_select(0, &bucket);
        let weight = running.reciprocal().clamp(WEIGHT_RANGE.0, WEIGHT_RANGE.1);
        let updated = &running * (1.0 - RATE) + losses.detach() * RATE;
        let _ = self.losses.index_copy_(0, &bucket, &updated);
        (losses * weight).mean(Kind::Float)
    }
}
