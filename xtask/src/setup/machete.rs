//! cargo-machete, which finds dependencies that nothing uses.

use crate::checkout::Checkout;
use crate::program::{self, announce, note};
use anyhow::Result;
use std::path::PathBuf;

const VERSION: &str = "0.9.2";

/// Installs cargo-machete into the cache unless it is there; returns the program.
///
/// # Errors
/// When cargo can't install it.
pub(crate) fn ensure(checkout: &Checkout) -> Result<PathBuf> {
    announce(&format!("cargo-machete {VERSION}"));
    let folder = checkout.cache.join(format!("cargo-machete-{VERSION}"));
    let program = folder.join("bin/cargo-machete");
    if program.is_file() {
        note("found");
        return Ok(program);
    }
    program::fetch(
        program::cargo(&checkout.root)
            .args([
                "install",
                "cargo-machete",
                "--locked",
                "--version",
                VERSION,
                "--root",
            ])
            .arg(&folder)
            .env_remove("CARGO_TARGET_DIR"),
    )?;
    Ok(program)
}
