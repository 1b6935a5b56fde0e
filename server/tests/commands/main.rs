//! The commands of the program that make a model, run as processes, on a set of pictures small
//! enough to train on within a test.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

mod support;
mod train;
