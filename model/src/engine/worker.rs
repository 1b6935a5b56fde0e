//! What the engine's thread does: takes commands in, and all pictures a step further.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, TryRecvError};

use tch::{Device, Kind, Tensor};

use super::offload::{Group, Offload};
use super::preview::{LatentView, preview};
use super::{
    Command, EngineConfig, EngineError, GenerateEvent, GenerateJob, MemoryAdvice, ModelInfo,
    OnEvent, Taste,
};
use crate::device::dtype_word;
use crate::memory::check_room;
use crate::networks::preference_attention::PreferenceAttention;
use crate::pipeline::{
    Drawing, DrawingRequest, Pipeline, PromptReader, Stage, TextCondition, advance,
};
use crate::preference::blend;
use crate::preference::embedding::{PreferenceEmbedder, PreferenceEmbedding};
use crate::refusal;
use crate::weights::{ModelCard, ModelFolder};

/// A picture under way.
struct Picture {
    /// Which of its job's.
    image: usize,
    drawing: Drawing,
    /// The steps that were told of.
    told: i64,
}

/// A job's pictures: those waiting for a place in the batch and those under way.
struct Active {
    on_event: OnEvent,
    job: GenerateJob,
    text: Rc<TextCondition>,
    preference: Option<Tensor>,
    waiting: VecDeque<usize>,
    pictures: Vec<Picture>,
}

impl Active {
    fn request(
        &self,
        image: usize,
        no_text: &Rc<TextCondition>,
        decoder_steps: u32,
    ) -> DrawingRequest {
        DrawingRequest {
            text: self.text.clone(),
            no_text: no_text.clone(),
            preference: self.preference.as_ref().map(Tensor::shallow_clone),
            strength: f64::from(self.job.strength),
            guidance: f64::from(self.job.guidance),
            steps: i64::from(self.job.steps),
            decoder_steps: i64::from(decoder_steps),
            seed: self.job.seeds[image],
        }
    }

    fn finished(&self) -> bool {
        self.waiting.is_empty() && self.pictures.is_empty()
    }
}

pub(super) struct Worker {
    pipeline: Pipeline,
    prior_view: LatentView,
    embedder: PreferenceEmbedder,
    no_text: Rc<TextCondition>,
    decoder_steps: u32,
    max_batch: usize,
    memory_advice: MemoryAdvice,
    active: VecDeque<Active>,
    /// Where weights wait that are not on the device all the time.
    offload: Option<Offload>,
}

impl Worker {
    pub(super) fn load(config: &EngineConfig) -> Result<(Self, ModelInfo), EngineError> {
        let folder = ModelFolder::open(&config.model_dir, config.unet_size)?;
        let device = config.device.resolve()?;
        let kind = config.dtype.resolve(device);
        let weights = match config.offload {
            true => Device::Cpu,
            false => device,
        };
        let advice = config.memory_advice;
        check_room(folder.parameters()?, kind, weights)
            .map_err(|lack| EngineError::TooLarge(lack, advice.weights))?;
        let card = folder.card()?;
        let load = || Self::load_networks(config, &folder, &card, kind, (device, weights));
        let worker = refusing(advice, load)?;
        let tokens = worker.prompt_reader().max_tokens();
        let info = super::describe(&folder, card, tokens, device_words(device, kind))?;
        Ok((worker, info))
    }

    fn load_networks(
        config: &EngineConfig,
        folder: &ModelFolder,
        card: &ModelCard,
        kind: Kind,
        (device, weights): (Device, Device),
    ) -> Result<Self, EngineError> {
        let (embedder, reading) = PreferenceEmbedder::load_apart(folder, kind, device, weights)?;
        let (pipeline, stages) = Pipeline::load_apart(folder, card, kind, device, weights)?;
        let mut offload = config.offload.then(|| {
            let stages = stages
                .iter()
                .map(|(stage, params)| (Group::Draw(*stage), params));
            Offload::new(stages.chain([(Group::Read, &reading)]), device)
        });
        if let Some(offload) = &mut offload {
            offload.bring(Group::Draw(Stage::Text));
        }
        let no_text = Rc::new(pipeline.encode_texts(&[""])?);
        Ok(Self {
            prior_view: LatentView::load(folder, &pipeline, device)?,
            pipeline,
            embedder,
            no_text,
            decoder_steps: card.decoder_steps,
            max_batch: config.max_batch.max(1),
            memory_advice: config.memory_advice,
            active: VecDeque::new(),
            offload,
        })
    }

