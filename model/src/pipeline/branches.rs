//! What the prior is asked for one step of a drawing: a row of its batch for each branch.

use tch::{Kind, Tensor};

use super::{Pipeline, TextCondition};

/// Rows of a prior batch under construction.
#[derive(Default)]
pub(super) struct Rows {
    latents: Vec<Tensor>,
    times: Vec<f32>,
    tokens: Vec<Tensor>,
    pooled: Vec<Tensor>,
    preferences: Vec<Option<Tensor>>,
}

impl Rows {
    pub(super) fn add(
        &mut self,
        latent: &Tensor,
        t: f32,
        text: &TextCondition,
        preference: Option<&Tensor>,
    ) -> usize {
        self.latents.push(latent.shallow_clone());
        self.times.push(t);
        self.tokens.push(text.tokens.shallow_clone());
        self.pooled.push(text.pooled.shallow_clone());
        self.preferences.push(preference.map(Tensor::shallow_clone));
        self.times.len() - 1
    }

    /// `[rows, c, h, w]` f32. Without any preference in the batch the preference branch is
    /// not run at all; rows without one get zero tokens, which add exactly nothing.
    pub(super) fn predict(&self, pipeline: &Pipeline) -> Tensor {
        let preference = self.preferences.iter().flatten().next().map(|some| {
            let zero = some.zeros_like();
            let tokens: Vec<&Tensor> = self
                .preferences
                .iter()
                .map(|p| p.as_ref().unwrap_or(&zero))
                .collect();
            Tensor::cat(&tokens, 0)
        });
        let text = TextCondition {
            tokens: Tensor::cat(&self.tokens, 0),
            pooled: Tensor::cat(&self.pooled, 0),
        };
        let t = Tensor::from_slice(&self.times).to_device(pipeline.device);
        let latents = Tensor::cat(&self.latents, 0);
        pipeline
            .prior_forward(&latents, &t, &text, preference.as_ref())
            .to_kind(Kind::Float)
    }
}

/// Where a drawing's predictions stand in the batch.
pub(super) struct Branches {
    pub(super) guidance: f64,
    pub(super) unconditional: Option<usize>,
    pub(super) base: Option<usize>,
    pub(super) preferred: Option<usize>,
}

impl Branches {
    /// `ε_c = ε(c,0) + s·(ε(c,u) − ε(c,0))`, then `lerp(ε(∅,0), ε_c, g)`; `[1, c, h, w]`.
    pub(super) fn combine(&self, predicted: &Tensor, strength: f64) -> Tensor {
        let row = |i: usize| predicted.narrow(0, i as i64, 1);
        let conditional = match (self.base, self.preferred) {
            (Some(base), Some(preferred)) => {
                let base = row(base);
                &base + (row(preferred) - &base) * strength
            }
            (Some(only), None) | (None, Some(only)) => row(only),
            (None, None) => {
                return row(self
                    .unconditional
                    .expect("guidance 0 leaves the empty prompt"));
            }
        };
        match self.unconditional {
            None => conditional,
            Some(i) => row(i).lerp(&conditional, self.guidance),
        }
    }
}
