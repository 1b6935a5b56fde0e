//! The DDPM scheduler of Würstchen and Stable Cascade, on a continuous timestep in [0, 1]
//! (diffusers `schedulers/scheduling_ddpm_wuerstchen.py`).

use std::path::Path;

use tch::{Kind, Tensor};

use crate::networks::config::Unread;
use crate::weights::{WeightsError, read_config};

/// The scheduler's class in diffusers.
const CLASS: &str = "DDPMWuerstchenScheduler";

/// What a network's output stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise ε, as the official models predict it.
    #[default]
    Epsilon,
    /// v = √ᾱ·ε − √(1−ᾱ)·x₀ (Salimans and Ho, 2022). Near t = 1 the input is all but the
    /// noise itself, and this schedule multiplies an error there by more than ten: a small
    /// network has to spend itself on copying its input to predict ε, and need not for v.
    VPrediction,
}

/// `scheduler_config.json`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct DdpmWuerstchenConfig {
    /// Exponent that moves steps towards noise (> 1) or picture (< 1).
    pub scaler: f64,
    /// Offset of the cosine schedule.
    pub s: f64,
    /// What the networks' outputs stand for.
    pub prediction_type: PredictionType,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

impl Default for DdpmWuerstchenConfig {
    fn default() -> Self {
        Self {
            scaler: 1.0,
            s: 0.008,
            prediction_type: PredictionType::Epsilon,
            unread: Unread::default(),
        }
    }
}

impl DdpmWuerstchenConfig {
    /// Checks that no field asks for something that is not built.
    ///
    /// # Errors
    /// The first field that may change the result, by name.
    pub fn validate(&self) -> Result<(), WeightsError> {
        self.unread.check("the scheduler")
    }
}

/// Reads a scheduler_config.json.
///
/// # Errors
/// The file is missing or does not parse, is of another scheduler, or has a field that is not known.
pub fn read_scheduler_config(path: &Path) -> Result<DdpmWuerstchenConfig, WeightsError> {
    let config: serde_json::Value = read_config(path)?;
    match config.get("_class_name").and_then(|class| class.as_str()) {
        Some(other) if other != CLASS => Err(WeightsError::Config {
            path: path.into(),
            reason: format!("a {other} is not supported, a {CLASS} is"),
        }),
        _ => {
            let config: DdpmWuerstchenConfig = read_config(path)?;
            config.validate().map_err(|error| error.in_file(path))?;
            Ok(config)
        }
    }
}

/// Cosine noise schedule: ᾱ(t) = cos²((t+s)/(1+s)·π/2) / cos²(s/(1+s)·π/2), kept within
/// [1e-4, 0.9999]; t = 1 is noise, t = 0 the picture.
#[derive(Debug, Clone)]
pub struct DdpmWuerstchenScheduler {
    config: DdpmWuerstchenConfig,
}

impl DdpmWuerstchenScheduler {
    /// A scheduler with this configuration.
    pub fn new(config: DdpmWuerstchenConfig) -> Self {
        Self { config }
    }

    /// The `steps + 1` timesteps from 1 to 0; the last is where sampling ends, so a run
    /// denoises at all but that one. Shape `[steps + 1]` f32.
    pub fn timesteps(&self, steps: i64) -> Tensor {
        Tensor::linspace(1.0, 0.0, steps + 1, (Kind::Float, tch::Device::Cpu))
    }

    /// ᾱ at timesteps `t` (`[B]` f32): `[B]` f32.
    pub fn alpha_cumprod(&self, t: &Tensor) -> Tensor {
        let DdpmWuerstchenConfig { scaler, s, .. } = self.config;
        let t = if scaler > 1.0 {
            complement(&complement(t).pow_tensor_scalar(scaler))
        } else if scaler < 1.0 {
            t.pow_tensor_scalar(scaler)
        } else {
            t.shallow_clone()
        };
        let half_pi = std::f64::consts::FRAC_PI_2;
        let at_zero = (s / (1.0 + s) * half_pi).cos().powi(2);
        let alpha = ((t + s) / (1.0 + s) * half_pi).cos().square() / at_zero;
        alpha.clamp(0.0001, 0.9999)
    }

    /// √ᾱ·x + √(1−ᾱ)·ε. `samples` and `noise` `[B, …]`, `t` `[B]` f32.
    pub fn add_noise(&self, samples: &Tensor, noise: &Tensor, t: &Tensor) -> Tensor {
        let alpha = broadcast(&self.alpha_cumprod(t), samples);
        (alpha.sqrt() * samples + complement(&alpha).sqrt() * noise).to_kind(samples.kind())
    }

    /// What a network is to predict for `samples` with `noise` at `t`; like `samples`.
    pub fn target(&self, samples: &Tensor, noise: &Tensor, t: &Tensor) -> Tensor {
        match self.config.prediction_type {
            PredictionType::Epsilon => noise.shallow_clone(),
            PredictionType::VPrediction => {
                let alpha = broadcast(&self.alpha_cumprod(t), samples);
                alpha.sqrt() * noise - complement(&alpha).sqrt() * samples
            }
        }
    }

    /// As [`Self::target`], where `noised` is given instead of the noise between it and `samples`.
    pub fn target_between(&self, samples: &Tensor, noised: &Tensor, t: &Tensor) -> Tensor {
        let alpha = broadcast(&self.alpha_cumprod(t), samples);
        let noise = (noised - alpha.sqrt() * samples) / complement(&alpha).sqrt();
        self.target(samples, &noise, t)
    }

    /// The noise that a network's output for `noised` (`[B, …]`) at `t` (`[B]`) predicts.
    pub fn epsilon(&self, output: &Tensor, noised: &Tensor, t: &Tensor) -> Tensor {
        match self.config.prediction_type {
            PredictionType::Epsilon => output.shallow_clone(),
            PredictionType::VPrediction => {
                let alpha = broadcast(&self.alpha_cumprod(t), noised);
                complement(&alpha).sqrt() * noised + alpha.sqrt() * output
            }
        }
    }

    /// One step of the reverse process from `t` to `previous` (both `[B]` f32), each
    /// sample by its own timesteps. `model_output` is the predicted noise and
    /// `step_noise` a fresh standard normal draw, both like `sample` (`[B, …]` f32); the
    /// draw has no effect where `previous` is 0.
    pub fn step(
        &self,
        model_output: &Tensor,
        t: &Tensor,
        previous: &Tensor,
        sample: &Tensor,
        step_noise: &Tensor,
    ) -> Tensor {
        let now = broadcast(&self.alpha_cumprod(t), sample);
        let before = broadcast(&self.alpha_cumprod(previous), sample);
        let alpha = &now / &before;
        let mean = alpha.reciprocal().sqrt()
            * (sample - complement(&alpha) * model_output / complement(&now).sqrt());
        let std = (complement(&alpha) * complement(&before) / complement(&now)).sqrt();
        let goes_on = broadcast(&previous.ne(0.0).to_kind(Kind::Float), sample);
        mean + std * step_noise * goes_on
    }
}

/// `[B]` to `[B, 1, …]` with as many dimensions as `like`.
fn broadcast(per_sample: &Tensor, like: &Tensor) -> Tensor {
    let mut shape = vec![1; like.dim()];
    shape[0] = -1;
    per_sample.to_device(like.device()).view(shape.as_slice())
}

/// 1 − x.
fn complement(x: &Tensor) -> Tensor {
    1.0 - x
}
