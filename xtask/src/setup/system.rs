//! Programs that the distribution's packages bring.

use crate::program::{self, announce, note};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// A program and the Debian package it comes in.
pub(crate) struct Need {
    package: &'static str,
    present: bool,
}

impl Need {
    /// A program found through `PATH`.
    fn program(package: &'static str, name: &str) -> Self {
        Self {
            package,
            present: program::find(name).is_some(),
        }
    }

    /// A file at a fixed place.
    pub(crate) fn file(package: &'static str, path: &str) -> Self {
        Self {
            package,
            present: Path::new(path).is_file(),
        }
    }

    /// Something only running a command can tell.
    fn answers(package: &'static str, command: &mut Command) -> Self {
        Self {
            package,
            present: program::read(command).is_ok(),
        }
    }
}

/// The programs that the set-up and the build call.
pub(crate) fn for_serving() -> Vec<Need> {
    vec![
        Need::program("g++", "c++"),
        Need::program("python3", "python3"),
        Need::answers(
            "python3-pip",
            Command::new("python3").args(["-m", "pip", "--version"]),
        ),
        Need::program("nodejs", "node"),
        Need::program("npm", "npm"),
    ]
}

/// Installs what is missing when run as root on Debian or a relative of it.
///
/// # Errors
/// When something is missing and can't be installed from here; the error says the command.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|need| !need.present)
        .map(|need| need.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// Installs Debian packages.
///
/// # Errors
/// As [`ensure`].
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    announce(&format!("system packages: {names}"));
    if program::find("apt-get").is_none() {
        bail!(
            "these Debian packages or their like are missing: {names}. Install them, then run the command again"
        );
    }
    if program::read(Command::new("id").arg("-u"))? != "0" {
        bail!("packages are missing. Run: sudo apt-get install --yes {names}");
    }
    note("installing with apt-get");
    program::run(Command::new("apt-get").args(["update", "--quiet"]))?;
    program::run(
        Command::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
