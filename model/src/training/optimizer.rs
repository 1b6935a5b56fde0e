//! AdamW over f32 masters of low-precision parameters, with an exponential moving average.

use tch::{Device, Kind, Tensor};

use crate::shim::{AdamW, AdamWState, fused_adamw};
use crate::weights::{Checkpoint, Parameter, WeightsError};

/// What does not change from step to step.
#[derive(Debug, Clone, Copy)]
pub struct OptimizerOptions {
    /// Decays of the first and second moment.
    pub betas: (f64, f64),
    /// Decoupled decay of weights with two or more dimensions.
    pub weight_decay: f64,
    /// Gradients with a larger norm over all parameters are scaled down to it.
    pub max_grad_norm: f64,
    /// Decay of the moving average at late steps; early it follows faster.
    pub ema_decay: f64,
}

impl Default for OptimizerOptions {
    fn default() -> Self {
        Self {
            betas: (0.9, 0.95),
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            ema_decay: 0.999,
        }
    }
}

/// Parameters that are stepped together.
struct Group {
    /// Share of the learning rate.
    lr_scale: f64,
    weight_decay: f64,
    /// Places among all parameters.
    members: Vec<usize>,
}

/// The parameters that the network computes with (any dtype), their f32 masters, moments
/// and averages. Buffers (running statistics) are kept and averaged but not stepped.
pub struct Optimizer {
    options: OptimizerOptions,
    names: Vec<String>,
    groups: Vec<Group>,
    params: Vec<Tensor>,
    masters: Vec<Tensor>,
    exp_avg: Vec<Tensor>,
    exp_avg_sq: Vec<Tensor>,
    steps: Vec<Tensor>,
    ema: Vec<Tensor>,
    buffers: Vec<(String, Tensor)>,
}

impl Optimizer {
    /// Takes over these parameters, which from now on require gradients; `lr_scale` tells at which
    /// share of the learning rate the one of a name learns.
    pub fn new(
        parameters: Vec<Parameter>,
        options: OptimizerOptions,
        lr_scale: impl Fn(&str) -> f64,
    ) -> Self {
        let (trained, buffers): (Vec<_>, Vec<_>) =
            parameters.into_iter().partition(|p| p.trainable);
        let names: Vec<String> = trained.iter().map(|p| p.name.clone()).collect();
        let params: Vec<Tensor> = trained
            .iter()
            .map(|p| p.tensor.set_requires_grad(true))
            .collect();
        // `detach` shares storage with f32 parameters, so the copy has to be explicit.
        let masters: Vec<Tensor> = params
            .iter()
            .map(|p| p.detach().to_kind(Kind::Float).copy())
            .collect();
        let zeros = || masters.iter().map(Tensor::zeros_like).collect();
        let steps = masters
            .iter()
            .map(|m| Tensor::zeros([] as [i64; 0], (Kind::Float, m.device())))
            .collect();
        let mut groups: Vec<Group> = Vec::new();
        for (i, (name, master)) in names.iter().zip(&masters).enumerate() {
            let lr_scale = lr_scale(name);
            let weight_decay = match master.dim() >= 2 {
                true => options.weight_decay,
                false => 0.0,
            };
            let alike = |group: &&mut Group| {
                group.lr_scale == lr_scale && group.weight_decay == weight_decay
            };
            match groups.iter_mut().find(alike) {
                Some(group) => group.members.push(i),
                None => groups.push(Group {
                    lr_scale,
                    weight_decay,
                    members: vec![i],
                }),
            }
        }
        Self {
            exp_avg: zeros(),
            exp_avg_sq: zeros(),
            ema: masters.iter().map(Tensor::copy).collect(),
            steps,
            buffers: buffers.into_iter().map(|p| (p.name, p.tensor)).collect(),
            groups,
            names,
            params,
            masters,
            options,
        }
    }

    /// Steps by the gradients of the last backward pass and clears them; parameters without
    /// one are left as they are. Returns the gradients' norm before clipping; a norm that is
    /// not finite skips the step.
    pub fn step(&mut self, lr: f64, step: u64) -> f64 {
        tch::no_grad(|| {
            // In f32 these are the gradients themselves, so they are cleared last.
            let grads: Vec<(usize, Tensor)> = self
                .params
                .iter()
                .map(Tensor::grad)
                .enumerate()
                .filter(|(_, grad)| grad.defined())
                .map(|(i, grad)| (i, grad.to_kind(Kind::Float)))
                .collect();
            if grads.is_empty() {
                return 0.0;
            }
            let squares: Vec<Tensor> = grads
                .iter()
                .map(|(_, grad)| grad.square().sum(Kind::Float))
                .collect();
            let norm = Tensor::stack(&squares, 0)
                .sum(Kind::Float)
                .sqrt()
                .double_value(&[]);
            if norm.is_finite() {
                let scale = (self.options.max_grad_norm / (norm + 1e-6)).min(1.0);
                for group in &self.groups {
                    self.step_group(group, &grads, scale, lr);
                }
            }
            for param in &mut self.params {
                param.zero_grad();
            }
            if !norm.is_finite() {
                return norm;
            }
            // As in Karras et al. (2022), an early average must not remember the start.
            let decay = self
                .options
                .ema_decay
                .min((1.0 + step as f64) / (10.0 + step as f64));
            for i in 0..self.params.len() {
                self.params[i].copy_(&self.masters[i]);
                let _ = self.ema[i].lerp_(&self.masters[i], 1.0 - decay);
            }
            norm
        })
    }

