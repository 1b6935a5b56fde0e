//! Puts stages together: data, networks, settings and where the results go.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tch::{Device, Kind, Tensor};

use super::clip::{Clip, ClipParts};
use super::judge::{JudgeStage, split_pictures};
use super::pictures::PictureBank;
use super::preference::{Objective, Preference, PreferenceParts, makes_tokens};
use super::preference_people::read_choices;
use super::preference_pool::PicturePool;
use super::preset::{self, Preset, StageName, StageSettings};
use super::stage_a::{StageA, latent_std};
use super::stage_b::{StageB, StageBParts};
use super::stage_c::{LatentBank, StageC, is_text_mapper};
use super::stage_c_text::TextToLatent;
use super::trainer::export_config;
use super::vlm::{Vlm, VlmParts};
use super::{Budget, Stage, TrainError, TrainOptions, export, train};
use crate::data::artwork::Artwork;
use crate::data::split::Split;
use crate::data::tokenizer::{IMAGE, TOKENIZER_FILE, Tokenizer};
use crate::diffusion::{DdpmWuerstchenScheduler, Noise};
use crate::evaluation::judge::Judge;
use crate::networks::clip::ClipTextModelWithProjection;
use crate::networks::latent_encoder::LatentEncoder;
use crate::networks::llava_onevision::LlavaOnevision;
use crate::networks::paella_vq::{PaellaVq, PaellaVqConfig};
use crate::networks::preference_attention::{PreferenceAttention, PreferenceAttentionConfig};
use crate::networks::previewer::{Previewer, PreviewerConfig};
use crate::networks::siglip::SiglipVisionModel;
use crate::networks::stable_cascade_unet::StableCascadeUNet;
use crate::pipeline::{Pipeline, open_tokenizer};
use crate::preference::embedding::PreferenceEmbedder;
use crate::weights::{Component, ModelFolder, Parameter, Params, WeightsError};

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

    /// The words that a training of the towers began with; a data set built anew meanwhile may
    /// have others.
    fn words_of_towers(&self) -> Result<PathBuf, TrainError> {
        let kept = self
            .work
            .join(StageName::Clip.as_str())
            .join(TOKENIZER_FILE);
        if !kept.exists() {
            let newest = self.artwork.join(TOKENIZER_FILE);
            if !newest.exists() {
                return Err(TrainError::Missing(format!(
                    "{} is not there. Make the training set first: predilect data build",
                    newest.display()
                )));
            }
            copy(&newest, &kept)?;
        }
        Ok(kept)
    }

    fn clip(&self) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Clip);
        let words = self.words_of_towers()?;
        let tokenizer = read_words(&words)?;
        let (text, text_params) = self.network(
            Component::TextEncoder,
            preset::text_encoder(tokenizer.vocabulary_size() as i64),
            ClipTextModelWithProjection::new,
        )?;
        let (image, image_params) = self.network(
            Component::ImageEncoder,
            preset::image_encoder(),
            SiglipVisionModel::new,
        )?;
        let (text_config, image_config) = (text.config().clone(), image.config().clone());
        let artwork = self.artwork()?;
        let (train, held_out) = self.pictures(&artwork, settings.variants);
        let mut stage = Clip::new(ClipParts {
            text,
            text_params,
            image,
            image_params,
            tokenizer,
            artwork,
            train,
            held_out,
            batch: settings.batch,
        })?;
        self.finish(&mut stage, &self.options(StageName::Clip), |weights| {
            let part = |prefix| with_prefix(&weights, prefix);
            copy(&words, &self.model.tokenizer())?;
            self.export(
                Component::ImageEncoder,
                &image_config,
                &part("image_encoder/"),
            )?;
            self.export(Component::TextEncoder, &text_config, &part("text_encoder/"))
        })
    }

    fn vlm(&self) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Vlm);
        let tokenizer = read_words(&self.model.tokenizer())?;
        let image = tokenizer.id(IMAGE).ok_or_else(|| {
            TrainError::Missing(format!("the model's tokenizer has no token {IMAGE}"))
        })?;
        let (model, params) = self.network(
            Component::Vlm,
            preset::vlm(tokenizer.vocabulary_size() as i64, image),
            LlavaOnevision::new,
        )?;
        let (_, tower) = self.trained(
            Component::ImageEncoder,
            StageName::Clip,
            SiglipVisionModel::new,
        )?;
        take_tower(&params, &tower)?;
        let config = model.config().clone();
        let artwork = self.artwork()?;
        // Taste shows in few subjects as well as in many, and each picture's features are kept.
        let some = |split| {
            let mut pictures = artwork.pictures_of(split);
            pictures.retain(|&i| artwork.picture(i).subject % VLM_SUBJECTS_STRIDE == 0);
            pictures
        };
        let draw =
            |split| PictureBank::draw(&artwork, &some(split), settings.variants, self.device);
        let (train, held_out) = (draw(Split::Train), draw(Split::HeldOut));
        let fixed = untrained(params.taken(), |name| name.starts_with(TOWER));
        let mut stage = Vlm::new(VlmParts {
            model,
            params,
            tokenizer,
            artwork,
            train,
            held_out,
            batch: settings.batch,
        })?;
        self.finish(&mut stage, &self.options(StageName::Vlm), |weights| {
            let mut all = with_prefix(&weights, "vlm/");
            all.extend(fixed);
            self.export(Component::Vlm, &config, &all)
        })
    }

    fn judge(&self) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Judge);
        let artwork = self.artwork()?;
        let config = preset::judge(&artwork);
        // A seed of its own, and never another model's weights: the judge stays apart.
        let params = Params::random(self.seed ^ JUDGE_SEED, self.kind, self.device);
        let judge = Judge::new(&params, config.clone())?;
        let (train, mut held_out) = split_pictures(&artwork);
        // Neighbours in the set show one subject; the measured part should not be a few subjects.
        held_out.sort_by_key(|&i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let train = PictureBank::draw(&artwork, &train, settings.variants, self.device);
        let held_out = PictureBank::draw(&artwork, &held_out, 1, self.device);
        let mut stage = JudgeStage {
            judge,
            params,
            artwork,
            train,
            held_out,
            batch: settings.batch,
        };
        self.finish(&mut stage, &self.options(StageName::Judge), |weights| {
            self.export(Component::Judge, &config, &weights)
        })
    }

    fn stage_a(&self) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::StageA);
        let (network, params) = self.network(Component::Vqgan, preset::stage_a(), PaellaVq::new)?;
        let (train, held_out) = self.pictures(&self.artwork()?, settings.variants);
        let config = network.config().clone();
        let mut stage = StageA {
            network,
            params,
            train,
            held_out,
            batch: settings.batch,
        };
        let outcome = self.finish(&mut stage, &self.options(StageName::StageA), |weights| {
            self.export(Component::Vqgan, &config, &weights)
        })?;
        if outcome == Outcome::Finished {
            // Stage B's latents are to have unit variance, as its noise has.
            let (trained, _) = self.trained(Component::Vqgan, StageName::StageA, PaellaVq::new)?;
            let scale_factor = latent_std(&trained, &stage.train, self.kind);
            let scaled = PaellaVqConfig {
                scale_factor,
                ..config
            };
            export_config(&self.model.component(Component::Vqgan), &scaled)?;
        }
        Ok(outcome)
    }

    fn stage_b(&self) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::StageB);
        let (autoencoder, _) = self.trained(Component::Vqgan, StageName::StageA, PaellaVq::new)?;
        let (decoder, decoder_params) = self.network(
            Component::Decoder,
            preset::stage_b(),
            StableCascadeUNet::new,
        )?;
        let (encoder, encoder_params) = if self.freeze_encoder {
            let stage = StageName::StageB;
            let (network, _) = self.trained(Component::LatentEncoder, stage, LatentEncoder::new)?;
            (network, None)
        } else {
            let config = preset::latent_encoder();
            let (network, params) =
                self.network(Component::LatentEncoder, config, LatentEncoder::new)?;
            (network, Some(params))
        };
        let (train, held_out) = self.pictures(&self.artwork()?, settings.variants);
        let (decoder_config, encoder_config) = (decoder.config().clone(), encoder.config().clone());
        let mut stage = StageB::new(StageBParts {
            decoder,
            decoder_params,
            encoder,
            encoder_params,
            autoencoder,
            scheduler: DdpmWuerstchenScheduler::new(preset::schedule()),
            train,
            held_out,
            batch: settings.batch,
        });
        let outcome = self.finish(&mut stage, &self.options(StageName::StageB), |weights| {
            self.export(
                Component::Decoder,
                &decoder_config,
                &with_prefix(&weights, "decoder/"),
            )?;
            let encoder = with_prefix(&weights, "latent_encoder/");
            if !encoder.is_empty() {
                self.export(Component::LatentEncoder, &encoder_config, &encoder)?;
            }
            Ok(())
        })?;
        if outcome == Outcome::Finished {
            self.previewer(stage.train_pictures())?;
        }
        Ok(outcome)
    }

    /// Fits the previews to the trained encoder and writes what says how to use the model.
    fn previewer(&self, pictures: &PictureBank) -> Result<(), TrainError> {
        let stage = StageName::StageB;
        let (encoder, _) = self.trained(Component::LatentEncoder, stage, LatentEncoder::new)?;
        let config = PreviewerConfig {
            latent_channels: encoder.config().latent_channels,
            patch_size: 8,
        };
        let rows: Vec<usize> = (0..pictures.len())
            .step_by(pictures.len().div_ceil(2048))
            .collect();
        let (mut latents, mut shown) = (Vec::new(), Vec::new());
        for rows in rows.chunks(64) {
            let pictures = pictures.batch(rows, self.kind);
            let encoded = tch::no_grad(|| encoder.encode(&pictures, false));
            latents.push(encoded.to_kind(Kind::Float));
            shown.push(pictures.to_kind(Kind::Float));
        }
        let weight = Previewer::fit(&config, &Tensor::cat(&latents, 0), &Tensor::cat(&shown, 0));
        self.export(
            Component::Previewer,
            &config,
            &[("weight".to_owned(), weight)],
        )?;
        let schedule = preset::schedule();
        Ok(self.model.write_card(&preset::card(), &schedule)?)
    }

    fn stage_c(&self) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::StageC);
        let b = StageName::StageB;
        let text = ClipTextModelWithProjection::new;
        // A prior to start from comes with the text encoder that it listens to.
        let known = self
            .start_of(Component::Prior)
            .and(self.start_of(Component::TextEncoder));
        let text_is_known = known.is_some();
        let (text_encoder, text_params) = match known {
            Some(folder) => folder.load(Component::TextEncoder, self.kind, self.device, text)?,
            None => self.trained(Component::TextEncoder, StageName::Clip, text)?,
        };
        let text_config = text_encoder.config().clone();
        let (vqgan, _) = self.trained(Component::Vqgan, StageName::StageA, PaellaVq::new)?;
        let (decoder, _) = self.trained(Component::Decoder, b, StableCascadeUNet::new)?;
        let (encoder, _) = self.trained(Component::LatentEncoder, b, LatentEncoder::new)?;
        let (prior, prior_params) =
            self.network(Component::Prior, preset::stage_c(), StableCascadeUNet::new)?;
        let config = prior.config().clone();
        let schedule = preset::schedule();
        let pipeline = Pipeline {
            tokenizer: open_tokenizer(&self.model)?,
            text_encoder,
            prior,
            adapter: None,
            decoder,
            vqgan,
            prior_scheduler: DdpmWuerstchenScheduler::new(schedule.clone()),
            decoder_scheduler: DdpmWuerstchenScheduler::new(schedule),
            sizes: preset::sizes().latents(),
            prompt: preset::card().prompt,
            kind: self.kind,
            device: self.device,
        };
        let artwork = self.artwork()?;
        let (pictures, _) = self.pictures(&artwork, settings.variants);
        let latents = LatentBank::encode(&encoder, &pictures, self.kind);
        drop(pictures);
        let all = prior_params.taken();
        let mut stage = StageC::new(
            pipeline,
            prior_params,
            text_params,
            artwork,
            latents,
            settings.batch,
        );
        let mut options = self.options(StageName::StageC);
        if !text_is_known {
            let part = |share| Budget::Seconds(settings.minutes * 60.0 * share);
            options.budget = part(1.0 - TEXT_SHARE);
            let options = TrainOptions {
                dir: options.dir.join("text"),
                budget: part(TEXT_SHARE),
                ..options.clone()
            };
            let Some(weights) = train(&mut TextToLatent::new(&stage, self.seed)?, &options)? else {
                return Ok(Outcome::Stopped);
            };
            take(&stage.text_params, &with_prefix(&weights, "text_encoder/"));
            stage.whiten_text();
        }
        let text_encoder = untrained(stage.text_params.taken(), |_| true);
        let fixed = untrained(all, is_text_mapper);
        self.finish(&mut stage, &options, |mut weights| {
            weights.extend(fixed);
            self.export(Component::Prior, &config, &weights)?;
            self.export(Component::TextEncoder, &text_config, &text_encoder)
        })
    }

    fn preference(&self) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Preference);
        let card = self.model.card()?;
        let mut pipeline = Pipeline::load(&self.model, &card, self.kind, self.device)?;
        let embedder = PreferenceEmbedder::load(&self.model, self.kind, self.device)?;
        let artwork = self.artwork()?;
        let mut size = preset::pool(self.preset);
        size.prompts = self.prompts.unwrap_or(size.prompts);
        let people_count = self.people.unwrap_or(preset::people(self.preset));
        let prompts = self.prompts(&artwork, size.prompts);
        let work = self.work.join(StageName::Preference.as_str());
        let file = work.join("pool.safetensors");
        let Some(drawn) = PicturePool::draw(&pipeline, prompts, size, &file, &self.stop)? else {
            return Ok(Outcome::Stopped);
        };
        let (encoder, _) = self.trained(
            Component::LatentEncoder,
            StageName::StageB,
            LatentEncoder::new,
        )?;
        let mut noise = Noise::new(self.seed);
        let place = (self.kind, self.device);
        let real = PicturePool::of_artwork(&artwork, &encoder, size, &mut noise, place)?;
        let pool = drawn.join(real);
        let read = |split, count| {
            read_choices(
                &pool.choices,
                &embedder,
                (self.seed, split),
                count,
                &self.stop,
            )
        };
        let Some(people) = read(Split::Train, people_count)? else {
            return Ok(Outcome::Stopped);
        };
        let Some(held_out) = read(Split::HeldOut, MEASURED_PEOPLE.min(people_count))? else {
            return Ok(Outcome::Stopped);
        };
        let hidden = people[0].hidden.size();
        let config = PreferenceAttentionConfig {
            embedding_layers: hidden[0],
            embedding_dim: hidden[1],
            token_dim: preset::PREFERENCE_TOKEN_DIM,
        };
        let blocks = pipeline.prior.attention_blocks().to_vec();
        let build = |p: &_, c: _| PreferenceAttention::new(p, c, &blocks);
        let component = Component::PreferenceAdapter;
        let (adapter, adapter_params) = self.network(component, config, build)?;
        let config = adapter.config().clone();
        pipeline.adapter = Some(adapter);
        let all = adapter_params.taken();
        let mut stage = Preference::new(PreferenceParts {
            pipeline,
            adapter_params,
            pool,
            people,
            held_out,
            objective: self.objective,
            beta: preset::DPO_BETA,
            batch: settings.batch,
        })?;
        if self.start_of(component).is_none() {
            stage.whiten_tokens();
        }
        let fixed = untrained(all, makes_tokens);
        let options = self.options(StageName::Preference);
        self.finish(&mut stage, &options, |mut weights| {
            weights.extend(fixed);
            self.export(component, &config, &weights)
        })
    }

    /// Labels of training subjects, each at most once, in an order of the seed's.
    fn prompts(&self, artwork: &Artwork, count: usize) -> Vec<String> {
        let mut labels: Vec<String> = artwork
            .subjects()
            .iter()
            .filter(|subject| subject.split == Split::Train)
            .map(|subject| subject.label.clone())
            .collect();
        labels.sort();
        labels.dedup();
        let mut noise = Noise::new(self.seed);
        for i in (1..labels.len()).rev() {
            labels.swap(i, noise.below(i + 1));
        }
        labels.truncate(count);
        labels
    }
}

