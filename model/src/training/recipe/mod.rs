//! Puts stages together: data, networks, settings and where the results go.

mod cascade;
mod judge;
mod taste;
mod towers;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tch::{Device, Kind, Tensor};

use crate::data::artwork::Artwork;
use crate::data::split::Split;
use crate::training::pictures::PictureBank;
use crate::training::preference::Objective;
use crate::training::preset::{Preset, StageName, StageSettings};
use crate::training::{Budget, Stage, TrainError, TrainOptions, export, train};
use crate::weights::{Component, ModelFolder, Parameter, Params, WeightsError};

/// What a training run is told from outside.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The model folder that trained networks are read from and written to.
    pub model: ModelFolder,
    /// Where checkpoints, metrics and sheets go, a folder a stage.
    pub work: PathBuf,
    /// The artwork set that `data build` made.
    pub artwork: PathBuf,
    /// For which machine the stages are sized.
    pub preset: Preset,
    /// Minutes of stepping, instead of the preset's.
    pub minutes: Option<f64>,
    /// Samples a step, instead of the preset's.
    pub batch: Option<usize>,
    /// Peak learning rate, instead of the preset's.
    pub lr: Option<f64>,
    /// Prompts that the preference stage draws pictures for, instead of the preset's.
    pub prompts: Option<usize>,
    /// Simulated people that the preference stage trains on, instead of the preset's.
    pub people: Option<usize>,
    /// What the preference stage trains for.
    pub objective: Objective,
    /// A model folder whose weights networks start from.
    pub init_from: Option<ModelFolder>,
    /// Keeps the latent encoder of the model folder as it is while Stage B trains.
    pub freeze_encoder: bool,
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

/// Whether a stage came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its weights are in the model folder.
    Finished,
    /// It stopped at a checkpoint.
    Stopped,
}

impl Recipe {
    /// Runs one stage to its end, continuing from its checkpoint.
    ///
    /// # Errors
    /// When data or an earlier stage is missing, a file cannot be written, or training diverges.
    pub fn run(&self, stage: StageName) -> Result<Outcome, TrainError> {
        tch::manual_seed(self.seed as i64);
        match stage {
            StageName::Clip => self.clip(),
            StageName::Judge => self.judge(),
            StageName::StageA => self.stage_a(),
            StageName::StageB => self.stage_b(),
            StageName::StageC => self.stage_c(),
            StageName::Preference => self.preference(),
            StageName::Vlm => self.vlm(),
        }
    }

    fn settings(&self, stage: StageName) -> StageSettings {
        let preset = self.preset.settings(stage);
        StageSettings {
            minutes: self.minutes.unwrap_or(preset.minutes),
            batch: self.batch.unwrap_or(preset.batch),
            lr: self.lr.unwrap_or(preset.lr),
            ..preset
        }
    }

    fn options(&self, stage: StageName) -> TrainOptions {
        let settings = self.settings(stage);
        TrainOptions {
            dir: self.work.join(stage.as_str()),
            budget: Budget::Seconds(settings.minutes * 60.0),
            lr: settings.lr,
            warmup: 100,
            batch: settings.batch,
            seed: self.seed,
            checkpoint_every: self.checkpoint_every,
            sample_every: match self.preset {
                Preset::Cpu => 500,
                Preset::Gpu => 1000,
            },
            stop: self.stop.clone(),
            optimizer: Default::default(),
        }
    }

    fn artwork(&self) -> Result<Artwork, TrainError> {
        Artwork::open(&self.artwork).map_err(|error| {
            TrainError::Missing(format!(
                "{error}. Make the training set first: predilect data build"
            ))
        })
    }

    /// The pictures to train on, with variants, and those of held-out subjects, plain.
    fn pictures(&self, artwork: &Artwork, variants: u64) -> (PictureBank, PictureBank) {
        let train = artwork.pictures_of(Split::Train);
        let mut held_out = artwork.pictures_of(Split::HeldOut);
        // Neighbours in the set show one subject; a sheet of the first ones should not.
        held_out.sort_by_key(|&i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (
            PictureBank::draw(artwork, &train, variants, self.device),
            PictureBank::draw(artwork, &held_out, 1, self.device),
        )
    }

    /// The folder whose weights this network starts from, if it is not to start from the seed.
    fn start_of(&self, component: Component) -> Option<&ModelFolder> {
        let folder = self.init_from.as_ref();
        folder.filter(|folder| folder.component(component).exists())
    }

    /// A network to train: from `init_from` where it has one, else from the seed.
    fn network<C, N>(
        &self,
        component: Component,
        config: C,
        build: impl Fn(&Params, C) -> Result<N, WeightsError>,
    ) -> Result<(N, Params), TrainError>
    where
        C: serde::de::DeserializeOwned,
    {
        if let Some(folder) = self.start_of(component) {
            return Ok(folder.load(component, self.kind, self.device, build)?);
        }
        let params = Params::random(self.seed, self.kind, self.device);
        Ok((build(&params, config)?, params))
    }

    /// A network that an earlier stage has trained.
    fn trained<C, N>(
        &self,
        component: Component,
        stage: StageName,
        build: impl Fn(&Params, C) -> Result<N, WeightsError>,
    ) -> Result<(N, Params), TrainError>
    where
        C: serde::de::DeserializeOwned,
    {
        self.model
            .load(component, self.kind, self.device, build)
            .map_err(|error| {
                let stage = stage.as_str();
                TrainError::Missing(format!("{error}. Train it first: predilect train {stage}"))
            })
    }

    /// Trains and writes each component's part of the weights, told apart by prefix.
    fn finish(
        &self,
        stage: &mut dyn Stage,
        options: &TrainOptions,
        write: impl FnOnce(Vec<(String, Tensor)>) -> Result<(), TrainError>,
    ) -> Result<Outcome, TrainError> {
        match train(stage, options)? {
            None => Ok(Outcome::Stopped),
            Some(weights) => write(weights).map(|()| Outcome::Finished),
        }
    }

    fn export(
        &self,
        component: Component,
        config: &impl serde::Serialize,
        weights: &[(String, Tensor)],
    ) -> Result<(), TrainError> {
        let file = format!("{}.safetensors", component.stem());
        export(&self.model.component(component), config, &file, weights)
    }
}

/// Parameters that a stage leaves as they are, as they ship.
fn untrained(all: Vec<Parameter>, is_fixed: impl Fn(&str) -> bool) -> Vec<(String, Tensor)> {
    all.into_iter()
        .filter(|parameter| is_fixed(&parameter.name))
        .map(|parameter| (parameter.name, parameter.tensor.to_kind(Kind::BFloat16)))
        .collect()
}

/// The weights whose names begin with `prefix`, without it.
fn with_prefix(weights: &[(String, Tensor)], prefix: &str) -> Vec<(String, Tensor)> {
    let part = |(name, tensor): &(String, Tensor)| {
        let name = name.strip_prefix(prefix)?;
        Some((name.to_owned(), tensor.shallow_clone()))
    };
    weights.iter().filter_map(part).collect()
}
