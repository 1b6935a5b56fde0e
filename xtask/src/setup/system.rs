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

/// The oldest Node that the page's tools and the browser tests run on: Debian 12's.
const OLDEST_NODE: u32 = 18;

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
/// When something is missing and can't be installed from here, or Node is too old; the error
/// says the command.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|need| !need.present)
        .map(|need| need.package)
        .collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    check_node(&program::read(Command::new("node").arg("--version"))?)
}

/// An older Node fails in the middle of a build or a test, in words that don't say why.
fn check_node(version: &str) -> Result<()> {
    let major = version.trim_start_matches('v').split('.').next();
    if major.and_then(|major| major.parse().ok()) >= Some(OLDEST_NODE) {
        return Ok(());
    }
    bail!(
        "Node {version} is too old: {OLDEST_NODE} or newer is needed. Bring a newer one to the front of PATH; \
         Debian 12's `apt-get install nodejs npm` has one"
    )
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
    program::fetch(Command::new("apt-get").args(["update", "--quiet"]))?;
    program::fetch(
        Command::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

#[cfg(test)]
mod tests {
    use super::check_node;

    #[test]
    fn a_node_that_is_too_old_is_refused_by_its_version() {
        for version in ["v18.20.4", "v20.0.0", "v100.1.2"] {
            assert!(check_node(version).is_ok(), "{version}");
        }
        for version in ["v12.22.12", "v17.9.1", "unknown"] {
            let refusal = check_node(version).unwrap_err().to_string();
            assert!(
                refusal.contains(version) && refusal.contains("18"),
                "{refusal}"
            );
        }
    }
}
