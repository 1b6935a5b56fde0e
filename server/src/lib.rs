//! The server of Predilect, as a library: `predilect serve` runs it, and the tests drive
//! the same router.

pub mod app;
pub mod archive;
pub mod attempts;
pub mod config;
pub mod data_export;
pub mod files;
pub mod http;
pub mod jobs;
pub mod pair_order;
pub mod parse;
pub mod passwords;
pub mod picture_name;
pub mod picture_text;
pub mod profile_code;
pub mod serve;
pub mod store;
pub mod survey;
pub mod token;
