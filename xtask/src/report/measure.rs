//! The measurements, and the commands that make them.

use crate::checkout::Checkout;
use crate::program::{self, announce, note};
use crate::{serve, setup};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::process::Command;

use super::FOLDER;

/// One measurement: a run of an `eval` command.
pub(super) struct Measurement {
    /// Of its files.
    pub(super) name: &'static str,
    /// Of its figures.
    pub(super) title: &'static str,
    /// What was asked.
    pub(super) kind: Kind,
    /// What follows `predilect eval KIND`.
    arguments: &'static str,
    /// Whether its sheet of pictures is shown.
    keeps_sheet: bool,
}

/// The `eval` commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Pictures,
    Mirror,
    Winrate,
    Blend,
    Variety,
}

impl Kind {
    /// Of the command, and of the files that it writes.
    fn name(self) -> &'static str {
        match self {
            Self::Pictures => "pictures",
            Self::Mirror => "mirror",
            Self::Winrate => "winrate",
            Self::Blend => "blend",
            Self::Variety => "variety",
        }
    }

    /// Lists of single things that are too long to be kept.
    fn left_out(self) -> &'static [&'static str] {
        match self {
            Self::Pictures => &["pictures"],
            Self::Mirror => &["people"],
            Self::Winrate => &["comparisons"],
            Self::Blend => &["couples"],
            Self::Variety => &[],
        }
    }
}

/// Where commands write before their results are kept, in the clone.
const WORK: &str = "target/evaluation";
/// The people, drawn for all measurements that need any.
const PEOPLE: &str = "users sample --count 60 --seed 5 --out target/evaluation/users.json";

const fn of(
    name: &'static str,
    title: &'static str,
    kind: Kind,
    arguments: &'static str,
) -> Measurement {
    Measurement {
        name,
        title,
        kind,
        arguments,
        keeps_sheet: false,
    }
}

/// All measurements, in the order of the document.
pub(super) const MEASUREMENTS: &[Measurement] = &[
    of(
        "winrate",
        "Win rates of held-out people",
        Kind::Winrate,
        "--users target/evaluation/users.json --prompts docs/evaluation/prompts.txt \
         --pairs assets/pairs --pairs-per-user 4,2,8,16 --best-of 64",
    ),
    of(
        "winrate-telling",
        "Win rates with the pairs that tell most",
        Kind::Winrate,
        "--users target/evaluation/users.json --prompts docs/evaluation/prompts.txt \
         --pairs assets/pairs --pairs-per-user 4,8 --shown telling",
    ),
    of(
        "blend",
        "Blends of two people",
        Kind::Blend,
        "--users target/evaluation/users.json --pairs assets/pairs",
    ),
    of(
        "mirror",
        "The mirror test",
        Kind::Mirror,
        "--pairs assets/pairs --people 20 --seeds 8",
    ),
    of(
        "mirror-1",
        "The mirror test, other people",
        Kind::Mirror,
        "--pairs assets/pairs --people 20 --seeds 8 --seed 1",
    ),
    Measurement {
        keeps_sheet: true,
        ..of(
            "pictures",
            "Do pictures show what was asked for?",
            Kind::Pictures,
            "--count 40",
        )
    },
    of(
        "pictures-120",
        "The same of 120 other subjects",
        Kind::Pictures,
        "--count 120 --seed 1",
    ),
    of(
        "pictures-reworded",
        "The same in sentences that training has not seen",
        Kind::Pictures,
        "--count 120 --seed 1 --wording reworded",
    ),
    of(
        "pictures-held-out",
        "The same of subjects that training has not seen",
        Kind::Pictures,
        "--count 120 --held-out",
    ),
    of(
        "variety",
        "Variety, and copies",
        Kind::Variety,
        "--prompts 6 --seeds 64 --pictures 150",
    ),
];

impl Measurement {
    /// The file of its sheet.
    pub(super) fn sheet(&self) -> String {
        format!("{}.png", self.name)
    }

    /// What the program is told, written as on a command line.
    fn command(&self) -> String {
        format!(
            "eval {} --model assets/mini {} --out {WORK}/{}",
            self.kind.name(),
            self.arguments,
            self.name
        )
    }
}

/// Runs the commands of all measurements that are not there, one after the other.
///
/// # Errors
/// When the set-up or a command fails; what was measured before is kept.
pub(super) fn all(checkout: &Checkout) -> Result<()> {
    let root = &checkout.root;
    let json = |one: &Measurement| root.join(FOLDER).join(format!("{}.json", one.name));
    let missing: Vec<&Measurement> = MEASUREMENTS
        .iter()
        .filter(|one| !json(one).exists())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    setup::for_the_program(checkout)?;
    serve::build_server(checkout)?;
    fs::create_dir_all(root.join(WORK)).with_context(|| WORK.to_owned())?;
    predilect(checkout, PEOPLE)?;
    for (done, one) in missing.iter().enumerate() {
        announce(&format!(
            "measurement {} of {}: {}",
            done + 1,
            missing.len(),
            one.title
        ));
        predilect(checkout, &one.command())?;
        let made = root.join(WORK).join(one.name);
        let report = made.join(format!("{}.json", one.kind.name()));
        let report = fs::read_to_string(&report).with_context(|| report.display().to_string())?;
        if one.keeps_sheet {
            let sheet = made.join(format!("{}.png", one.kind.name()));
            let kept = root.join(FOLDER).join(one.sheet());
            fs::copy(&sheet, kept).with_context(|| sheet.display().to_string())?;
        }
        // Last, so that a measurement whose JSON is there is whole.
        super::write(&json(one), &kept(one.kind, &report)?)?;
        note(&format!("{FOLDER}/{}.json", one.name));
    }
    Ok(())
}

/// A report without its long lists.
fn kept(kind: Kind, report: &str) -> Result<String> {
    let mut report: Value = serde_json::from_str(report)?;
    if let Some(fields) = report.as_object_mut() {
        for name in kind.left_out() {
            fields.remove(*name);
        }
    }
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn predilect(checkout: &Checkout, arguments: &str) -> Result<()> {
    let mut command = Command::new(checkout.predilect());
    command
        .args(arguments.split_whitespace())
        .current_dir(&checkout.root);
    program::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measurement_has_a_name_of_its_own_and_writes_into_its_own_folder() {
        for (i, one) in MEASUREMENTS.iter().enumerate() {
            assert!(MEASUREMENTS[..i].iter().all(|other| other.name != one.name));
            assert!(one.command().ends_with(&format!("{WORK}/{}", one.name)));
        }
    }

    #[test]
    fn what_is_kept_leaves_out_the_long_lists_alone() {
        let report = r#"{"made": {"command": "c"}, "people": 60, "comparisons": [1, 2]}"#;
        let kept: Value = serde_json::from_str(&kept(Kind::Winrate, report).unwrap()).unwrap();
        assert_eq!(kept["people"], 60);
        assert!(kept.get("comparisons").is_none());
        assert!(super::kept(Kind::Winrate, "no JSON").is_err());
    }
}
