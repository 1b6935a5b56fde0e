//! `cargo xtask check-full-size`.

use crate::checkout::Checkout;
use crate::program::{self, announce};
use crate::{serve, setup};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A Python that has torch, diffusers and transformers
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    python: PathBuf,
    /// Where the weights go; they are kept for the next time
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    /// One network alone: stage-c, stage-b or vlm
    #[arg(long, value_name = "NETWORK")]
    only: Option<String>,
}

/// Writes random networks, lets the reference libraries and `predilect` answer, and compares.
///
/// # Errors
/// When the set-up fails, there is too little memory, or an answer differs too much.
pub(crate) fn run(checkout: &Checkout, arguments: &Arguments) -> Result<()> {
    setup::for_the_program(checkout)?;
    serve::build_server(checkout)?;
    announce("networks of the published sizes");
    let mut python = Command::new(&arguments.python);
    python
        .arg(checkout.root.join("tests/parity/full_size.py"))
        .arg("--program")
        .arg(checkout.predilect())
        .arg("--dir")
        .arg(&arguments.dir)
        // Python's torch brings its own libraries.
        .env_remove("LD_LIBRARY_PATH");
    if let Some(only) = &arguments.only {
        python.arg("--only").arg(only);
    }
    program::run(&mut python)
}
