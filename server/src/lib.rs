//! The server of Predilect, as a library: `predilect serve` runs it, and the tests drive
//! the same router.

pub mod app;
pub mod config;
pub mod files;
pub mod http;
pub mod jobs;
pub mod pair_order;
pub mod parse;
pub mod picture_text;
pub mod profile_code;
pub mod serve;
pub mod session_token;
pub mod store;
