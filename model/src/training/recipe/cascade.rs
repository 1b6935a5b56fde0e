//! The stages of Stable Cascade: A, B and C.

use tch::{Kind, Tensor};

use super::{Outcome, Recipe, clear, copy, same_content, say_start, with_prefix};
use crate::diffusion::DdpmWuerstchenScheduler;
use crate::networks::clip::ClipTextModelWithProjection;
use crate::networks::latent_encoder::LatentEncoder;
use crate::networks::paella_vq::{PaellaVq, PaellaVqConfig};
use crate::networks::previewer::{Previewer, PreviewerConfig};
use crate::networks::stable_cascade_unet::StableCascadeUNet;
use crate::pipeline::{Pipeline, open_tokenizer};
use crate::training::captioned_latents::CaptionedLatents;
use crate::training::identity::{Identity, Settings};
use crate::training::pictures::PictureBank;
use crate::training::preset::{self, StageName};
use crate::training::stage_a::{StageA, latent_std};
use crate::training::stage_b::{StageB, StageBParts};
use crate::training::stage_c::{StageC, TEXT_ENCODER};
use crate::training::stage_c_text::TextToLatent;
use crate::training::trainer::CHECKPOINT_FILE;
use crate::training::{Budget, TrainError, TrainOptions, train};
use crate::weights::{Component, ModelFolder, Params};

/// Share of Stage C's minutes in which the text encoder learns which latents a caption stands for.
const TEXT_SHARE: f64 = 0.15;
/// Where that part keeps its checkpoint, in the folder of Stage C.
pub(super) const TEXT_DIR: &str = "text";

impl Recipe {
    pub(super) fn stage_a(&self, options: &TrainOptions) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::StageA);
        let (network, params) = self.network(Component::Vqgan, preset::stage_a(), PaellaVq::new)?;
        let (bank, held_out) = self.pictures(&self.artwork()?, settings.variants);
        let config = network.config().clone();
        let mut stage = StageA {
            network,
            params,
            train: bank,
            held_out,
            batch: settings.batch,
        };
        let Some(weights) = train(&mut stage, options)? else {
            return Ok(Outcome::Stopped);
        };
        // Measured on what ships: Stage B's latents are to have unit variance, as its noise has.
        take(&stage.params, &weights);
        let scaled = PaellaVqConfig {
            scale_factor: latent_std(&stage.network, &stage.train, self.kind),
            ..config
        };
        self.clear_superseded(StageName::StageA)?;
        self.export(Component::Vqgan, &scaled, &weights)?;
        Ok(Outcome::Finished)
    }

    pub(super) fn stage_b(&self, options: &TrainOptions) -> Result<Outcome, TrainError> {
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
        let outcome = self.finish(&mut stage, options, |weights| {
            let encoder = with_prefix(&weights, "latent_encoder/");
            self.clear_superseded(StageName::StageB)?;
            self.export(
                Component::Decoder,
                &decoder_config,
                &with_prefix(&weights, "decoder/"),
            )?;
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

    /// The folder whose prior Stage C starts from, together with the text encoder that it listens to.
    fn known_text(&self) -> Option<&ModelFolder> {
        self.start_of(Component::Prior)
            .and(self.start_of(Component::TextEncoder))
    }

    /// The share of Stage C's minutes that the prior has.
    pub(super) fn prior_share(&self) -> f64 {
        match self.known_text() {
            Some(_) => 1.0,
            None => 1.0 - TEXT_SHARE,
        }
    }

    pub(super) fn stage_c(&self, options: &TrainOptions) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::StageC);
        let b = StageName::StageB;
        let text = ClipTextModelWithProjection::new;
        let known = self.known_text();
        let text_is_known = known.is_some();
        let towers = self.towers();
        let text_folder = known.unwrap_or(&towers);
        say_start(Component::TextEncoder, Some(text_folder));
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
            tokenizer: open_tokenizer(text_folder)?,
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
        let latents = CaptionedLatents::encode(artwork, &encoder, &pictures, self.kind);
        drop(pictures);
        let mut stage = StageC::new(pipeline, prior_params, text_params, latents, settings.batch);
        // A checkpoint of the prior has the text encoder and the mappers with it.
        if !text_is_known && !options.dir.join(CHECKPOINT_FILE).exists() {
            let part = TrainOptions {
                dir: options.dir.join(TEXT_DIR),
                budget: Budget::Seconds(settings.minutes * 60.0 * TEXT_SHARE),
                // The stage is not over with this part, and until then its pace may change.
                identity: Identity {
                    pace: Settings::new(),
                    ..options.identity.clone()
                },
                ..options.clone()
            };
            let mut text = TextToLatent::new(&stage, self.seed)?;
            let Some(weights) = train(&mut text, &part)? else {
                return Ok(Outcome::Stopped);
            };
            take(&stage.text_params, &with_prefix(&weights, TEXT_ENCODER));
            stage.whiten_text();
        }
        self.finish(&mut stage, options, |weights| {
            let (own, words) = (self.model.tokenizer(), text_folder.tokenizer());
            self.clear_superseded(StageName::StageC)?;
            if !(own.exists() && same_content(&own, &words)?) {
                // A vision-language model that is there has learned other words.
                clear(&self.model, &[Component::Vlm])?;
                copy(&words, &own)?;
            }
            let text_encoder = with_prefix(&weights, TEXT_ENCODER);
            self.export(Component::TextEncoder, &text_config, &text_encoder)?;
            let mut prior = weights;
            prior.retain(|(name, _)| !name.starts_with(TEXT_ENCODER));
            self.export(Component::Prior, &config, &prior)
        })
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
