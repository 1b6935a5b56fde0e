//! Stage C: the prior, a diffusion model of latents under text.

use std::path::Path;
use std::rc::Rc;

use tch::{Kind, Tensor};

use super::captioned_latents::CaptionedLatents;
use super::pictures::write_sheet;
use super::posterior::posterior_mean;
use super::timesteps::timesteps;
use super::whitening::whitening;
use super::{Metrics, Stage, StepContext, TrainError};
use crate::data::captions::Said;
use crate::diffusion::Noise;
use crate::pipeline::{DrawingRequest, Pipeline, TextCondition, draw};
use crate::weights::{Parameter, Params};

/// Share of captions replaced by the empty one, which makes guidance possible.
const DROP_TEXT: f32 = 0.1;
/// Half of the timesteps are above 0.75: only there do words change the picture, at 0.7 they
/// lower the loss by 1 %.
const LEAN: f32 = 2.0;
/// Pictures on a sample sheet.
const SAMPLES: usize = 32;

/// Samples of a batch that share a caption: what the text costs is paid once for all of them.
const SHARED: usize = 4;
/// Of the learning rate, what the text encoder learns at beside the prior: at the prior's own it
/// lost what the prior had learned to listen to.
const TEXT_LR: f64 = 0.1;
/// Rows that the empty caption is taken to stand for, drawn anew each time: all of them cost too
/// much.
const ROWS_OF_NOTHING: usize = 128;
/// Where the text encoder's names begin among the trained parameters.
pub(super) const TEXT_ENCODER: &str = "text_encoder/";
/// Captions that an evaluation asks the prior about.
const ASKED: usize = 512;

/// Captions that the text mappers' start is measured on.
const MEASURED_CAPTIONS: usize = 2048;

/// Where token states and the pooled state enter the prior.
const TEXT_MAPPERS: [&str; 2] = ["clip_txt_mapper", "clip_txt_pooled_mapper"];

