//! Puts stages together: data, networks, settings and where the results go.

mod cascade;
mod judge;
mod standing;
mod taste;
mod towers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tch::{Device, Kind, Tensor};

use crate::data::artwork::Artwork;
use crate::data::split::Split;
use crate::refusal;
use crate::training::pictures::PictureBank;
use crate::training::preference::Objective;
use crate::training::preset::{Preset, StageName, StageSettings};
use crate::training::trainer::{CONFIG_FILE, check, remove};
use crate::training::{Budget, Stage, TrainError, TrainOptions, export, train};
use crate::weights::{Component, ModelFolder, Params, WeightsError};

/// Sets the judge's random start apart from all other networks'.
const JUDGE_SEED: u64 = 0x006a_7564_6765;

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
    /// Minutes of stepping of each stage, instead of the preset's.
    pub minutes: Option<f64>,
    /// Minutes of stepping of all stages together, of which each has the share that the preset
    /// gives it; `minutes` goes before.
    pub budget: Option<f64>,
    /// Samples a step, instead of the preset's.
    pub batch: Option<usize>,
    /// Peak learning rate, instead of the preset's.
    pub lr: Option<f64>,
    /// Prompts that the vlm and preference stages draw pictures for, instead of the preset's.
    pub prompts: Option<usize>,
    /// Pictures that they draw of each prompt, instead of the preset's; two or more.
    pub seeds: Option<usize>,
    /// Simulated people that the preference stage trains on, instead of the preset's.
    pub people: Option<usize>,
    /// What the preference stage trains for.
    pub objective: Objective,
    /// β of the preference stage's DPO, instead of the preset's: a smaller one goes farther from
    /// the base model.
    pub beta: Option<f64>,
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
    /// They were there already, from the same training.
    FinishedBefore,
    /// It stopped at a checkpoint.
    Stopped,
}

impl Recipe {
    /// Runs one stage to its end, continuing from its checkpoint. A stage that came to its end
    /// before is left as it is.
    ///
    /// # Errors
    /// When data, an earlier stage or the weights to start from are missing, the checkpoint is of
    /// another training, a file cannot be written, libtorch refuses something, or training
    /// diverges.
    pub fn run(&self, stage: StageName) -> Result<Outcome, TrainError> {
        refusal::catch_torch(|| self.run_stage(stage))?
    }

    fn run_stage(&self, stage: StageName) -> Result<Outcome, TrainError> {
        tch::manual_seed(self.seed as i64);
        self.check(&[stage])?;
        let options = self.options(stage)?;
        if self.has_finished(stage, &options)? {
            return Ok(Outcome::FinishedBefore);
        }
        check(&options)?;
        let outcome = match stage {
            StageName::Clip => self.clip(&options),
            StageName::Judge => self.judge(&options),
            StageName::StageA => self.stage_a(&options),
            StageName::StageB => self.stage_b(&options),
            StageName::StageC => self.stage_c(&options),
            StageName::Preference => self.preference(&options),
            StageName::Vlm => self.vlm(&options),
        }?;
        if outcome == Outcome::Finished {
            self.set_finished(stage, &options)?;
        }
        Ok(outcome)
    }

    /// Refuses, before the first of these stages begins, what would come to nothing hours later:
    /// weights to start from that are not there or would be overwritten, and a stage to train that
    /// later ones have learned from.
    ///
    /// # Errors
    /// In words what is wrong and what to do.
    pub fn check(&self, stages: &[StageName]) -> Result<(), TrainError> {
        self.check_start()?;
        stages.iter().try_for_each(|&stage| self.check_later(stage))
    }

    fn check_start(&self) -> Result<(), TrainError> {
        let Some(folder) = &self.init_from else {
            return Ok(());
        };
        folder.card().map_err(|error| {
            TrainError::Missing(format!(
                "--init-from takes a folder with the model.json of a trained model: {error}"
            ))
        })?;
        let [start, model] = [folder, &self.model].map(|folder| folder.path().canonicalize().ok());
        if start == model {
            return Err(TrainError::Missing(format!(
                "--init-from and --model are one folder, {}: a stage replaces what it started from \
                 and could not be continued. Name another --model, or start from a copy",
                folder.path().display()
            )));
        }
        Ok(())
    }

    fn settings(&self, stage: StageName) -> StageSettings {
        let preset = self.preset.settings(stage);
        let shared = self
            .budget
            .map(|budget| budget * preset.minutes / self.preset.minutes());
        StageSettings {
            minutes: self.minutes.or(shared).unwrap_or(preset.minutes),
            batch: self.batch.unwrap_or(preset.batch),
            lr: self.lr.unwrap_or(preset.lr),
            ..preset
        }
    }

