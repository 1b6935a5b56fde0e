//! The commands of the program, run as processes, on sets of pictures and networks small enough
//! for a test.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

mod data;
mod help;
mod model;
mod published;
mod serve;
mod support;
mod train;
