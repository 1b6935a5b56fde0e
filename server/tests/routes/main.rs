//! HTTP tests against the real router with a real, randomly initialised mini model: a
//! module per resource, laid out like the routes.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

mod account;
mod admin;
mod api_tokens;
mod choices;
mod crash;
mod documented;
mod events;
mod gallery;
mod generations;
mod health;
mod hub_layout;
mod images;
mod model;
mod openapi;
mod pairs;
mod problems;
mod profiles;
mod sessions;
mod setup;
mod support;
mod surveys;
mod web;