    /// Sees to it that a group's weights are on the device.
    fn bring(&mut self, group: Group) {
        if let Some(offload) = &mut self.offload {
            offload.bring(group);
        }
    }

    pub(super) fn prompt_reader(&self) -> PromptReader {
        self.pipeline.prompt_reader()
    }

    /// Works until every handle is gone.
    pub(super) fn run(&mut self, commands: &Receiver<Command>) {
        loop {
            // Nothing under way: wait. Otherwise new jobs join at the next step.
            if self.active.is_empty() {
                match commands.recv() {
                    Ok(command) => self.take(command),
                    Err(_) => return,
                }
            }
            loop {
                match commands.try_recv() {
                    Ok(command) => self.take(command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.drop_cancelled();
            self.fill_batch();
            if let Err(refusal) = refusal::catch(|| self.step()) {
                let error = EngineError::refused(refusal, self.memory_advice);
                self.fail(&error.to_string());
            }
        }
    }

    fn take(&mut self, command: Command) {
        let advice = self.memory_advice;
        match command {
            Command::Embed(pairs, on_done) => {
                on_done(refusing(advice, || {
                    self.bring(Group::Read);
                    Ok(self.embedder.embed(&pairs)?)
                }));
            }
            Command::Generate(job, mut on_event) => match refusing(advice, || self.prepare(&job)) {
                Err(error) => on_event(GenerateEvent::Failed(error.to_string())),
                Ok((text, preference)) => self.active.push_back(Active {
                    waiting: (0..job.seeds.len()).collect(),
                    on_event,
                    job,
                    text: Rc::new(text),
                    preference,
                    pictures: Vec::new(),
                }),
            },
        }
    }

    fn prepare(
        &mut self,
        job: &GenerateJob,
    ) -> Result<(TextCondition, Option<Tensor>), EngineError> {
        self.bring(Group::Draw(Stage::Text));
        let text = self.pipeline.encode_texts(&[&job.prompt])?;
        if job.strength == 0.0 || job.taste.is_nobodys() {
            return Ok((text, None));
        }
        // Preference attention is the prior's and waits with it. Without a taste, the next prompt
        // is read before the prior is brought.
        self.bring(Group::Draw(Stage::Prior));
        let preference = match &job.taste {
            Taste::Base => None,
            Taste::Population => Some(self.adapter()?.population()),
            Taste::Blend(preferences) => self.blended(preferences)?,
        };
        Ok((text, preference))
    }

    fn adapter(&self) -> Result<&PreferenceAttention, EngineError> {
        let adapter = self.pipeline.adapter.as_ref();
        adapter.ok_or(EngineError::NoAdapter)
    }

    /// Preference tokens `[1, n, d]` of a blend.
    fn blended(
        &self,
        preferences: &[(PreferenceEmbedding, f32)],
    ) -> Result<Option<Tensor>, EngineError> {
        let adapter = self.adapter()?;
        let config = adapter.config();
        let expected = vec![config.embedding_layers, config.embedding_dim];
        let mut tokens = Vec::with_capacity(preferences.len());
        for (embedding, weight) in preferences {
            let hidden = embedding.hidden().to_device(self.pipeline.device);
            if hidden.size() != expected {
                return Err(EngineError::ForeignEmbedding {
                    found: hidden.size(),
                    expected,
                });
            }
            let projected = tch::no_grad(|| adapter.tokens(&hidden.unsqueeze(0)));
            tokens.push((projected, *weight));
        }
        Ok(blend(&tokens))
    }

    fn drop_cancelled(&mut self) {
        self.active.retain_mut(|active| {
            let cancelled = active.job.cancel.is_cancelled();
            if cancelled {
                (active.on_event)(GenerateEvent::Cancelled);
            }
            !cancelled
        });
    }

    /// Starts waiting pictures, those of the oldest job first, while the batch has places.
    fn fill_batch(&mut self) {
        let under_way: usize = self.active.iter().map(|a| a.pictures.len()).sum();
        let mut places = self.max_batch.saturating_sub(under_way);
        for active in &mut self.active {
            while places > 0 {
                let Some(image) = active.waiting.pop_front() else {
                    break;
                };
                let request = active.request(image, &self.no_text, self.decoder_steps);
                active.pictures.push(Picture {
                    image,
                    drawing: Drawing::start(&self.pipeline, request),
                    told: 0,
                });
                places -= 1;
            }
        }
    }

    /// Ends everything under way: what shared the step is in no known state.
    fn fail(&mut self, reason: &str) {
        for mut active in self.active.drain(..) {
            (active.on_event)(GenerateEvent::Failed(reason.to_owned()));
        }
    }

    fn step(&mut self) {
        let mut batch: Vec<&mut Drawing> = self
            .active
            .iter_mut()
            .flat_map(|active| {
                active
                    .pictures
                    .iter_mut()
                    .map(|picture| &mut picture.drawing)
            })
            .collect();
        if let Some(offload) = &mut self.offload {
            let stages: Vec<Stage> = batch.iter().filter_map(|d| d.stage()).collect();
            let Some(stage) = offload.next(&stages) else {
                return;
            };
            offload.bring(Group::Draw(stage));
            batch.retain(|drawing| drawing.stage() == Some(stage));
        }
        advance(&self.pipeline, &mut batch);
        for active in &mut self.active {
            let check = |picture: &Picture| picture.drawing.check();
            if let Err(error) = active.pictures.iter().try_for_each(check) {
                active.waiting.clear();
                active.pictures.clear();
                (active.on_event)(GenerateEvent::Failed(error.to_string()));
                continue;
            }
            for picture in &mut active.pictures {
                let drawing = &picture.drawing;
                if !active.job.tells_steps || drawing.step() == picture.told {
                    continue;
                }
                picture.told = drawing.step();
                (active.on_event)(GenerateEvent::Step {
                    image: picture.image,
                    step: drawing.step() as u32,
                    steps: drawing.steps() as u32,
                    preview: preview(&self.pipeline, &self.prior_view, drawing),
                });
            }
            let done = |picture: &mut Picture| picture.drawing.stage().is_none();
            for Picture { image, drawing, .. } in active.pictures.extract_if(.., done) {
                if let Some(finished) = drawing.into_finished() {
                    let picture = finished.picture;
                    (active.on_event)(GenerateEvent::Image { image, picture });
                }
            }
            if active.finished() {
                (active.on_event)(GenerateEvent::Done);
            }
        }
        self.active.retain(|active| !active.finished());
    }
}

/// What libtorch refuses in `work` is an error like any other.
fn refusing<T>(
    advice: MemoryAdvice,
    work: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    refusal::catch(work).map_err(|refusal| EngineError::refused(refusal, advice))?
}

fn device_words(device: Device, kind: Kind) -> String {
    let dtype = dtype_word(kind);
    match device {
        Device::Cuda(n) => format!("cuda:{n}, {dtype}"),
        _ => format!("cpu, {dtype}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceChoice, DtypeChoice};
    use crate::engine::CancelToken;
    use crate::weights::mini;

    #[test]
    fn the_prior_is_brought_for_a_taste_only() {
        let dir = tempfile::tempdir().unwrap();
        mini::write_random(dir.path(), 5).unwrap();
        let config = EngineConfig {
            device: DeviceChoice::Cpu,
            dtype: DtypeChoice::F32,
            offload: true,
            ..EngineConfig::new(dir.path())
        };
        let (mut worker, _) = Worker::load(&config).unwrap();
        let mut there_after = |taste, strength| {
            let job = GenerateJob {
                prompt: "a red apple".into(),
                seeds: vec![1],
                steps: 2,
                guidance: 4.0,
                taste,
                strength,
                tells_steps: false,
                cancel: CancelToken::default(),
            };
            let (_, preference) = worker.prepare(&job).unwrap();
            let resident = worker.offload.as_ref().and_then(|offload| offload.resident);
            (resident, preference.is_some())
        };
        let (text, prior) = (Group::Draw(Stage::Text), Group::Draw(Stage::Prior));
        for (taste, strength) in [
            (Taste::Base, 1.0),
            (Taste::Blend(Vec::new()), 1.0),
            (Taste::Population, 0.0),
        ] {
            let said = format!("{taste:?} at {strength}");
            assert_eq!(there_after(taste, strength), (Some(text), false), "{said}");
        }
        assert_eq!(there_after(Taste::Population, 1.0), (Some(prior), true));
    }
}
