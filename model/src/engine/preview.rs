//! What a drawing looks like under way.

use std::path::PathBuf;

use image::RgbImage;
use image::imageops::{FilterType, resize};
use tch::{Device, Kind, Tensor};

use crate::networks::conv_previewer::{ConvPreviewer, ConvPreviewerConfig};
use crate::networks::previewer::Previewer;
use crate::pipeline::{Drawing, Pipeline, PipelineError, View};
use crate::training::tensor_to_pictures;
use crate::weights::{Checkpoint, Component, HubLayout, ModelFolder, WeightsError};

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
        let (view, place) = Self::of_folder(folder, device)?;
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
                to: format!("the previewer in {}", place.display()),
                taken,
            }),
        }
    }

    /// What `folder` has, and where.
    fn of_folder(folder: &ModelFolder, device: Device) -> Result<(Self, PathBuf), WeightsError> {
        let own = folder.component(Component::Previewer);
        if folder.hub().is_none() || own.join("config.json").exists() {
            let network = Previewer::new;
            let (network, _) = folder.load(Component::Previewer, Kind::Float, device, network)?;
            return Ok((Self::Linear(network), own));
        }
        let Some(file) = folder.hub().and_then(HubLayout::previewer) else {
            return Ok((Self::Channels, own));
        };
        let params = folder.params(Checkpoint::open_path(&file)?, Kind::Float, device);
        let network = params.network(ConvPreviewerConfig::default(), ConvPreviewer::new);
        let network = network.map_err(|error| error.about(&file))?;
        Ok((Self::Convolutional(network), file))
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::networks::conv_previewer;
    use crate::weights::UNetSize;

    /// Published models without weights, and a previewer of the original release with this many
    /// hidden channels.
    fn released(dir: &Path, c_hidden: i64) -> ModelFolder {
        for unet in ["prior", "decoder"] {
            std::fs::create_dir_all(dir.join(unet)).unwrap();
            std::fs::write(dir.join(unet).join("config.json"), "{}").unwrap();
        }
        conv_previewer::write_random(&dir.join("previewer.safetensors"), c_hidden);
        ModelFolder::open(dir, UNetSize::Largest).unwrap()
    }

    #[test]
    fn the_official_previewer_is_checked_by_its_header_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = released(dir.path(), 512);
        let shown = |folder: &ModelFolder| {
            let (view, place) = LatentView::of_folder(folder, Device::Cpu).unwrap();
            assert_eq!(place, dir.path().join("previewer.safetensors"));
            let latent = Tensor::ones([1, 16, 2, 2], (Kind::Float, Device::Cpu));
            let picture = tch::no_grad(|| view.forward(&latent));
            assert_eq!(picture.size(), [1, 3, 16, 16]);
            picture.abs().max().double_value(&[])
        };
        assert!(shown(&folder) > 0.0);
        // Without numbers, as no weights were read.
        assert_eq!(shown(&folder.headers_only()), 0.0);
    }

    #[test]
    fn what_is_wrong_with_the_official_previewer_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = released(dir.path(), 8);
        let file = dir.path().join("previewer.safetensors");
        let names_file = |folder: &ModelFolder| {
            let error = LatentView::of_folder(folder, Device::Cpu).map(drop);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(&file.display().to_string()), "{error}");
        };
        for folder in [folder.headers_only(), folder] {
            names_file(&folder);
        }
        std::fs::write(&file, "half a file").unwrap();
        names_file(&ModelFolder::open(dir.path(), UNetSize::Largest).unwrap());
    }
}
