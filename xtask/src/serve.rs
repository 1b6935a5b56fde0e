//! `cargo xtask run`.

use crate::checkout::Checkout;
use crate::program::{self, announce};
use crate::{setup, web};
use anyhow::{Result, anyhow};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Sets up, builds the page and the program, and becomes `predilect serve`.
///
/// # Errors
/// When a step fails; on success it never returns.
pub(crate) fn run(checkout: &Checkout, args: &[String]) -> Result<()> {
    let toolchain = setup::for_serving(checkout)?;
    web::build(checkout, &toolchain)?;
    build_server(checkout)?;
    announce("predilect serve");
    let error = Command::new(checkout.predilect())
        .arg("serve")
        .args(args)
        .current_dir(&checkout.root)
        .exec();
    Err(anyhow!(error).context(format!("starting {}", checkout.predilect().display())))
}

/// Builds `target/release/predilect`.
///
/// # Errors
/// When it doesn't compile.
pub(crate) fn build_server(checkout: &Checkout) -> Result<()> {
    announce("building predilect");
    program::fetch(program::cargo(&checkout.root).args([
        "build",
        "--release",
        "--locked",
        "--package",
        "predilect-server",
    ]))
}
