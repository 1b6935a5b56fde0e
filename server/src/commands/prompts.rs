//! Prompts in a file, one a line.

use std::path::Path;

use anyhow::{Context, ensure};

/// The lines of a file that are not empty.
///
/// # Errors
/// When it cannot be read, or has none.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let prompts: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    ensure!(
        !prompts.is_empty(),
        "{} has no prompt: it needs one a line",
        path.display()
    );
    Ok(prompts)
}
