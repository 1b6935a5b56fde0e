//! What admins see.

mod survey;
mod surveys;

pub(crate) use survey::AdminSurvey;
pub(crate) use surveys::AdminSurveys;
