//! The first part of Stage C: the text encoder learns which latents a caption stands for.

use std::path::Path;

use tch::{Kind, Reduction, Tensor};

use super::stage_c::StageC;
use super::{Metrics, Stage, StepContext, TrainError};
use crate::data::captions::Said;
use crate::diffusion::Noise;
use crate::networks::layers::Linear;
use crate::weights::{Parameter, Params, WeightsError};

/// Captions that the result is measured on.
const MEASURED: usize = 1024;

/// Trains the text encoder of a [`StageC`] until a linear map of its pooled state, which is not
/// kept, tells the mean of the latents that its caption stands for.
///
/// That mean is all a prior can answer to pure noise, and this asks the text encoder for it
/// without a prior between. A text encoder that has met thousands of pictures in contrast, not
/// millions, hardly tells subjects apart: a prior behind it reached 0.91 of the latents' variance
/// at pure noise in 36 minutes, which styles alone explain; this reached 0.75 in two, and a prior
/// behind the text encoder 0.78 in two more.
pub(super) struct TextToLatent<'a> {
    stage: &'a StageC,
    head: Linear,
    head_params: Params,
}

impl<'a> TextToLatent<'a> {
    /// For the text encoder and the latents of `stage`.
    ///
    /// # Errors
    /// Never with parameters from a seed, as the linear map's are.
    pub(super) fn new(stage: &'a StageC, seed: u64) -> Result<Self, WeightsError> {
        let text = &stage.text_params;
        let head_params = Params::random(seed, text.kind(), text.device());
        let inputs = stage.pipeline.text_encoder.config().projection_dim;
        let outputs = stage.train.all().get(0).numel() as i64;
        Ok(Self {
            head: Linear::new(&head_params, inputs, outputs)?,
            head_params,
            stage,
        })
    }

    /// What the linear map tells of these captions, `[n, d]` f32.
    fn told(&self, captions: &[String]) -> Tensor {
        let text = &self.stage.pipeline.text_encoder;
        let ids = captions.iter().map(|caption| {
            let ids = self.stage.pipeline.tokenizer.encode(caption, true);
            ids.expect("byte-level tokens exist for every text")
        });
        let ids = text.config().pack_tight(&ids.collect::<Vec<_>>());
        let output = text.forward(&ids.to_device(self.stage.pipeline.device), None);
        let pooled = output.expect("packed texts fit").text_embeds;
        self.head.forward(&pooled).to_kind(Kind::Float)
    }
}

impl Stage for TextToLatent<'_> {
    fn name(&self) -> &'static str {
        "stage-c-text"
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.stage.text_params.taken_as("text_encoder");
        all.extend(self.head_params.taken_as("head"));
        all
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let (captions, groups): (Vec<String>, Vec<Vec<usize>>) = (0..self.stage.batch)
            .map(|_| self.stage.train.draw(noise))
            .unzip();
        // Their mean itself, not one of them by chance: what is learned is the same, sooner.
        let (latents, known) = self.stage.train.groups(&groups);
        let known = known.unsqueeze(-1).to_kind(Kind::Float);
        let over = [1i64];
        let sum = |x: Tensor| x.sum_dim_intlist(over.as_slice(), false, Kind::Float);
        let means = sum(latents * &known) / sum(known);
        let error = self.told(&captions).mse_loss(&means, Reduction::Mean);
        (error, Vec::new())
    }

    fn evaluate(&mut self, _dir: &Path, _step: u64) -> Result<Metrics, TrainError> {
        let mut noise = Noise::new(1);
        let rows = noise.indices(MEASURED, self.stage.train.len());
        let caption = |&row: &usize| {
            let said = Said::draw(noise.rng());
            self.stage.train.caption(row, said, &mut noise)
        };
        let captions: Vec<String> = rows.iter().map(caption).collect();
        let latents = self.stage.train.batch(&rows).flatten(1, -1);
        let error = self.told(&captions).mse_loss(&latents, Reduction::Mean);
        let off_mean = &latents - latents.mean_dim([0i64].as_slice(), true, Kind::Float);
        let variance = off_mean.square().mean(Kind::Float).double_value(&[]);
        Ok(vec![("unexplained", error.double_value(&[]) / variance)])
    }
}
