//! What `--help` teaches.

use predilect_model::engine::MemoryAdvice;
use predilect_model::memory::TooLarge;
use predilect_model::run_component::RunError;
use predilect_model::training::{FitError, TrainError};
use predilect_server::config::MEMORY_ADVICE;

use crate::support::Workplace;

#[test]
fn the_help_names_the_commands_of_each_use_in_their_order() {
    let help = Workplace::empty().run("--help");
    let commands = [
        "predilect serve ",
        "predilect data build",
        "predilect train all",
        "predilect pairs build",
        "predilect eval mirror",
        "predilect serve --model-dir",
        "predilect model check",
    ];
    let mut rest = help.as_str();
    for command in commands {
        let at = rest.find(command);
        let at = at.unwrap_or_else(|| panic!("{command} is not in its place in {help}"));
        rest = &rest[at..];
    }
}

#[test]
fn every_stage_of_the_training_is_explained() {
    let help = Workplace::empty().run("train --help");
    for stage in [
        "judge",
        "clip",
        "stage-a",
        "stage-b",
        "stage-c",
        "vlm",
        "preference",
    ] {
        let line = help
            .lines()
            .find(|line| line.contains(&format!("- {stage}:")));
        assert!(line.is_some(), "{stage} in {help}");
    }
}

#[test]
fn what_to_try_where_memory_is_lacking_are_flags_of_the_command() {
    let lack = || TooLarge {
        needed: 2.0,
        free: 1.0,
        dtype: "f32",
    };
    let place = Workplace::empty();
    for (command, advice) in [
        ("serve", MEMORY_ADVICE.weights.to_owned()),
        ("serve", MEMORY_ADVICE.work.to_owned()),
        ("train", TrainError::TooLarge(lack()).to_string()),
        ("train", TrainError::Memory.to_string()),
        (
            "model fit-previewer",
            FitError::TooLarge(lack()).to_string(),
        ),
        ("model fit-previewer", FitError::Memory.to_string()),
        ("model run", RunError::TooLarge(lack()).to_string()),
        ("model run", RunError::Memory.to_string()),
    ] {
        let help = place.run(&format!("{command} --help"));
        let is_flag = |word: &&str| word.starts_with("--");
        let flags: Vec<&str> = advice.split([' ', ',']).filter(is_flag).collect();
        assert!(!flags.is_empty(), "{advice}");
        for flag in flags {
            let known = help.split_whitespace().any(|word| word == flag);
            assert!(known, "{command} has no {flag}: {advice}");
        }
    }
    let unknown = MemoryAdvice::default();
    assert!(!unknown.weights.contains("--") && !unknown.work.contains("--"));
}