/// Whether a parameter of the prior belongs to its text mappers.
fn is_text_mapper(name: &str) -> bool {
    let of = |mapper: &&str| {
        name.strip_prefix(*mapper)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    TEXT_MAPPERS.iter().any(of)
}

/// Trains the prior of a pipeline whose other networks are trained already, and its text encoder
/// along with it.
pub(super) struct StageC {
    pub(super) pipeline: Pipeline,
    pub(super) text_params: Params,
    pub(super) train: CaptionedLatents,
    pub(super) batch: usize,
    prior_params: Params,
}

impl StageC {
    /// A stage over these latents; `prior_params` are those of `pipeline.prior`, `text_params`
    /// those of `pipeline.text_encoder`.
    pub(super) fn new(
        pipeline: Pipeline,
        prior_params: Params,
        text_params: Params,
        train: CaptionedLatents,
        batch: usize,
    ) -> Self {
        Self {
            pipeline,
            prior_params,
            text_params,
            train,
            batch,
        }
    }

    /// Sets the prior's two text mappers so that they whiten what the text encoder says; they
    /// are not trained after that.
    ///
    /// States of all texts share a component many times as large as that in which they differ.
    /// The norm behind the mappers keeps that proportion, so a prior whose mappers start at
    /// random learns to draw without listening: after 1,400 steps other words changed its
    /// prediction by 2 %. And where they train, Adam, whose steps are as large for every weight,
    /// moves the common part most and has it back within 500 steps.
    pub(super) fn whiten_text(&self) {
        let mut noise = Noise::new(0);
        let rows = noise.indices(MEASURED_CAPTIONS, self.train.len());
        let (mut tokens, mut pooled) = (Vec::new(), Vec::new());
        for rows in rows.chunks(128) {
            let captions: Vec<String> = rows
                .iter()
                .map(|&row| {
                    let said = Said::draw(noise.rng());
                    self.train.caption(row, said, &mut noise)
                })
                .collect();
            let text = tch::no_grad(|| self.encode(&captions));
            tokens.push(text.tokens.flatten(0, 1));
            pooled.push(text.pooled.flatten(0, 1));
        }
        for (name, states) in TEXT_MAPPERS.into_iter().zip([tokens, pooled]) {
            let of_mapper = |part: &str| {
                let name = format!("{name}.{part}");
                let mut taken = self.prior_params.taken().into_iter();
                let found = taken.find(|parameter| parameter.name == name);
                found.expect("a prior under text has both mappers").tensor
            };
            let (mut weight, mut bias) = (of_mapper("weight"), of_mapper("bias"));
            let states = Tensor::cat(&states, 0).to_kind(Kind::Float);
            let (whitening, mean) = whitening(&states);
            let shape = weight.size();
            let start = noise.gaussian(&shape).to_device(states.device());
            let whitened = (start / (shape[1] as f64).sqrt()).matmul(&whitening);
            tch::no_grad(|| {
                bias.copy_(&-whitened.mv(&mean));
                weight.copy_(&whitened);
            });
        }
    }

    /// A caption and the rows that it may stand for; in some of the cases the empty one.
    fn draw_caption(&self, noise: &mut Noise) -> (String, Vec<usize>) {
        match noise.unit() < DROP_TEXT {
            true => {
                let some = noise.indices(ROWS_OF_NOTHING, self.train.len());
                (String::new(), some)
            }
            false => self.train.draw(noise),
        }
    }

    fn encode(&self, texts: &[String]) -> TextCondition {
        let encoded = self.pipeline.encode_texts_with_gradient(texts);
        encoded.expect("byte-level tokens exist for every text, packed to fit")
    }

    /// What the prior makes of pure noise under captions that name the subjects of these rows and
    /// nothing else, `[rows, d]` f32.
    fn answer_noise(&self, rows: &[usize], noise: &mut Noise) -> Tensor {
        let said = Said {
            style: false,
            changes: false,
        };
        let answer = |rows: &[usize]| {
            let captions: Vec<String> = rows
                .iter()
                .map(|&row| self.train.caption(row, said, noise))
                .collect();
            let shape = self.train.batch(rows).size();
            let device = self.pipeline.device;
            let t = Tensor::ones([shape[0]], (Kind::Float, device));
            let epsilon = noise.gaussian(&shape).to_device(device);
            let text = self.encode(&captions);
            let v = self.pipeline.prior_forward(&epsilon, &t, &text, None);
            // At t = 1 v is −x₀.
            -v.to_kind(Kind::Float).flatten(1, -1)
        };
        let answers: Vec<Tensor> = rows.chunks(64).map(answer).collect();
        Tensor::cat(&answers, 0)
    }

    /// Of the prior's answers to pure noise: the share of the latents' variance that they leave,
    /// what the subjects' own means leave, and how often the named subject's mean is among the
    /// five that are most like the answer.
    fn at_pure_noise(&self) -> Metrics {
        let mut noise = Noise::new(3);
        let rows = noise.indices(ASKED, self.train.len());
        let answers = self.answer_noise(&rows, &mut noise);
        let (means, subjects) = self.train.subject_means();
        let place_of = |&row: &usize| {
            let place = subjects.binary_search(&self.train.subject(row));
            place.expect("a row's subject has rows") as i64
        };
        let places: Vec<i64> = rows.iter().map(place_of).collect();
        let places = Tensor::from_slice(&places).to_device(means.device());

        let all = self.train.all().flatten(1, -1);
        let center = all.mean_dim([0i64].as_slice(), true, Kind::Float);
        let wanted = self.train.batch(&rows).flatten(1, -1);
        let error = |told: &Tensor| (told - &wanted).square().mean(Kind::Float);
        let share_left = |told: &Tensor| (error(told) / error(&center)).double_value(&[]);
        let of_subjects = means.index_select(0, &places);

        let direction = |x: Tensor| {
            let x = x - &center;
            let squares = x.square().sum_dim_intlist([-1i64].as_slice(), true, None);
            x / (squares + 1e-12).sqrt()
        };
        let left = share_left(&answers);
        let likeness = direction(answers).matmul(&direction(means).tr());
        let (_, best) = likeness.topk(5.min(subjects.len() as i64), -1, true, false);
        let found = best.eq_tensor(&places.unsqueeze(1)).any_dim(1, false);
        let found = found.to_kind(Kind::Float).mean(Kind::Float);
        vec![
            ("unexplained", left),
            ("unexplained_by_subject", share_left(&of_subjects)),
            ("recall_5", found.double_value(&[])),
        ]
    }
}

impl Stage for StageC {
    fn name(&self) -> &'static str {
        "stage-c"
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut trained = self.prior_params.taken();
        trained.retain(|parameter| !is_text_mapper(&parameter.name));
        trained.extend(self.text_params.taken_as("text_encoder"));
        trained
    }

    fn fixed(&self) -> Vec<Parameter> {
        let mut fixed = self.prior_params.taken();
        fixed.retain(|parameter| is_text_mapper(&parameter.name));
        fixed
    }

    fn lr_scale(&self, name: &str) -> f64 {
        match name.starts_with(TEXT_ENCODER) {
            true => TEXT_LR,
            false => 1.0,
        }
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let texts = self.batch.div_ceil(SHARED);
        let (captions, groups): (Vec<String>, Vec<Vec<usize>>) =
            (0..texts).map(|_| self.draw_caption(noise)).unzip();
        let rows: Vec<usize> = groups
            .iter()
            .flat_map(|group| {
                noise
                    .indices(SHARED, group.len())
                    .into_iter()
                    .map(|i| group[i])
            })
            .collect();
        let even = timesteps(rows.len(), LEAN, noise);
        // Those of one caption lie far apart.
        let spread = |i: usize| even[i % SHARED * texts + i / SHARED];
        let t: Vec<f32> = (0..rows.len()).map(spread).collect();
        let t = Tensor::from_slice(&t).to_device(self.pipeline.device);

        let scheduler = &self.pipeline.prior_scheduler;
        let latents = self.train.batch(&rows);
        let noised = scheduler.add_noise(&latents, &latents.randn_like(), &t);
        let (references, known) = self.train.groups(&groups);
        let in_groups = [texts as i64, SHARED as i64, -1];
        let alpha = scheduler.alpha_cumprod(&t);
        let expected = posterior_mean(
            &noised.view(in_groups),
            &alpha.view([texts as i64, -1]),
            &references,
            &known,
        );
        let wanted = scheduler.target_between(&expected.view_as(&latents), &noised, &t);

        let text = self.encode(&captions);
        let predicted = self.pipeline.prior_forward(&noised, &t, &text, None);
        let predicted = predicted.to_kind(Kind::Float);
        (
            predicted.mse_loss(&wanted, tch::Reduction::Mean),
            Vec::new(),
        )
    }

    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        let mut noise = Noise::new(7);
        let shown = noise.indices(SAMPLES, self.train.len());
        let prompts: Vec<&str> = shown.iter().map(|&row| self.train.label(row)).collect();
        let no_text = Rc::new(self.encode(&[String::new()]));
        let requests = prompts
            .iter()
            .enumerate()
            .map(|(seed, prompt)| DrawingRequest {
                text: Rc::new(self.encode(&[(*prompt).to_owned()])),
                no_text: no_text.clone(),
                preference: None,
                strength: 0.0,
                guidance: 4.0,
                steps: 20,
                decoder_steps: 10,
                seed: seed as u64,
            })
            .collect();
        let finished = draw(&self.pipeline, requests);
        let pictures: Vec<_> = finished.into_iter().map(|f| f.picture).collect();
        write_sheet(&dir.join(format!("sheet-{step:06}.png")), &pictures, 8)?;
        let list = prompts.join("\n");
        let path = dir.join("sheet-prompts.txt");
        std::fs::write(&path, list).map_err(|source| TrainError::Io { path, source })?;
        Ok(self.at_pure_noise())
    }
}
