//! CLIP (Radford et al. 2021): the text and the vision encoder with their projections into one
//! space, as transformers has them.

mod text;
mod vision;

pub use text::{ClipTextConfig, ClipTextModelWithProjection, ClipTextOutput};
pub use vision::{ClipVisionConfig, ClipVisionModelWithProjection, ClipVisionOutput};
