//! Preference attention for the published models (PPD, arXiv 2501.06655). They are large, trained
//! already, and come without what the mini's stages have: an artwork set and its latent encoder.
//! So people choose between the model's own pictures alone, whose latents are those that they were
//! drawn from.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tch::{Device, Kind};

use super::identity::{Identity, digest};
use super::preference::{Objective, Preference, PreferenceParts};
use super::preference_people::{EmbeddedPerson, read_choices};
use super::preference_pool::{PicturePool, PoolSize};
use super::{Budget, Outcome, TrainError, TrainOptions, export, train};
use crate::data::split::Split;
use crate::memory::check_room;
use crate::networks::preference_attention::{PreferenceAttention, PreferenceAttentionConfig};
use crate::pipeline::Pipeline;
use crate::preference::embedding::PreferenceEmbedder;
use crate::refusal;
use crate::shim;
use crate::weights::{Component, ModelCard, ModelFolder, Params};

/// DPO's β; the published ones are 2000 to 5000.
const BETA: f64 = 2000.0;
/// People that it is measured on: somebody and their opposite.
const MEASURED: usize = 2;
/// Prompts that it is measured on: a picture takes seconds.
const MEASURED_PROMPTS: usize = 4;

/// What a training is told from outside.
#[derive(Debug, Clone)]
pub struct PublishedTraining {
    /// The folder of the published models.
    pub model: ModelFolder,
    /// Where the adapter goes; its place in the model's folder where not said.
    pub out: Option<PathBuf>,
    /// Where drawn pictures, checkpoints, metrics and sheets go.
    pub work: PathBuf,
    /// What pictures are drawn of; at least one.
    pub prompts: Vec<String>,
    /// Pictures of each of them; two or more.
    pub seeds: usize,
    /// Simulated people to train on.
    pub people: usize,
    /// What it trains for.
    pub objective: Objective,
    /// β of DPO.
    pub beta: f64,
    /// Minutes of stepping.
    pub minutes: f64,
    /// Pairs a step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Everything random follows from it.
    pub seed: u64,
    /// Where the networks compute.
    pub device: Device,
    /// What the networks compute in; masters and moments are f32 always.
    pub kind: Kind,
    /// Ends the run at a checkpoint when set.
    pub stop: Arc<AtomicBool>,
}

impl PublishedTraining {
    /// Hours on a large GPU: a step and learning rate as PPD's for the memory of one device.
    pub fn new(model: ModelFolder, work: PathBuf, prompts: Vec<String>) -> Self {
        Self {
            model,
            out: None,
            work,
            prompts,
            people: 200,
            objective: Objective::DpoSft,
            beta: BETA,
            seeds: 4,
            minutes: 120.0,
            batch: 4,
            lr: 1e-5,
            checkpoint_every: Duration::from_secs(600),
            seed: 0,
            device: Device::Cpu,
            kind: Kind::BFloat16,
            stop: Arc::default(),
        }
    }

    /// Draws pictures, lets people choose, reads their choices, and trains, each continued where
    /// it was stopped. What draws and what reads are in memory one after the other.
    ///
    /// # Errors
    /// When a network is missing or has no room, a file cannot be written, libtorch refuses
    /// something, or training diverges.
    pub fn run(&self) -> Result<Outcome, TrainError> {
        refusal::catch_torch(|| self.run_here())?
    }

