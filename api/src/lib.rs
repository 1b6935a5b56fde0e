//! The wire between the frontend and the server: requests, responses and events
//! of `/api/v1`, as serde types.
//!
//! Requests refuse unknown fields. Numbers in requests are wider than what is
//! allowed, so that the server can answer a number out of range in words, naming
//! the field and the range.

mod event;
mod generation;
mod id;
mod model;
mod pair;
mod problem;
mod profile;
mod session;

pub use event::GenerationEvent;
pub use generation::{
    Generation, GenerationList, GenerationState, Image, NewGeneration, ProfileWeight,
};
pub use id::{GenerationId, ImageId, PairId, ProfileId};
pub use model::{Bounds, ModelCard};
pub use pair::{Choice, ChoiceProgress, NewChoice, Pair};
pub use problem::{FieldError, PROBLEM_CONTENT_TYPE, Problem};
pub use profile::{
    ImportProfile, NameProfile, Profile, ProfileCode, ProfileList, ProfileState, RenameProfile,
};
pub use session::Session;
