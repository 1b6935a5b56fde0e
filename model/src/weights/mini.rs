//! A model folder of the mini's shape with random weights: for tests that need every network
//! and no picture worth looking at.

use std::path::Path;

use serde::Serialize;
use tch::{Device, Kind};

use super::folder::write_json;
use super::{Component, ModelCard, ModelFolder, Params, WeightsError, save};
use crate::data::tokenizer::{self, END_OF_TEXT, IMAGE, PAD, SPECIAL_TOKENS};
use crate::diffusion::DdpmWuerstchenConfig;
use crate::networks::clip::{ClipTextConfig, ClipTextModelWithProjection};
use crate::networks::llava_onevision::{LlavaOnevision, LlavaOnevisionConfig};
use crate::networks::paella_vq::{PaellaVq, PaellaVqConfig};
use crate::networks::preference_attention::{PreferenceAttention, PreferenceAttentionConfig};
use crate::networks::previewer::{Previewer, PreviewerConfig};
use crate::networks::qwen2::Qwen2Config;
use crate::networks::siglip::SiglipVisionConfig;
use crate::networks::stable_cascade_unet::{StableCascadeUNet, StableCascadeUNetConfig};
use crate::training::preset;

/// Size of text states and of hidden states: as small as the architectures bear.
const WIDTH: i64 = 32;
const HEADS: i64 = 2;
const LAYERS: i64 = 2;

/// Writes all networks that draw and read taste into `dir`, drawn from `seed`: the mini's
/// pictures and latents, in networks small enough for a test. The same seed gives the same
/// files.
///
/// # Errors
/// When a file cannot be written.
pub fn write_random(dir: &Path, seed: u64) -> Result<(), WeightsError> {
    let folder = ModelFolder::new(dir);
    let card = ModelCard {
        name: "random mini".into(),
        default_steps: 4,
        decoder_steps: 2,
        ..preset::card()
    };
    folder.write_card(&card, &DdpmWuerstchenConfig::default())?;
    let words = write_tokenizer(&folder)?;
    let writer = Writer { folder, seed };

    let text = ClipTextConfig {
        vocab_size: words.count,
        hidden_size: WIDTH,
        intermediate_size: 2 * WIDTH,
        projection_dim: WIDTH,
        num_hidden_layers: LAYERS,
        num_attention_heads: HEADS,
        eos_token_id: words.end,
        pad_token_id: words.pad,
        ..Default::default()
    };
    writer.network(
        Component::TextEncoder,
        text,
        ClipTextModelWithProjection::new,
    )?;
    let stage_a = PaellaVqConfig {
        bottleneck_blocks: 1,
        embed_dim: WIDTH,
        ..preset::stage_a()
    };
    writer.network(Component::Vqgan, stage_a, PaellaVq::new)?;
    writer.network(Component::Decoder, stage_b(), StableCascadeUNet::new)?;
    let prior = writer.network(Component::Prior, stage_c(), StableCascadeUNet::new)?;
    let blocks = prior.attention_blocks();
    let adapter = PreferenceAttentionConfig {
        embedding_dim: WIDTH,
        embedding_layers: LAYERS + 1,
        token_dim: WIDTH,
        trained_for: None,
    };
    writer.network(Component::PreferenceAdapter, adapter, |params, config| {
        PreferenceAttention::new(params, config, blocks)
    })?;
    let previewer = PreviewerConfig {
        latent_channels: preset::stage_c().in_channels,
        patch_size: 8,
    };
    writer.network(Component::Previewer, previewer, Previewer::new)?;
    writer.network(Component::Vlm, vlm(&words), LlavaOnevision::new)?;
    Ok(())
}

struct Writer {
    folder: ModelFolder,
    seed: u64,
}

impl Writer {
    fn network<C: Clone + Serialize, N>(
        &self,
        component: Component,
        config: C,
        build: impl FnOnce(&Params, C) -> Result<N, WeightsError>,
    ) -> Result<N, WeightsError> {
        let file = self.folder.component(component).join("config.json");
        write_json(&file, &config)?;
        let params = Params::random(self.seed, Kind::Float, Device::Cpu);
        let network = build(&params, config)?;
        let taken = params.taken();
        let tensors = taken.iter().map(|p| (p.name.as_str(), &p.tensor));
        save(&self.folder.weights_file(component), tensors)?;
        Ok(network)
    }
}

struct Words {
    count: i64,
    image: i64,
    end: i64,
    pad: i64,
}

fn write_tokenizer(folder: &ModelFolder) -> Result<Words, WeightsError> {
    let path = folder.tokenizer();
    let failed = |reason: String| WeightsError::Config {
        path: path.clone(),
        reason,
    };
    let texts = ["a red apple", "a dog", "a house in the snow"];
    let tokenizer = tokenizer::train(texts.map(String::from).into())
        .map_err(|error| failed(error.to_string()))?;
    std::fs::create_dir_all(path.parent().unwrap_or(folder.path())).map_err(|source| {
        WeightsError::Io {
            path: path.clone(),
            source,
        }
    })?;
    tokenizer
        .save(&path)
        .map_err(|error| failed(error.to_string()))?;
    let id = |token: &'static str| {
        let missing = || failed(format!("{token} is none of {SPECIAL_TOKENS:?}"));
        tokenizer.id(token).ok_or_else(missing)
    };
    Ok(Words {
        count: tokenizer.vocabulary_size() as i64,
        image: id(IMAGE)?,
        end: id(END_OF_TEXT)?,
        pad: id(PAD)?,
    })
}

fn stage_b() -> StableCascadeUNetConfig {
    StableCascadeUNetConfig {
        conditioning_dim: WIDTH,
        block_out_channels: vec![WIDTH; 3],
        num_attention_heads: vec![0, HEADS, HEADS],
        down_num_layers_per_block: vec![1; 3],
        up_num_layers_per_block: vec![1; 3],
        clip_text_pooled_in_channels: WIDTH,
        ..preset::stage_b()
    }
}

fn stage_c() -> StableCascadeUNetConfig {
    StableCascadeUNetConfig {
        conditioning_dim: WIDTH,
        block_out_channels: vec![WIDTH; 2],
        num_attention_heads: vec![HEADS; 2],
        down_num_layers_per_block: vec![1; 2],
        up_num_layers_per_block: vec![1; 2],
        clip_text_in_channels: Some(WIDTH),
        clip_text_pooled_in_channels: WIDTH,
        clip_image_in_channels: Some(WIDTH),
        ..preset::stage_c()
    }
}

fn vlm(words: &Words) -> LlavaOnevisionConfig {
    LlavaOnevisionConfig {
        vision_config: SiglipVisionConfig {
            hidden_size: WIDTH,
            intermediate_size: 2 * WIDTH,
            num_hidden_layers: LAYERS,
            num_attention_heads: HEADS,
            image_size: 32,
            patch_size: 16,
            vision_use_head: false,
            ..Default::default()
        },
        text_config: Qwen2Config {
            vocab_size: words.count,
            hidden_size: WIDTH,
            intermediate_size: 2 * WIDTH,
            num_hidden_layers: LAYERS,
            num_attention_heads: HEADS,
            num_key_value_heads: Some(HEADS),
            ..Default::default()
        },
        image_token_index: words.image,
        ..Default::default()
    }
}
