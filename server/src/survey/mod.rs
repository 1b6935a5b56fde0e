//! What comes of a survey: the same votes for the page, the API and an export.

mod export;
mod results;

pub use export::{csv, json_lines};
pub use results::{Selection, results};
