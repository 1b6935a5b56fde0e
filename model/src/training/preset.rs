//! The mini's configurations and how long each stage trains.

use super::preference_pool::PoolSize;
use crate::data::artwork::Artwork;
use crate::diffusion::{DdpmWuerstchenConfig, PredictionType};
use crate::evaluation::judge::JudgeConfig;
use crate::networks::clip::ClipTextConfig;
use crate::networks::latent_encoder::LatentEncoderConfig;
use crate::networks::llava_onevision::LlavaOnevisionConfig;
use crate::networks::paella_vq::PaellaVqConfig;
use crate::networks::qwen2::Qwen2Config;
use crate::networks::siglip::SiglipVisionConfig;
use crate::networks::stable_cascade_unet::{BlockType, PerLevel, StableCascadeUNetConfig};
use crate::networks::transformer::Activation;
use crate::pipeline::{PromptConditioning, SquareSizes};
use crate::weights::ModelCard;

/// Sizes of the mini's pictures and latents.
pub fn sizes() -> SquareSizes {
    SquareSizes {
        picture: 128,
        prior: 4,
        decoder: 32,
    }
}

/// The mini's noise schedule.
pub fn schedule() -> DdpmWuerstchenConfig {
    DdpmWuerstchenConfig {
        prediction_type: PredictionType::VPrediction,
        ..Default::default()
    }
}

/// The mini's name, limits and defaults.
pub fn card() -> ModelCard {
    ModelCard {
        name: "mini".into(),
        sizes: sizes(),
        default_steps: 20,
        max_steps: 60,
        decoder_steps: 10,
        default_guidance: 4.0,
        max_prompt_chars: 300,
        prompt: PromptConditioning::default(),
    }
}

/// Channels of the mini's Stage C latent, 4×4 at 128 px.
const LATENT_CHANNELS: i64 = 24;
/// Size of the text encoder's states and of its projection.
pub(super) const TEXT_DIM: i64 = 192;

/// The judge of pictures with this set's subjects and styles.
pub fn judge(artwork: &Artwork) -> JudgeConfig {
    JudgeConfig {
        input_size: 64,
        channels: vec![64, 128, 192],
        position_channels: 64,
        summary: 192,
        subjects: artwork.subjects().iter().map(|s| s.code.clone()).collect(),
        styles: artwork.styles().iter().map(|s| s.id.clone()).collect(),
    }
}

/// Stage A of the mini: 128 px to 4×32×32.
pub fn stage_a() -> PaellaVqConfig {
    PaellaVqConfig {
        bottleneck_blocks: 3,
        embed_dim: 64,
        num_vq_embeddings: 1024,
        scale_factor: 1.0,
        ..Default::default()
    }
}

/// The encoder to Stage C latents: 128 px to 24×4×4.
pub fn latent_encoder() -> LatentEncoderConfig {
    LatentEncoderConfig {
        channels: vec![32, 64, 128, 256],
        blocks: vec![0, 1, 1, 1],
        latent_channels: LATENT_CHANNELS,
    }
}

/// Stage B of the mini: 4×32×32 under a 24×4×4 condition.
pub fn stage_b() -> StableCascadeUNetConfig {
    use BlockType::{Attention, Res, Timestep};
    StableCascadeUNetConfig {
        in_channels: 4,
        out_channels: 4,
        patch_size: 2,
        conditioning_dim: 64,
        block_out_channels: vec![64, 128, 256],
        num_attention_heads: vec![0, 4, 4],
        down_num_layers_per_block: vec![1, 1, 2],
        up_num_layers_per_block: vec![3, 2, 1],
        down_blocks_repeat_mappers: Some(vec![1, 1, 1]),
        up_blocks_repeat_mappers: Some(vec![1, 1, 1]),
        block_types_per_layer: vec![
            vec![Res, Timestep],
            vec![Res, Timestep],
            vec![Res, Timestep, Attention],
        ],
        clip_text_pooled_in_channels: TEXT_DIM,
        clip_seq: 1,
        effnet_in_channels: Some(LATENT_CHANNELS),
        dropout: PerLevel::All(0.0),
        timestep_conditioning_type: vec!["sca".into()],
        ..Default::default()
    }
}

