//! What each route shows, and its state.

mod account;
mod admin;
mod choose;
mod create;
mod gallery;
mod not_found;
mod profiles;
mod survey;

pub(crate) use account::Account;
pub(crate) use admin::{AdminSurvey, AdminSurveys};
pub(crate) use choose::Choose;
pub(crate) use create::Create;
pub(crate) use gallery::Gallery;
pub(crate) use not_found::NotFound;
pub(crate) use profiles::Profiles;
pub(crate) use survey::Survey;