    fn options(&self, stage: StageName) -> Result<TrainOptions, TrainError> {
        let settings = self.settings(stage);
        let share = match stage {
            StageName::StageC => self.prior_share(),
            _ => 1.0,
        };
        Ok(TrainOptions {
            dir: self.work.join(stage.as_str()),
            budget: Budget::Seconds(settings.minutes * 60.0 * share),
            lr: settings.lr,
            warmup: 100,
            batch: settings.batch,
            seed: self.seed,
            identity: self.identity(stage)?,
            checkpoint_every: self.checkpoint_every,
            sample_every: match self.preset {
                Preset::Cpu => 500,
                Preset::Gpu => 1000,
            },
            stop: self.stop.clone(),
            optimizer: Default::default(),
        })
    }

    /// The folder of the two towers as clip trained them: the text encoder that Stage C trains on
    /// is another one.
    fn towers(&self) -> ModelFolder {
        towers_in(&self.model)
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
        self.network_from(self.start_of(component), component, config, build)
    }

    /// A network to train: from this folder, or from the seed.
    fn network_from<C, N>(
        &self,
        start: Option<&ModelFolder>,
        component: Component,
        config: C,
        build: impl Fn(&Params, C) -> Result<N, WeightsError>,
    ) -> Result<(N, Params), TrainError>
    where
        C: serde::de::DeserializeOwned,
    {
        say_start(component, start);
        if let Some(folder) = start {
            return Ok(folder.load(component, self.kind, self.device, build)?);
        }
        let seed = match component {
            Component::Judge => self.seed ^ JUDGE_SEED,
            _ => self.seed,
        };
        let params = Params::random(seed, self.kind, self.device);
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
        let folder = match stage {
            StageName::Clip => &self.towers(),
            _ => &self.model,
        };
        folder
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
        export_to(&self.model, component, config, weights)
    }
}

/// Removes networks that belong together from a folder before new ones are written: whatever moment
/// a kill comes at, none is left beside another's.
fn clear(folder: &ModelFolder, components: &[Component]) -> Result<(), TrainError> {
    use std::io::ErrorKind::{DirectoryNotEmpty, NotADirectory, NotFound};
    for &component in components {
        let dir = folder.component(component);
        remove(&dir.join(CONFIG_FILE))?;
        remove(&folder.weights_file(component))?;
        // What somebody else keeps there stays, and a link to a folder elsewhere.
        match std::fs::remove_dir(&dir).map_err(|error| error.kind()) {
            Ok(()) | Err(NotFound | NotADirectory | DirectoryNotEmpty) => {}
            Err(kind) => return Err(TrainError::io(dir)(kind.into())),
        }
    }
    Ok(())
}

fn export_to(
    folder: &ModelFolder,
    component: Component,
    config: &impl serde::Serialize,
    weights: &[(String, Tensor)],
) -> Result<(), TrainError> {
    let file = format!("{}.safetensors", component.stem());
    export(&folder.component(component), config, &file, weights)
}

/// Where the towers of clip and their words are in a model folder.
fn towers_in(folder: &ModelFolder) -> ModelFolder {
    ModelFolder::new(folder.path().join("clip"))
}

/// Says what the weights of a network to train start from.
fn say_start(component: Component, start: Option<&ModelFolder>) {
    match start {
        Some(folder) => eprintln!("{}: from {}", component.folder(), folder.path().display()),
        None => eprintln!("{}: from the seed", component.folder()),
    }
}

/// Copies a file, making the folder that it goes to.
fn copy(from: &Path, to: &Path) -> Result<(), TrainError> {
    let copied = match to.parent() {
        Some(folder) => std::fs::create_dir_all(folder).and_then(|()| std::fs::copy(from, to)),
        None => std::fs::copy(from, to),
    };
    copied.map(|_| ()).map_err(TrainError::io(to))
}

/// Whether two files have the same bytes.
fn same_content(a: &Path, b: &Path) -> Result<bool, TrainError> {
    let read = |path: &Path| std::fs::read(path).map_err(TrainError::io(path));
    Ok(read(a)? == read(b)?)
}

/// The weights whose names begin with `prefix`, without it.
fn with_prefix(weights: &[(String, Tensor)], prefix: &str) -> Vec<(String, Tensor)> {
    let part = |(name, tensor): &(String, Tensor)| {
        let name = name.strip_prefix(prefix)?;
        Some((name.to_owned(), tensor.shallow_clone()))
    };
    weights.iter().filter_map(part).collect()
}
