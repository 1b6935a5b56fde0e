//! The wire between the frontend and the server: requests, responses and events
//! of `/api/v1`, as serde types.
//!
//! Requests refuse unknown fields. Numbers in requests are wider than what is
//! allowed, so that the server can answer a number out of range in words, naming
//! the field and the range.

mod account;
mod admin;
mod event;
mod generation;
mod id;
mod image;
mod model;
mod pair;
mod problem;
mod profile;
#[cfg(feature = "openapi")]
mod schema;
mod session;
mod survey;

pub use account::{
    Account, ApiToken, ApiTokenList, ChangePassword, CreatedApiToken, DeleteEverything, LogIn,
    MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, NewApiToken, Register, Role, Secret,
};
pub use admin::{SetUpAdmin, User, UserList};
pub use event::GenerationEvent;
pub use generation::{Generation, GenerationList, GenerationState, NewGeneration, ProfileWeight};
pub use id::{
    ApiTokenId, ChoiceId, GenerationId, ImageId, PairId, PersonId, ProfileId, SurveyId,
    SurveyItemId,
};
pub use image::{
    BlendedProfile, ChangeImage, Image, ImageArchive, ImageDetails, ImageIdList, ImageList,
    ImageSelection, MAX_SELECTED_IMAGES,
};
pub use model::{Bounds, ModelCard};
pub use pair::{Choice, ChoiceProgress, NewChoice, Pair};
pub use problem::{FieldError, PROBLEM_CONTENT_TYPE, Problem};
pub use profile::{
    ImportProfile, MAX_NAME_CHARS, NameProfile, Profile, ProfileCode, ProfileList, ProfileState,
    RenameProfile,
};
pub use session::Session;
pub use survey::{
    AgreementResult, ArmPicture, ArmStrength, ArmWinRate, Audience, BlindItem, ChangeSurvey,
    ConfidenceInterval, NewSurvey, NewSurveyItem, NewSurveyVote, ResponseTimeResult,
    SideBiasResult, Survey, SurveyList, SurveyProgress, SurveyResults, SurveyState, SurveyVote,
    WinRateEstimate,
};
