//! One network on tensors from a file: what its reference library answers, under the
//! reference's argument and field names.

mod inputs;
mod networks;

use std::fmt::{Display, Formatter};
use std::path::Path;
use std::str::FromStr;

use tch::{Device, Kind, Tensor};

use crate::memory::{TooLarge, check_room};
use crate::networks::NetworkError;
use crate::refusal::{self, Refusal};
use crate::weights::{Checkpoint, Params, WeightsError, read_config};
use inputs::Inputs;

/// What can be run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnableComponent {
    /// The prior's U-Net: diffusers' `StableCascadeUNet.forward`.
    StageC,
    /// The decoder's U-Net: the same class.
    StageB,
    /// Pictures to latents: diffusers' `PaellaVQModel.encode`.
    StageAEncode,
    /// Latents to pictures: diffusers' `PaellaVQModel.decode`.
    StageADecode,
    /// transformers' `CLIPTextModelWithProjection.forward`.
    TextEncoder,
    /// transformers' `CLIPVisionModelWithProjection.forward`.
    ImageEncoder,
    /// Pictures to Stage C latents: Stable Cascade's `EfficientNetEncoder.forward`.
    Effnet,
    /// transformers' `LlavaOnevisionForConditionalGeneration.forward`.
    Vlm,
    /// diffusers' `DDPMWuerstchenScheduler`: timesteps, the noise schedule, adding noise.
    Scheduler,
}

impl RunnableComponent {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::StageC,
        Self::StageB,
        Self::StageAEncode,
        Self::StageADecode,
        Self::TextEncoder,
        Self::ImageEncoder,
        Self::Effnet,
        Self::Vlm,
        Self::Scheduler,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::StageC => "stage-c",
            Self::StageB => "stage-b",
            Self::StageAEncode => "stage-a-encode",
            Self::StageADecode => "stage-a-decode",
            Self::TextEncoder => "text-encoder",
            Self::ImageEncoder => "image-encoder",
            Self::Effnet => "effnet",
            Self::Vlm => "vlm",
            Self::Scheduler => "scheduler",
        }
    }
}

impl Display for RunnableComponent {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RunnableComponent {
    type Err = RunError;

    fn from_str(text: &str) -> Result<Self, RunError> {
        let named = Self::ALL.into_iter().find(|c| c.name() == text);
        named.ok_or_else(|| RunError::Component(text.to_owned()))
    }
}

/// Why a component gives no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The name is none of a component.
    #[error(
        "`{0}` is no component: {list} are",
        list = RunnableComponent::ALL.map(RunnableComponent::name).join(", ")
    )]
    Component(String),
    /// Only the scheduler has no weights.
    #[error("{0} needs its weights: name their file with --weights")]
    NoWeights(RunnableComponent),
    /// An input tensor is not there.
    #[error("the inputs lack the tensor `{name}` {shape}")]
    MissingInput {
        /// The tensor.
        name: &'static str,
        /// The shape it needs.
        shape: String,
    },
    /// An input tensor does not fit the configuration or the other inputs.
    #[error("the input `{name}` has shape {found:?} where {expected} is needed")]
    InputShape {
        /// The tensor.
        name: &'static str,
        /// Its shape.
        found: Vec<i64>,
        /// The shape it needs.
        expected: String,
    },
    /// An input tensor holds fractions or truth values where whole numbers are needed.
    #[error("the input `{name}` is of dtype {found:?} where whole numbers are needed")]
    InputDtype {
        /// The tensor.
        name: &'static str,
        /// Its dtype.
        found: Kind,
    },
    /// An input's numbers are outside what has a meaning.
    #[error("the input `{name}` has values from {least} to {most} where {allowed} are needed")]
    InputRange {
        /// The tensor.
        name: &'static str,
        /// The smallest value.
        least: i64,
        /// The largest value.
        most: i64,
        /// What is allowed.
        allowed: String,
    },
    /// There is not enough memory.
    #[error(
        "there is not enough memory on this device: try --dtype bf16, smaller inputs, or --device cpu"
    )]
    Memory,
    /// The weights need more memory than there is.
    #[error("{0}: try --dtype bf16")]
    TooLarge(#[from] TooLarge),
    /// libtorch refused an operation.
    #[error("libtorch refuses these inputs: {0}")]
    Refused(String),
    /// The network refuses its configuration, weights or inputs.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl From<WeightsError> for RunError {
    fn from(error: WeightsError) -> Self {
        Self::Network(error.into())
    }
}

impl From<Refusal> for RunError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Memory => Self::Memory,
            Refusal::Operation(reason) => Self::Refused(reason),
        }
    }
}

impl From<tch::TchError> for RunError {
    fn from(error: tch::TchError) -> Self {
        refusal::explain(&error.to_string()).into()
    }
}

/// What to run, on what, and how.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Which network.
    pub component: RunnableComponent,
    /// Its config.json, as the reference library writes it.
    pub config: &'a Path,
    /// Its weights under the hub's names: a safetensors file, or the index.json of several.
    /// The scheduler has none.
    pub weights: Option<&'a Path>,
    /// A safetensors file with the input tensors, by the reference's argument names.
    pub inputs: &'a Path,
    /// The dtype of weights, activations and floating-point inputs; timesteps keep theirs.
    pub kind: Kind,
    /// Where it computes.
    pub device: Device,
}

/// What a component answered.
#[derive(Debug)]
pub struct Answer {
    /// The output tensors, by the reference's field names; floating-point ones are f32.
    pub outputs: Vec<(&'static str, Tensor)>,
    /// Input tensors that the component did not read.
    pub unread: Vec<String>,
}

impl Run<'_> {
    /// Loads the component and runs it once, without gradients.
    ///
    /// # Errors
    /// A file is missing or damaged, the configuration asks for something that is not built,
    /// the weights belong to another architecture, or the inputs do not fit.
    pub fn answer(&self) -> Result<Answer, RunError> {
        // The answer is compared with the reference's in full precision.
        crate::shim::allow_tf32(false);
        let inputs = Inputs::open(self.inputs, self.kind, self.device)?;
        let run = || tch::no_grad(|| networks::run(self, &inputs));
        let outputs = refusal::catch(run)??
            .into_iter()
            .map(|(name, tensor)| match tensor.is_floating_point() {
                true => (name, tensor.to_kind(Kind::Float)),
                false => (name, tensor),
            })
            .collect();
        Ok(Answer {
            outputs,
            unread: inputs.unread(),
        })
    }

    /// The component's network, which must use all of its weights.
    fn network<C: serde::de::DeserializeOwned, N>(
        &self,
        build: impl FnOnce(&Params, C) -> Result<N, WeightsError>,
    ) -> Result<N, RunError> {
        let config = read_config(self.config)?;
        let weights = self.weights.ok_or(RunError::NoWeights(self.component))?;
        let files = Checkpoint::open_path(weights)?;
        check_room(files.parameters(), self.kind, self.device)?;
        let network = files.network(config, self.kind, self.device, build);
        let (network, _) = network.map_err(|error| error.in_file(self.config))?;
        Ok(network)
    }
}
