//! A whole batch from noise to samples at once, where nothing is shown or cancelled on the way.

use tch::{Device, Kind, Tensor};

use super::{DdpmWuerstchenScheduler, Noise};

/// Samples from noise in `steps` steps: `shape` `[B, …]` f32 on `device`. `predict` is given the
/// latents (f32) and their timesteps `[B]`, and returns the network's output, of any dtype.
pub fn sample(
    scheduler: &DdpmWuerstchenScheduler,
    shape: &[i64],
    steps: i64,
    noise: &mut Noise,
    device: Device,
    predict: impl Fn(&Tensor, &Tensor) -> Tensor,
) -> Tensor {
    let timesteps = scheduler.timesteps(steps).to_device(device);
    let at = |step: i64| timesteps.get(step).expand([shape[0]], false);
    let mut latents = noise.gaussian(shape).to_device(device);
    for step in 0..steps {
        let (t, previous) = (at(step), at(step + 1));
        let output = predict(&latents, &t).to_kind(Kind::Float);
        let epsilon = scheduler.epsilon(&output, &latents, &t);
        let fresh = noise.gaussian(shape).to_device(device);
        latents = scheduler.step(&epsilon, &t, &previous, &latents, &fresh);
    }
    latents
}
