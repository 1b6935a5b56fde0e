//! Which network a folder holds, and whether its files fit.

use std::path::Path;

use serde_json::Value;

use crate::evaluation::judge::Judge;
use crate::networks::clip::{ClipTextModelWithProjection, ClipVisionModelWithProjection};
use crate::networks::efficientnet::EfficientNetEncoder;
use crate::networks::latent_encoder::LatentEncoder;
use crate::networks::llava_onevision::LlavaOnevision;
use crate::networks::paella_vq::PaellaVq;
use crate::networks::preference_attention::{PreferenceAttention, PreferenceAttentionConfig};
use crate::networks::previewer::Previewer;
use crate::networks::stable_cascade_unet::StableCascadeUNet;
use crate::weights::{
    Checkpoint, Component, HubLayout, LITE, ModelFolder, Params, UNetSize, WeightsError,
    read_config,
};

/// A network that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetworkKind {
    UNet,
    PaellaVq,
    ClipText,
    ClipVision,
    LlavaOnevision,
    EfficientNet,
    /// One of the mini's own, known by its folder's name alone.
    Own(Component),
}

impl NetworkKind {
    /// What the config.json of `folder` says it is, or in words what is not supported.
    pub(super) fn of(folder: &Path, config: &Value) -> Result<Self, String> {
        let named = |field: &str| config.get(field).and_then(Value::as_str);
        let architecture = config.pointer("/architectures/0").and_then(Value::as_str);
        let class = named("_class_name")
            .or(architecture)
            .or(named("model_type"));
        let own = Component::ALL
            .into_iter()
            .find(|component| folder.ends_with(component.folder()))
            .or(is_lite_adapter(folder).then_some(Component::PreferenceAdapter));
        match (class, own) {
            (Some("StableCascadeUNet"), _) => Ok(Self::UNet),
            (Some("PaellaVQModel"), _) => Ok(Self::PaellaVq),
            (Some("CLIPTextModelWithProjection" | "clip_text_model"), _) => Ok(Self::ClipText),
            (Some("CLIPVisionModelWithProjection" | "clip_vision_model"), _) => {
                Ok(Self::ClipVision)
            }
            (Some("LlavaOnevisionForConditionalGeneration" | "llava_onevision"), _) => {
                Ok(Self::LlavaOnevision)
            }
            (Some("EfficientNetEncoder"), _) => Ok(Self::EfficientNet),
            (Some(other), _) => Err(format!("a {other} is not supported")),
            // The mini's configurations bear no class.
            (None, Some(Component::Prior | Component::Decoder)) => Ok(Self::UNet),
            (None, Some(Component::Vqgan)) => Ok(Self::PaellaVq),
            (None, Some(component)) => Ok(Self::Own(component)),
            (None, None) => Err("config.json does not say of which network it is".into()),
        }
    }

    /// The network's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UNet => "StableCascadeUNet",
            Self::PaellaVq => "PaellaVQModel",
            Self::ClipText => "CLIPTextModelWithProjection",
            Self::ClipVision => "CLIPVisionModelWithProjection",
            Self::LlavaOnevision => "LlavaOnevisionForConditionalGeneration",
            Self::EfficientNet => "EfficientNetEncoder",
            Self::Own(component) => component.folder(),
        }
    }

    /// The weights file without its ending.
    pub(super) fn stem(self) -> &'static str {
        match self {
            Self::UNet | Self::PaellaVq => Component::Prior.stem(),
            _ => Component::Vlm.stem(),
        }
    }

    /// Checks that these weights are all that the folder's configuration asks for.
    pub(super) fn fit(self, folder: &Path, weights: Checkpoint) -> Result<(), WeightsError> {
        let path = folder.join("config.json");
        let params = Params::headers(weights);
        match self {
            Self::UNet => drop(StableCascadeUNet::new(&params, read_config(&path)?)?),
            Self::PaellaVq => drop(PaellaVq::new(&params, read_config(&path)?)?),
            Self::ClipText => drop(ClipTextModelWithProjection::new(
                &params,
                read_config(&path)?,
            )?),
            Self::ClipVision => {
                drop(ClipVisionModelWithProjection::new(
                    &params,
                    read_config(&path)?,
                )?);
            }
            Self::LlavaOnevision => drop(LlavaOnevision::new(&params, read_config(&path)?)?),
            Self::EfficientNet => drop(EfficientNetEncoder::new(&params, read_config(&path)?)?),
            Self::Own(Component::LatentEncoder) => {
                drop(LatentEncoder::new(&params, read_config(&path)?)?);
            }
            Self::Own(Component::Previewer) => drop(Previewer::new(&params, read_config(&path)?)?),
            Self::Own(Component::Judge) => drop(Judge::new(&params, read_config(&path)?)?),
            Self::Own(Component::PreferenceAdapter) => {
                let config: PreferenceAttentionConfig = read_config(&path)?;
                let blocks = prior_attention_blocks(folder, &config)?;
                drop(PreferenceAttention::new(&params, config, &blocks)?);
            }
            Self::Own(other) => {
                return Err(WeightsError::Config {
                    path,
                    reason: format!("it lacks the class of a {}", other.folder()),
                });
            }
        }
        params.finish()
    }
}

/// Whether a folder is where the preference adapter of a lite prior is looked for.
fn is_lite_adapter(folder: &Path) -> bool {
    folder.ends_with(format!("{}{LITE}", Component::PreferenceAdapter.folder()))
}

/// The attention blocks that a preference adapter is made for: those of the prior beside it, or
/// of the published one in the folder that the adapter is in, whose size its name tells.
fn prior_attention_blocks(
    adapter: &Path,
    config: &PreferenceAttentionConfig,
) -> Result<Vec<(i64, i64)>, WeightsError> {
    let parent = adapter.parent().unwrap_or(adapter);
    let size = UNetSize::lite(is_lite_adapter(adapter));
    // A folder that is not whole may still have the prior beside the adapter.
    let folder = ModelFolder::open(parent, size).unwrap_or_else(|_| ModelFolder::new(parent));
    if let Some(name) = folder.hub().map(HubLayout::name) {
        config.check_model(name)?;
    }
    let (prior, _) = folder.headers_only().load(
        Component::Prior,
        tch::Kind::Float,
        tch::Device::Cpu,
        StableCascadeUNet::new,
    )?;
    Ok(prior.attention_blocks().to_vec())
}
