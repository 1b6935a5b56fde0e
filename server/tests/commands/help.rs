//! What `--help` teaches.

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
