//! What is learned beside the next token.

use tch::{Kind, Tensor};

use crate::evaluation::axes::Axis;
use crate::networks::layers::Linear;
use crate::weights::{Params, WeightsError};

/// Width of the space in which a person's state and a picture's features meet.
const CHOICE_DIM: i64 = 64;

/// What is read off the states beside the next token: which pictures the person likes, and the
/// axes of what was shown, but for the withheld ones. Trained beside the model to bring the taste into its states; no part
/// of it.
pub(super) struct Heads {
    person: Linear,
    picture: [Linear; 2],
    axes: Linear,
    lead: Linear,
    pub(super) params: Params,
}

impl Heads {
    pub(super) fn new(
        model: &Params,
        hidden: i64,
        picture_channels: i64,
    ) -> Result<Self, WeightsError> {
        let params = Params::random(1, model.kind(), model.device());
        let inner = 2 * CHOICE_DIM;
        let axes = Axis::TOLD.len() as i64;
        Ok(Self {
            person: Linear::new(&params.sub("person"), hidden, CHOICE_DIM)?,
            picture: [
                Linear::new(&params.sub("picture.0"), picture_channels, inner)?,
                Linear::new(&params.sub("picture.1"), inner, CHOICE_DIM)?,
            ],
            axes: Linear::new(&params.sub("axes"), hidden, axes)?,
            lead: Linear::new(&params.sub("lead"), hidden, axes)?,
            params,
        })
    }

    /// States `[B, hidden]` to `[B, CHOICE_DIM]` f32.
    pub(super) fn person(&self, states: &Tensor) -> Tensor {
        self.person.forward(states).to_kind(Kind::Float)
    }

    /// Vision features `[B, positions, channels]` to `[B, CHOICE_DIM]` f32.
    pub(super) fn picture(&self, features: &Tensor) -> Tensor {
        let mean = features.mean_dim([1i64].as_slice(), false, features.kind());
        let hidden = self.picture[0].forward(&mean).gelu("none");
        self.picture[1].forward(&hidden).to_kind(Kind::Float)
    }

    /// Mean squared error of the axes of the pictures before `states` (`[N, hidden]`); `axes`
    /// are the measured ones that may be told, row by row.
    pub(super) fn axes_loss(&self, states: &Tensor, axes: &[f32]) -> Tensor {
        mean_squared(&self.axes.forward(states), axes)
    }

    /// Mean squared error of how far the preferred pictures are ahead on each axis.
    pub(super) fn lead_loss(&self, states: &Tensor, leads: &[f32]) -> Tensor {
        mean_squared(&self.lead.forward(states), leads)
    }
}

fn mean_squared(answered: &Tensor, wanted: &[f32]) -> Tensor {
    let wanted = Tensor::from_slice(wanted).view(answered.size().as_slice());
    let wanted = wanted.to_device(answered.device());
    answered
        .to_kind(Kind::Float)
        .mse_loss(&wanted, tch::Reduction::Mean)
}
