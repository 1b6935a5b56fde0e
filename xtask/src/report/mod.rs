//! `cargo xtask report`: the figures of docs/EVALUATION.md, from what the `eval` commands wrote.
//!
//! Everything shown is in the JSON files of `docs/evaluation/`, one for each measurement; from the
//! same files come the same bytes.

mod figures;
mod measure;
mod plot;

use crate::checkout::Checkout;
use crate::program::{announce, note};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Measure first: run the `eval` commands whose JSON file is not there yet
    ///
    /// On two idle cores it takes some ten minutes. A file that is removed is measured again.
    #[arg(long)]
    measure: bool,
}

/// The document, in the clone.
const DOCUMENT: &str = "docs/EVALUATION.md";
/// The measurements, and the plots of them.
const FOLDER: &str = "docs/evaluation";
/// What stands around the figures in the document.
const BEGIN: &str = "<!-- The figures, written by `cargo xtask report`: begin -->";
const END: &str = "<!-- The figures: end -->";

/// What the report consists of.
struct Rendered {
    document: String,
    /// By file name.
    plots: BTreeMap<String, String>,
}

/// Measures where asked to, and writes the figures.
///
/// # Errors
/// When a command fails, or a file can't be read or written.
pub(crate) fn run(checkout: &Checkout, arguments: &Arguments) -> Result<()> {
    if arguments.measure {
        measure::all(checkout)?;
    }
    announce("the figures of the evaluation");
    let rendered = render(&checkout.root)?;
    write(&checkout.root.join(DOCUMENT), &rendered.document)?;
    for (name, plot) in &rendered.plots {
        write(&checkout.root.join(FOLDER).join(name), plot)?;
    }
    note(&format!("{DOCUMENT} and {} plots", rendered.plots.len()));
    Ok(())
}

/// The document and the plots as they have to be, by the measurements in this clone.
fn render(root: &Path) -> Result<Rendered> {
    let (mut text, mut plots) = (String::new(), BTreeMap::new());
    for measurement in measure::MEASUREMENTS {
        let path = root.join(FOLDER).join(format!("{}.json", measurement.name));
        if !path.exists() {
            continue;
        }
        let file = || path.display().to_string();
        let json = fs::read_to_string(&path).with_context(file)?;
        let figure = figures::figure(measurement, &json).with_context(file)?;
        text.push_str(&figure.text);
        if root.join(FOLDER).join(measurement.sheet()).exists() {
            let sheet = measurement.sheet();
            text.push_str(&format!("\n![{}](evaluation/{sheet})\n", measurement.title));
        }
        plots.extend(figure.plots);
    }
    let path = root.join(DOCUMENT);
    let document = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let document = between(&document, &text)?;
    Ok(Rendered { document, plots })
}

/// The document with this between its marks.
fn between(document: &str, figures: &str) -> Result<String> {
    let missing = || format!("{DOCUMENT} has lost one of its marks, {BEGIN} and {END}");
    let (before, rest) = document.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!("{before}{BEGIN}\n{figures}\n{END}{after}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    #[test]
    fn the_document_says_what_was_measured() {
        let rendered = render(root()).unwrap();
        let document = fs::read_to_string(root().join(DOCUMENT)).unwrap();
        assert!(document == rendered.document, "run cargo xtask report");
        for (name, plot) in rendered.plots {
            let there = fs::read_to_string(root().join(FOLDER).join(&name)).unwrap();
            assert!(there == plot, "{name}: run cargo xtask report");
        }
    }

    #[test]
    fn rendering_again_changes_nothing() {
        let once = between(&format!("# A\n{BEGIN}old\n{END}\nB\n"), "\n### C\n").unwrap();
        assert_eq!(once, format!("# A\n{BEGIN}\n\n### C\n\n{END}\nB\n"));
        assert_eq!(between(&once, "\n### C\n").unwrap(), once);
        assert!(between("# A\n", "").is_err());
    }

    #[test]
    fn nothing_lies_beside_the_measurements_that_none_of_them_is() {
        for file in fs::read_dir(root().join(FOLDER)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let known = measure::MEASUREMENTS
                .iter()
                .any(|one| name.starts_with(one.name));
            assert!(known || name == "prompts.txt", "{name}");
        }
    }
}
