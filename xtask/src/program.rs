//! Calling other programs, and saying what goes on.

use anyhow::{Context, Result, bail};
use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says which step begins.
pub(crate) fn announce(step: &str) {
    eprintln!("\n\x1b[1m▸ {step}\x1b[0m");
}

/// Says what a step found or did.
pub(crate) fn note(what: &str) {
    eprintln!("  {what}");
}

/// The first file of this name on `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// `cargo` in the clone's root. Cargo itself says through `CARGO` which one called us.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs a program to its end; what it prints goes to the terminal.
///
/// # Errors
/// When it can't be started, or ends with another status than 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_advising(command, "Mend what it names")
}

/// [`run`] of a program that fetches what it lacks.
///
/// # Errors
/// As [`run`].
pub(crate) fn fetch(command: &mut Command) -> Result<()> {
    run_advising(
        command,
        "Mend what it names (where a download failed, the network or its proxy)",
    )
}

fn run_advising(command: &mut Command, advice: &str) -> Result<()> {
    let name = shown(command);
    let status = command
        .status()
        .with_context(|| format!("`{name}` could not be started"))?;
    if !status.success() {
        bail!(
            "`{name}` ended with {status}; its own message stands above. {advice}, then run the same command \
             again: finished steps are kept"
        );
    }
    Ok(())
}

/// Runs a program to its end and returns what it wrote to standard output.
///
/// # Errors
/// As [`run`].
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let name = shown(command);
    let output = command
        .output()
        .with_context(|| format!("`{name}` could not be started"))?;
    if !output.status.success() {
        bail!(
            "`{name}` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program to its end, shows its standard output line by line as it comes and also
/// returns it, with whether the program ended with status 0.
///
/// # Errors
/// When it can't be started or its output can't be read.
pub(crate) fn tee(command: &mut Command) -> Result<(bool, String)> {
    let name = shown(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{name}` could not be started"))?;
    let stdout = child
        .stdout
        .take()
        .context("the child's standard output was piped above")?;
    let mut whole = String::new();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.with_context(|| format!("reading what `{name}` prints"))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        whole.push_str(&line);
        whole.push('\n');
    }
    Ok((child.wait()?.success(), whole))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_named_with_what_to_do() {
        let error = run(&mut Command::new("false")).unwrap_err().to_string();
        for expected in ["`false`", "exit status: 1", "run the same command again"] {
            assert!(error.contains(expected), "{expected} in {error}");
        }
        assert!(!error.contains("network"), "{error}");
    }

    #[test]
    fn a_program_that_fetches_says_where_to_look_as_well() {
        let error = fetch(&mut Command::new("false")).unwrap_err().to_string();
        for expected in ["`false`", "run the same command again", "network"] {
            assert!(error.contains(expected), "{expected} in {error}");
        }
        assert!(fetch(&mut Command::new("true")).is_ok());
    }
}
