//! npm packages, as their lock files name them.

use super::stamped;
use crate::program::{self, announce, note};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Installs the packages of `folder` unless they are there as its lock file names them.
///
/// # Errors
/// When the lock file is missing or npm fails.
pub(crate) fn ensure(folder: &Path) -> Result<()> {
    announce(&format!("npm packages of {}", folder.display()));
    let lock = fs::read(folder.join("package-lock.json"))
        .with_context(|| format!("reading package-lock.json in {}", folder.display()))?;
    let version = crate::web::hex(&Sha256::digest(&lock));
    let stamp = folder.join("node_modules/.stamp");
    if stamped(&stamp, &version) {
        note("found");
        return Ok(());
    }
    program::fetch(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(folder)
            // The browser is Debian's; Playwright's own is not fetched.
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"),
    )?;
    fs::write(stamp, version)?;
    Ok(())
}