/// Stage C of the mini: 24×4×4 under text, all levels at one resolution as the official.
pub fn stage_c() -> StableCascadeUNetConfig {
    use BlockType::{Attention, Res, Timestep};
    let layer = vec![Res, Timestep, Attention];
    StableCascadeUNetConfig {
        in_channels: LATENT_CHANNELS,
        out_channels: LATENT_CHANNELS,
        // Four tokens instead of 16: what a network of this size can remember follows from its
        // parameters, and what it costs from its tokens.
        patch_size: 2,
        conditioning_dim: 256,
        block_out_channels: vec![256, 256],
        num_attention_heads: vec![4, 4],
        down_num_layers_per_block: vec![2, 2],
        up_num_layers_per_block: vec![2, 2],
        block_types_per_layer: vec![layer.clone(), layer],
        // Nobody gives the official's further timestep conditions; two thirds of every
        // timestep block would learn a constant.
        timestep_conditioning_type: Vec::new(),
        clip_text_in_channels: Some(TEXT_DIM),
        clip_text_pooled_in_channels: TEXT_DIM,
        clip_image_in_channels: Some(TEXT_DIM),
        clip_seq: 2,
        dropout: PerLevel::All(0.0),
        switch_level: Some(vec![false]),
        ..Default::default()
    }
}

/// Size of a preference token of the mini.
pub(super) const PREFERENCE_TOKEN_DIM: i64 = 128;

/// DPO's β against mean squared errors of the mini's latents. The published 2000 to 5000
/// belongs to Stable Diffusion's.
pub(super) const DPO_BETA: f64 = 500.0;

/// The pictures that preference attention is trained on.
pub(super) fn pool(preset: Preset) -> PoolSize {
    let (prompts, seeds) = match preset {
        Preset::Cpu => (480, 6),
        Preset::Gpu => (480, 8),
    };
    PoolSize {
        prompts,
        seeds,
        steps: 16,
        decoder_steps: 8,
        guidance: 4.0,
    }
}

/// How many simulated people preference attention is trained on.
pub(super) fn people(preset: Preset) -> usize {
    match preset {
        Preset::Cpu => 4000,
        Preset::Gpu => 6000,
    }
}

/// Attention heads and layers of the mini's towers and of its language model.
const TOWER_HEADS: i64 = 3;
const TOWER_LAYERS: i64 = 4;

/// The text encoder of the mini over a vocabulary of this size.
pub fn text_encoder(vocabulary: i64) -> ClipTextConfig {
    ClipTextConfig {
        vocab_size: vocabulary,
        hidden_size: TEXT_DIM,
        intermediate_size: 4 * TEXT_DIM,
        projection_dim: TEXT_DIM,
        num_hidden_layers: TOWER_LAYERS,
        num_attention_heads: TOWER_HEADS,
        max_position_embeddings: 24,
        hidden_act: Activation::Gelu,
        eos_token_id: 1,
        pad_token_id: 2,
        ..Default::default()
    }
}

/// The image tower of the mini, of the text encoder's width: 96 px to 36 patches.
pub fn image_encoder() -> SiglipVisionConfig {
    SiglipVisionConfig {
        hidden_size: TEXT_DIM,
        intermediate_size: 4 * TEXT_DIM,
        num_hidden_layers: TOWER_LAYERS,
        num_attention_heads: TOWER_HEADS,
        image_size: 96,
        patch_size: 16,
        ..Default::default()
    }
}