/// Sets parameters to trained weights of the same names.
fn take(params: &Params, weights: &[(String, Tensor)]) {
    for mut parameter in params.taken() {
        let mut found = weights.iter();
        let (_, trained) = found
            .find(|(name, _)| *name == parameter.name)
            .expect("a training returns what it was given");
        tch::no_grad(|| parameter.tensor.copy_(trained));
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

fn read_words(path: &Path) -> Result<Tokenizer, TrainError> {
    Tokenizer::open(path).map_err(|error| {
        TrainError::Missing(format!(
            "{error}. Train the towers first: predilect train clip"
        ))
    })
}

/// Copies a file, making the folder that it goes to.
fn copy(from: &Path, to: &Path) -> Result<(), TrainError> {
    let copied = match to.parent() {
        Some(folder) => std::fs::create_dir_all(folder).and_then(|()| std::fs::copy(from, to)),
        None => std::fs::copy(from, to),
    };
    copied.map(|_| ()).map_err(|source| TrainError::Io {
        path: to.into(),
        source,
    })
}

/// Share of Stage C's minutes in which the text encoder learns which latents a caption stands for.
const TEXT_SHARE: f64 = 0.15;

/// Most people that the preference stage is measured on.
const MEASURED_PEOPLE: usize = 16;

/// One subject in this many is shown to the vision-language model.
const VLM_SUBJECTS_STRIDE: usize = 4;

/// Where the vision tower's names begin in the vision-language model.
const TOWER: &str = "vision_tower.";

/// Copies the image tower that was trained with the captions into the vision-language model.
fn take_tower(vlm: &Params, tower: &Params) -> Result<(), TrainError> {
    let trained = tower.taken();
    for mut parameter in vlm.taken() {
        let Some(name) = parameter.name.strip_prefix(TOWER) else {
            continue;
        };
        let source = trained.iter().find(|trained| trained.name == name);
        let source = source.ok_or_else(|| {
            TrainError::Missing(format!(
                "the image encoder has no tensor `{name}` for the VLM"
            ))
        })?;
        let tensor = match name == POSITIONS {
            true => stretched(&source.tensor, parameter.tensor.size()[0]),
            false => source.tensor.shallow_clone(),
        };
        tch::no_grad(|| parameter.tensor.copy_(&tensor));
    }
    Ok(())
}

/// The position embeddings of the image tower.
const POSITIONS: &str = "embeddings.position_embedding.weight";

/// Position embeddings `[n², c]` of a square grid, bicubically stretched to `count` of another.
fn stretched(positions: &Tensor, count: i64) -> Tensor {
    let (from, channels) = (positions.size()[0], positions.size()[1]);
    let side = |count: i64| (count as f64).sqrt().round() as i64;
    let grid = positions
        .to_kind(Kind::Float)
        .view([1, side(from), side(from), channels]);
    grid.permute([0, 3, 1, 2])
        .upsample_bicubic2d([side(count), side(count)], false, None, None)
        .flatten(2, 3)
        .squeeze_dim(0)
        .tr()
}
