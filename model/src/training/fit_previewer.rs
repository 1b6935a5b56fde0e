//! Previews of a published model: a linear map from its prior's latents to small pictures, fitted
//! to what it draws itself.

use std::path::PathBuf;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::{TrainError, export, pictures_to_tensor};
use crate::memory::{TooLarge, check_room};
use crate::networks::previewer::{Previewer, PreviewerConfig};
use crate::pipeline::{DrawingRequest, Pipeline, PipelineError, draw_sound};
use crate::refusal::{self, Refusal};
use crate::weights::{Component, ModelFolder, WeightsError};

/// Pixels along one side of what a position of the latent becomes: 192 for the official 24.
const PATCH: i64 = 8;
/// Pictures that are drawn between two words about progress.
const BLOCK: usize = 4;

/// What people ask for, where no other prompts are given: many colours and kinds of light.
pub const PREVIEW_PROMPTS: [&str; 16] = [
    "a red apple on a wooden table",
    "a portrait of an old woman in soft window light",
    "a snowy mountain under a clear blue sky",
    "a city street at night with neon signs",
    "a watercolour painting of a green forest",
    "a black cat on a white sofa",
    "a sunset over the ocean, orange and purple clouds",
    "a bowl of fruit, still life, oil painting",
    "a yellow taxi in the rain",
    "a field of lavender with a stone house",
    "a pencil drawing of a horse",
    "an astronaut on a grey moon, black sky",
    "a pink flamingo in shallow turquoise water",
    "a library with tall brown shelves and warm lamps",
    "a white sailing boat in morning fog",
    "a child's drawing of a house with a sun",
];

/// How well a fitted map shows the pictures that it was fitted to.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewerFit {
    /// Where it was written to.
    pub folder: PathBuf,
    /// Share of the pictures' variance that it does not tell, from 0 to 1.
    pub unexplained: f64,
}

/// Why no previews could be fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The weights need more memory than there is.
    #[error("{0}: try --dtype bf16, or --lite where the folder has both sizes")]
    TooLarge(#[from] TooLarge),
    /// There is not enough memory.
    #[error(
        "{memory}: try --dtype bf16, --lite where the folder has both sizes, or --device cpu",
        memory = Refusal::Memory
    )]
    Memory,
    /// libtorch refuses an operation, in its own words.
    #[error("libtorch refuses: {0}")]
    Refused(String),
    /// A network is missing or damaged.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The map cannot be written.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl From<WeightsError> for FitError {
    fn from(error: WeightsError) -> Self {
        Self::Pipeline(error.into())
    }
}

impl From<Refusal> for FitError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Memory => Self::Memory,
            Refusal::Operation(reason) => Self::Refused(reason),
        }
    }
}

/// Draws `count` pictures of these prompts, one after the other and from the beginning again, fits
/// a map from the prior's latents to them, and writes it into the folder. Progress goes to
/// standard error.
///
/// # Errors
/// When a network is missing or has no room, libtorch refuses something, or a file cannot be
/// written.
pub fn fit_previewer(
    folder: &ModelFolder,
    prompts: &[String],
    count: usize,
    kind: Kind,
    device: Device,
) -> Result<PreviewerFit, FitError> {
    let parameters = folder.parameters_of_all(&Component::DRAWING)?;
    check_room(parameters, kind, device)?;
    refusal::catch_torch(|| fit(folder, prompts, count, kind, device))?
}

fn fit(
    folder: &ModelFolder,
    prompts: &[String],
    count: usize,
    kind: Kind,
    device: Device,
) -> Result<PreviewerFit, FitError> {
    let card = folder.card()?;
    let pipeline = Pipeline::load_base(folder, &card, kind, device)?;
    let config = PreviewerConfig {
        latent_channels: pipeline.prior.config().in_channels,
        patch_size: PATCH,
    };
    let side = pipeline.sizes.prior.map(|positions| positions * PATCH);
    let no_text = Rc::new(pipeline.encode_texts(&[""])?);
    let asked: Vec<(u64, &String)> = (0..).zip(prompts.iter().cycle().take(count)).collect();
    let (mut latents, mut shown) = (Vec::new(), Vec::new());
    for block in asked.chunks(BLOCK) {
        let request = |&(seed, prompt): &(u64, &String)| {
            Ok::<_, PipelineError>(DrawingRequest {
                text: Rc::new(pipeline.encode_texts(&[prompt])?),
                no_text: no_text.clone(),
                preference: None,
                strength: 0.0,
                guidance: f64::from(card.default_guidance),
                steps: i64::from(card.default_steps),
                decoder_steps: i64::from(card.decoder_steps),
                seed,
            })
        };
        let requests = block.iter().map(request).collect::<Result<_, _>>()?;
        for finished in draw_sound(&pipeline, requests)? {
            latents.push(finished.prior_latent.to_device(Device::Cpu));
            shown.push(pictures_to_tensor(&[&finished.picture]).adaptive_avg_pool2d(side));
        }
        eprint!("\rdrew {} of {count} pictures", latents.len());
    }
    eprintln!();
    let (latents, shown) = (Tensor::cat(&latents, 0), Tensor::cat(&shown, 0));
    let weight = Previewer::fit(&config, &latents, &shown);
    let rest = &shown - Previewer::from_weight(config.clone(), &weight).forward(&latents);
    let variance = |x: &Tensor| x.var(false).double_value(&[]);
    let target = folder.component(Component::Previewer);
    let file = format!("{}.safetensors", Component::Previewer.stem());
    let weights = [("weight".to_owned(), weight)];
    export(&target, &config, &file, &weights)?;
    Ok(PreviewerFit {
        folder: target,
        unexplained: variance(&rest) / variance(&shown).max(f64::MIN_POSITIVE),
    })
}