    fn run_here(&self) -> Result<Outcome, TrainError> {
        tch::manual_seed(self.seed as i64);
        if let Some(hub) = self.model.hub() {
            // Before anything is drawn that nobody could read.
            hub.vlm()?;
        }
        let drawing = self.model.parameters_of_all(&Component::DRAWING)?;
        let reading = self.model.parameters_of(Component::Vlm)?;
        check_room(drawing.max(reading), self.kind, self.device)?;
        let card = self.model.card()?;
        let Some(pool) = self.pool(&card)? else {
            return Ok(Outcome::Stopped);
        };
        let Some([people, held_out]) = self.people(&pool)? else {
            return Ok(Outcome::Stopped);
        };
        let mut pipeline = self.pipeline(&card)?;
        let hidden = people[0].hidden.size();
        let config = PreferenceAttentionConfig {
            embedding_layers: hidden[0],
            embedding_dim: hidden[1],
            // As wide as the prior's other conditions.
            token_dim: pipeline.prior.config().conditioning_dim,
            trained_for: Some(card.name.clone()),
        };
        let params = Params::random(self.seed, self.kind, self.device);
        let blocks = pipeline.prior.attention_blocks();
        let adapter = PreferenceAttention::new(&params, config.clone(), blocks)?;
        pipeline.adapter = Some(adapter);
        eprintln!(
            "preference: an adapter of {} parameters, tokens of {}",
            params.count(),
            config.token_dim
        );
        let mut stage = Preference::new(PreferenceParts {
            pipeline,
            adapter_params: params,
            pool,
            people,
            held_out,
            objective: self.objective,
            beta: self.beta,
            batch: self.batch,
            measured_prompts: MEASURED_PROMPTS,
        })?;
        stage.whiten_tokens();
        let Some(weights) = train(&mut stage, &self.options()?)? else {
            return Ok(Outcome::Stopped);
        };
        let component = Component::PreferenceAdapter;
        let own = self.model.component(component);
        let file = format!("{}.safetensors", component.stem());
        export(self.out.as_ref().unwrap_or(&own), &config, &file, &weights)?;
        Ok(Outcome::Finished)
    }

    /// What draws, without the adapter of an earlier training.
    fn pipeline(&self, card: &ModelCard) -> Result<Pipeline, TrainError> {
        // What was there before is in pieces of other sizes.
        shim::empty_cache();
        Ok(Pipeline::load_base(
            &self.model,
            card,
            self.kind,
            self.device,
        )?)
    }

    /// The pictures to choose between; `None` when the run was stopped meanwhile.
    fn pool(&self, card: &ModelCard) -> Result<Option<PicturePool>, TrainError> {
        let pipeline = self.pipeline(card)?;
        let size = PoolSize {
            prompts: self.prompts.len(),
            seeds: self.seeds,
            steps: i64::from(card.default_steps),
            decoder_steps: i64::from(card.decoder_steps),
            guidance: f64::from(card.default_guidance),
        };
        let weights = self.model.drawing_hash()?;
        PicturePool::draw(
            (&pipeline, weights.as_str()),
            self.prompts.clone(),
            size,
            &self.work.join("drawn"),
            &self.stop,
        )
    }

    /// People to train on and to measure on; `None` when the run was stopped meanwhile.
    fn people(&self, pool: &PicturePool) -> Result<Option<[Vec<EmbeddedPerson>; 2]>, TrainError> {
        shim::empty_cache();
        let embedder = PreferenceEmbedder::load(&self.model, self.kind, self.device)?;
        let weights = self.model.hash_of(|c| c == Component::Vlm)?;
        let read = |split, count, name: &str| {
            read_choices(
                &pool.choices,
                (&embedder, &weights),
                (self.seed, split),
                count,
                &self.dir().join("people").join(name),
                &self.stop,
            )
        };
        let Some(people) = read(Split::Train, self.people, "train")? else {
            return Ok(None);
        };
        let held_out = read(Split::HeldOut, MEASURED, "held-out")?;
        Ok(held_out.map(|held_out| [people, held_out]))
    }

    fn dir(&self) -> PathBuf {
        self.work.join("preference")
    }

    fn options(&self) -> Result<TrainOptions, TrainError> {
        Ok(TrainOptions {
            dir: self.dir(),
            budget: Budget::Seconds(self.minutes * 60.0),
            lr: self.lr,
            warmup: 100,
            batch: self.batch,
            seed: self.seed,
            identity: self.identity()?,
            checkpoint_every: self.checkpoint_every,
            sample_every: 500,
            stop: self.stop.clone(),
            optimizer: Default::default(),
        })
    }

    /// What this training follows from.
    fn identity(&self) -> Result<Identity, TrainError> {
        let uses =
            |component| component == Component::Vlm || Component::DRAWING.contains(&component);
        let origin = [
            ("--seed", self.seed.to_string()),
            ("--objective", self.objective.as_str().to_owned()),
            ("--beta", self.beta.to_string()),
            ("--people", self.people.to_string()),
            ("--seeds", self.seeds.to_string()),
            ("model", self.model.hash_of(uses)?),
            ("list of prompts", digest(self.prompts.join("\n"))),
        ];
        let pace = [
            ("--batch", self.batch.to_string()),
            ("--lr", self.lr.to_string()),
        ];
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        Ok(Identity {
            origin: origin.into_iter().map(owned).collect(),
            pace: pace.into_iter().map(owned).collect(),
        })
    }
}
