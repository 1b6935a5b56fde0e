//! What a drawing looks like under way.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use tch::{Device, Kind, Tensor};

use crate::networks::conv_previewer::{ConvPreviewer, ConvPreviewerConfig};
use crate::networks::previewer::Previewer;
use crate::pipeline::{Drawing, Pipeline, PipelineError, View};
use crate::training::tensor_to_pictures;
use crate::weights::{Checkpoint, Component, ModelFolder, WeightsError};

/// Longest side of a preview of a large picture, in pixels; of a small one it is half the
/// picture's.
const LONGEST_SIDE: u32 = 256;

/// How the prior's latents are shown.
pub(super) enum LatentView {
    /// By a linear map.
    Linear(Previewer),
    /// By the convolutions of the original release.
    Convolutional(ConvPreviewer),
    /// Without either: three channels as colours, which say where something is and not what.
    Channels,
}

impl LatentView {
    /// What `folder` has, in f32 on `device`.
    ///
    /// # Errors
    /// A file is missing or damaged, or belongs to latents of another prior.
    pub(super) fn load(
        folder: &ModelFolder,
        pipeline: &Pipeline,
        device: Device,
    ) -> Result<Self, PipelineError> {
        let view = Self::of_folder(folder, device)?;
        let given = pipeline.prior.config().in_channels;
        let taken = match &view {
            Self::Linear(network) => network.config().latent_channels,
            Self::Convolutional(network) => network.config().c_in,
            Self::Channels => given,
        };
        match taken == given {
            true => Ok(view),
            false => Err(PipelineError::Mismatch {
                from: "the prior's latent",
                given,
                to: "the previewer",
                taken,
            }),
        }
    }

    fn of_folder(folder: &ModelFolder, device: Device) -> Result<Self, WeightsError> {
        let Some(hub) = folder.hub() else {
            return Self::linear(folder, device);
        };
        let own = folder.component(Component::Previewer);
        match hub.previewer() {
            _ if own.join("config.json").exists() => Self::linear(folder, device),
            Some(file) => {
                let config = ConvPreviewerConfig::default();
                let weights = Checkpoint::open_path(&file)?;
                let (network, _) =
                    weights.network(config, Kind::Float, device, ConvPreviewer::new)?;
                Ok(Self::Convolutional(network))
            }
            None => Ok(Self::Channels),
        }
    }

    fn linear(folder: &ModelFolder, device: Device) -> Result<Self, WeightsError> {
        let network = Previewer::new;
        let (network, _) = folder.load(Component::Previewer, Kind::Float, device, network)?;
        Ok(Self::Linear(network))
    }

    /// Latents `[B, c, h, w]` f32 to pictures `[B, 3, H, W]` in about [0, 1].
    fn forward(&self, latents: &Tensor) -> Tensor {
        match self {
            Self::Linear(network) => network.forward(latents),
            Self::Convolutional(network) => network.forward(latents),
            Self::Channels => {
                let channels = latents.size()[1];
                let shown = latents.narrow(1, 0, channels.min(3));
                let spread = shown.std(true).clamp_min(1e-6);
                let shown: Tensor = (&shown - shown.mean(Kind::Float)) / (4.0 * spread) + 0.5;
                match channels < 3 {
                    true => shown.narrow(1, 0, 1).expand([-1, 3, -1, -1], false),
                    false => shown,
                }
            }
        }
    }
}

/// A small picture of what `drawing` is going to be: from the prior's expectation by the
/// previewer, from the decoder's by Stage A.
pub(super) fn preview(pipeline: &Pipeline, prior: &LatentView, drawing: &Drawing) -> RgbImage {
    let smaller = |picture: &RgbImage| {
        let (w, h) = picture.dimensions();
        let factor = w.max(h).div_ceil(LONGEST_SIDE).max(2);
        resize(picture, w / factor, h / factor, FilterType::Triangle)
    };
    let first = |pictures: Vec<RgbImage>| pictures.into_iter().next().unwrap_or_default();
    match drawing.view() {
        View::Prior(latent) => first(tensor_to_pictures(&tch::no_grad(|| prior.forward(latent)))),
        View::Decoder(latent) => smaller(&first(tch::no_grad(|| pipeline.decode(latent)))),
        View::Done(picture) => smaller(picture),
    }
}
