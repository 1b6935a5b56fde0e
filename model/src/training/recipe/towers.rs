//! The stages of text and image towers and of the vision-language model over them.

use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use super::{Outcome, Recipe, copy, export_to, same_content, towers_in, with_prefix};
use crate::data::split::Split;
use crate::data::tokenizer::{IMAGE, TOKENIZER_FILE, Tokenizer};
use crate::networks::clip::ClipTextModelWithProjection;
use crate::networks::llava_onevision::LlavaOnevision;
use crate::networks::siglip::SiglipVisionModel;
use crate::pipeline::Pipeline;
use crate::training::clip::{Clip, ClipParts};
use crate::training::pictures::PictureBank;
use crate::training::preset::{self, StageName};
use crate::training::trainer::CHECKPOINT_FILE;
use crate::training::vlm::{Vlm, VlmParts};
use crate::training::{TrainError, TrainOptions};
use crate::weights::{Component, ModelFolder, Params};

/// One subject in this many is shown to the vision-language model.
const VLM_SUBJECTS_STRIDE: usize = 4;

/// Where the vision tower's names begin in the vision-language model.
const TOWER: &str = "vision_tower.";

/// The position embeddings of the image tower.
const POSITIONS: &str = "embeddings.position_embedding.weight";

impl Recipe {
    /// The folder that a tower starts from: another model's towers, or what it made of them.
    fn start_of_tower(&self, tower: Component) -> Option<ModelFolder> {
        let folder = self.init_from.as_ref()?;
        let mut candidates = [towers_in(folder), folder.clone()].into_iter();
        candidates.find(|folder| folder.component(tower).exists())
    }

    /// The words that the towers learn: those of the text encoder to start from, else those of the
    /// training set. A training keeps what it began with in its folder; a set that is built anew
    /// meanwhile may have others.
    fn words_of_towers(
        &self,
        text: Option<&ModelFolder>,
        dir: &Path,
    ) -> Result<PathBuf, TrainError> {
        let kept = dir.join(TOKENIZER_FILE);
        if !(kept.exists() && dir.join(CHECKPOINT_FILE).exists()) {
            let (words, advice) = match text {
                Some(folder) => (
                    folder.tokenizer(),
                    "The text encoder to start from is of no use without its words: leave out \
                     --init-from",
                ),
                None => (
                    self.artwork.join(TOKENIZER_FILE),
                    "Make the training set first: predilect data build",
                ),
            };
            if !words.exists() {
                return Err(TrainError::Missing(format!(
                    "{} is not there. {advice}",
                    words.display()
                )));
            }
            copy(&words, &kept)?;
        }
        Ok(kept)
    }

    pub(super) fn clip(&self, options: &TrainOptions) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Clip);
        let start = self.start_of_tower(Component::TextEncoder);
        let words = self.words_of_towers(start.as_ref(), &options.dir)?;
        let tokenizer = read_words(&words, "Remove it to begin this training anew")?;
        let (text, text_params) = self.network_from(
            start.as_ref(),
            Component::TextEncoder,
            preset::text_encoder(tokenizer.vocabulary_size() as i64),
            ClipTextModelWithProjection::new,
        )?;
        let (image, image_params) = self.network_from(
            self.start_of_tower(Component::ImageEncoder).as_ref(),
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
        self.finish(&mut stage, options, |weights| {
            let part = |prefix| with_prefix(&weights, prefix);
            let (text, image) = (Component::TextEncoder, Component::ImageEncoder);
            let towers = self.towers();
            self.clear_superseded(StageName::Clip)?;
            copy(&words, &towers.tokenizer())?;
            export_to(&towers, image, &image_config, &part("image_encoder/"))?;
            export_to(&towers, text, &text_config, &part("text_encoder/"))
        })
    }

    pub(super) fn vlm(&self, options: &TrainOptions) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Vlm);
        let tokenizer = read_words(
            &self.model.tokenizer(),
            "Train what the model draws with first, its words come with it: predilect train stage-c",
        )?;
        let image = tokenizer.id(IMAGE).ok_or_else(|| {
            TrainError::Missing(format!("the model's tokenizer has no token {IMAGE}"))
        })?;
        if let Some(start) = self.start_of(Component::Vlm)
            && !same_content(&start.tokenizer(), &self.model.tokenizer())?
        {
            return Err(TrainError::Missing(format!(
                "the vision-language model of {} has other words than the model to train: leave \
                 out --init-from",
                start.path().display()
            )));
        }
        let (model, params) = self.network(
            Component::Vlm,
            preset::vlm(tokenizer.vocabulary_size() as i64, image),
            LlavaOnevision::new,
        )?;
        // A model to start from comes with its tower.
        if self.start_of(Component::Vlm).is_none() {
            let (tower, clip) = (SiglipVisionModel::new, StageName::Clip);
            let (_, tower) = self.trained(Component::ImageEncoder, clip, tower)?;
            take_tower(&params, &tower)?;
        }
        let config = model.config().clone();
        let artwork = self.artwork()?;
        let card = self.model.card()?;
        let pipeline = Pipeline::load_base(&self.model, &card, self.kind, self.device)?;
        let Some(drawn) = self.drawn(&artwork, &pipeline)? else {
            return Ok(Outcome::Stopped);
        };
        drop(pipeline);
        // Taste shows in few subjects as well as in many.
        let some = |split| {
            let mut pictures = artwork.pictures_of(split);
            pictures.retain(|&i| artwork.picture(i).subject % VLM_SUBJECTS_STRIDE == 0);
            pictures
        };
        let draw =
            |split| PictureBank::draw(&artwork, &some(split), settings.variants, self.device);
        let (train, held_out) = (draw(Split::Train), draw(Split::HeldOut));
        let mut stage = Vlm::new(VlmParts {
            model,
            params,
            tokenizer,
            artwork,
            train,
            held_out,
            drawn: drawn.choices,
            batch: settings.batch,
        })?;
        self.finish(&mut stage, options, |weights| {
            self.clear_superseded(StageName::Vlm)?;
            self.export(Component::Vlm, &config, &with_prefix(&weights, "vlm/"))
        })
    }
}

fn read_words(path: &Path, advice: &str) -> Result<Tokenizer, TrainError> {
    Tokenizer::open(path).map_err(|error| TrainError::Missing(format!("{error}. {advice}")))
}

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
