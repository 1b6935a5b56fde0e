//! `cargo xtask`: sets a fresh clone up, runs Predilect and tests it.
//!
//! Every set-up step looks first whether its work is done, so each command may be run at
//! any time and a second run takes seconds. What is fetched or built for all clones alike
//! lies in `~/.cache/predilect` (or `PREDILECT_CACHE_DIR`).

mod check;
mod checkout;
mod full_size;
mod program;
mod report;
mod serve;
mod setup;
mod web;

use checkout::Checkout;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Set a fresh clone up, run Predilect, test it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fetch and build all that Predilect and its tests need
    Setup,
    /// Build the page into dist/
    BuildWeb,
    /// Set up, build and serve on http://127.0.0.1:8080
    Run {
        /// Passed on to `predilect serve`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Set up and build, then compare networks of the published sizes with the reference libraries
    ///
    /// Random weights, so nothing is downloaded. It takes about 6 GB of disk and of memory.
    CheckFullSize(full_size::Arguments),
    /// Write the figures of docs/EVALUATION.md from what the `eval` commands wrote
    Report(report::Arguments),
    /// Set up, then format check, lints, docs, unit, HTTP and browser tests
    Test,
}

fn main() -> ExitCode {
    let outcome = Checkout::find().and_then(|checkout| match Cli::parse().task {
        Task::Setup => setup::for_tests(&checkout).map(|()| ExitCode::SUCCESS),
        Task::BuildWeb => web::set_up_and_build(&checkout).map(|_| ExitCode::SUCCESS),
        Task::Run { args } => serve::run(&checkout, &args).map(|()| ExitCode::SUCCESS),
        Task::CheckFullSize(arguments) => {
            full_size::run(&checkout, &arguments).map(|()| ExitCode::SUCCESS)
        }
        Task::Report(arguments) => report::run(&checkout, &arguments).map(|()| ExitCode::SUCCESS),
        Task::Test => check::run(&checkout),
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("\ncargo xtask stopped: {error:#}");
        ExitCode::FAILURE
    })
}