/// The vision-language model of the mini over a vocabulary of this size: the image tower without
/// its head, and a language model of its width. `image` is the token that stands for a picture.
pub fn vlm(vocabulary: i64, image: i64) -> LlavaOnevisionConfig {
    LlavaOnevisionConfig {
        vision_config: SiglipVisionConfig {
            vision_use_head: false,
            // Eight pictures make most of a conversation: 16 patches of each instead of 36.
            image_size: 64,
            ..image_encoder()
        },
        text_config: Qwen2Config {
            vocab_size: vocabulary,
            hidden_size: TEXT_DIM,
            intermediate_size: 512,
            num_hidden_layers: TOWER_LAYERS,
            num_attention_heads: TOWER_HEADS,
            num_key_value_heads: Some(TOWER_HEADS),
            max_position_embeddings: 1024,
            tie_word_embeddings: true,
            ..Default::default()
        },
        image_token_index: image,
        // No token: videos are not read.
        video_token_index: -1,
        ..Default::default()
    }
}

/// How one stage trains.
#[derive(Debug, Clone, Copy)]
pub struct StageSettings {
    /// Minutes of stepping.
    pub minutes: f64,
    /// Samples a step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Augmented variants of each picture that are held in memory.
    pub variants: u64,
}

/// The stages in the order of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageName {
    /// Classifier of subject and style.
    Judge,
    /// Text and image towers.
    Clip,
    /// Autoencoder.
    StageA,
    /// Decoder and latent encoder.
    StageB,
    /// Prior.
    StageC,
    /// Vision-language model.
    Vlm,
    /// Preference attention.
    Preference,
}

impl StageName {
    /// All stages in the order of training.
    pub const ALL: [Self; 7] = [
        Self::Judge,
        Self::Clip,
        Self::StageA,
        Self::StageB,
        Self::StageC,
        Self::Vlm,
        Self::Preference,
    ];

    /// As it is written on the command line and in folders.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Clip => "clip",
            Self::StageA => "stage-a",
            Self::StageB => "stage-b",
            Self::StageC => "stage-c",
            Self::Vlm => "vlm",
            Self::Preference => "preference",
        }
    }
}

/// For which machine a training is sized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A night on two cores.
    Cpu,
    /// Twenty minutes on one H100.
    Gpu,
}

impl Preset {
    /// As it is written on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }

    /// Minutes of stepping of all stages together.
    pub fn minutes(self) -> f64 {
        let all = StageName::ALL.iter();
        all.map(|&stage| self.settings(stage).minutes).sum()
    }

    /// How `stage` trains under this preset.
    pub fn settings(self, stage: StageName) -> StageSettings {
        let (minutes, batch, lr, variants) = match (self, stage) {
            (Self::Cpu, StageName::Judge) => (12.0, 64, 3e-3, 2),
            (Self::Cpu, StageName::Clip) => (45.0, 128, 1e-3, 2),
            (Self::Cpu, StageName::StageA) => (30.0, 8, 2e-3, 2),
            (Self::Cpu, StageName::StageB) => (150.0, 32, 1e-3, 2),
            (Self::Cpu, StageName::StageC) => (180.0, 128, 1.5e-3, 3),
            (Self::Cpu, StageName::Vlm) => (30.0, 16, 1e-3, 2),
            (Self::Cpu, StageName::Preference) => (10.0, 48, 1e-3, 1),
            (Self::Gpu, StageName::Judge) => (0.8, 256, 3e-3, 4),
            (Self::Gpu, StageName::Clip) => (1.5, 512, 1e-3, 4),
            (Self::Gpu, StageName::StageA) => (1.5, 128, 2e-3, 4),
            (Self::Gpu, StageName::StageB) => (4.0, 512, 1e-3, 4),
            (Self::Gpu, StageName::StageC) => (4.0, 1024, 1e-3, 4),
            (Self::Gpu, StageName::Vlm) => (1.5, 128, 1e-3, 4),
            (Self::Gpu, StageName::Preference) => (1.0, 256, 1e-3, 1),
        };
        StageSettings {
            minutes,
            batch,
            lr,
            variants,
        }
    }
}