    /// Steps those parameters with a gradient that belong to the group.
    fn step_group(&self, group: &Group, grads: &[(usize, Tensor)], scale: f64, lr: f64) {
        let members: Vec<&(usize, Tensor)> = grads
            .iter()
            .filter(|(i, _)| group.members.contains(i))
            .collect();
        if members.is_empty() {
            return;
        }
        let pick = |list: &[Tensor]| -> Vec<Tensor> {
            let pick = |(i, _): &&(usize, Tensor)| list[*i].shallow_clone();
            members.iter().map(pick).collect()
        };
        let scaled: Vec<Tensor> = members.iter().map(|(_, grad)| grad * scale).collect();
        let state = AdamWState {
            params: &pick(&self.masters),
            grads: &scaled,
            exp_avg: &pick(&self.exp_avg),
            exp_avg_sq: &pick(&self.exp_avg_sq),
            steps: &pick(&self.steps),
        };
        let adamw = AdamW {
            lr: lr * group.lr_scale,
            beta1: self.options.betas.0,
            beta2: self.options.betas.1,
            weight_decay: group.weight_decay,
            eps: 1e-8,
        };
        fused_adamw(&state, adamw);
    }

    /// Runs `f` while the network computes with the averaged weights.
    pub fn with_ema<T>(&mut self, f: impl FnOnce() -> T) -> T {
        fn put(into: &mut [Tensor], from: &[Tensor]) {
            tch::no_grad(|| into.iter_mut().zip(from).for_each(|(p, m)| p.copy_(m)));
        }
        put(&mut self.params, &self.ema);
        let result = f();
        put(&mut self.params, &self.masters);
        result
    }

    /// The averaged weights and the buffers in `kind`, under the network's names: what ships.
    pub fn ema_weights(&self, kind: Kind) -> Vec<(String, Tensor)> {
        let averaged = self.names.iter().zip(&self.ema);
        let buffers = self.buffers.iter().map(|(n, t)| (n, t));
        averaged
            .chain(buffers)
            .map(|(name, t)| {
                (
                    name.clone(),
                    t.detach().to_kind(kind).to_device(Device::Cpu),
                )
            })
            .collect()
    }

    /// Everything needed to go on exactly, under prefixed names.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let lists: [(&str, &[Tensor]); 5] = [
            ("master", &self.masters),
            ("exp_avg", &self.exp_avg),
            ("exp_avg_sq", &self.exp_avg_sq),
            ("step", &self.steps),
            ("ema", &self.ema),
        ];
        let mut state = Vec::new();
        for (prefix, list) in lists {
            for (name, tensor) in self.names.iter().zip(list) {
                state.push((format!("{prefix}/{name}"), tensor.shallow_clone()));
            }
        }
        for (name, tensor) in &self.buffers {
            state.push((format!("buffer/{name}"), tensor.detach()));
        }
        state
    }

    /// Takes back what [`Optimizer::state`] gave.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape: the checkpoint is of another network.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), WeightsError> {
        let names = &self.names;
        let restore = |prefix: &str, list: &mut [Tensor]| -> Result<(), WeightsError> {
            for (name, tensor) in names.iter().zip(list) {
                copy_from(checkpoint, &format!("{prefix}/{name}"), tensor)?;
            }
            Ok(())
        };
        restore("master", &mut self.masters)?;
        restore("exp_avg", &mut self.exp_avg)?;
        restore("exp_avg_sq", &mut self.exp_avg_sq)?;
        restore("step", &mut self.steps)?;
        restore("ema", &mut self.ema)?;
        for (name, tensor) in &mut self.buffers {
            copy_from(checkpoint, &format!("buffer/{name}"), tensor)?;
        }
        tch::no_grad(|| {
            for (param, master) in self.params.iter_mut().zip(&self.masters) {
                param.copy_(master);
            }
        });
        Ok(())
    }
}

/// Sets a tensor to that of this name.
///
/// # Errors
/// When it is missing or of another shape.
pub(super) fn copy_from(
    checkpoint: &Checkpoint,
    name: &str,
    into: &mut Tensor,
) -> Result<(), WeightsError> {
    let found = checkpoint.shape(name)?;
    if found != into.size() {
        return Err(WeightsError::Shape {
            name: name.to_owned(),
            found,
            expected: into.size(),
        });
    }
    let tensor = checkpoint.tensor(name, into.device())?;
    tch::no_grad(|| into.copy_(&tensor));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_learn_at_their_share_of_the_rate() {
        let parameter = |name: &str| Parameter {
            name: name.into(),
            tensor: Tensor::zeros([2, 2], (Kind::Float, Device::Cpu)),
            trainable: true,
        };
        let parameters = vec![parameter("slow/weight"), parameter("weight")];
        let of_both: Vec<Tensor> = parameters
            .iter()
            .map(|parameter| parameter.tensor.shallow_clone())
            .collect();
        let share = |name: &str| if name.starts_with("slow/") { 0.1 } else { 1.0 };
        let mut optimizer = Optimizer::new(parameters, OptimizerOptions::default(), share);
        (&of_both[0] + &of_both[1]).sum(Kind::Float).backward();
        optimizer.step(0.01, 0);
        let moved = |tensor: &Tensor| tensor.abs().mean(Kind::Float).double_value(&[]);
        assert!((moved(&of_both[1]) - 0.01).abs() < 1e-5);
        assert!((moved(&of_both[0]) - 0.001).abs() < 1e-6);
    }
}
