//! `predilect data build` where npm or a package is missing.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::support::{Workplace, words};

/// Runs a build with this and nothing else on the PATH.
fn build(place: &Workplace) -> Output {
    let mut command = place.predilect("data build");
    command.env("PATH", place.path("bin")).output().unwrap()
}

#[test]
fn a_missing_npm_is_named_with_how_to_get_it() {
    let place = Workplace::empty();
    let output = build(&place);
    let said = words(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("npm could not be started"), "{said}");
    assert!(said.contains("apt-get install npm"), "{said}");
}

#[test]
fn a_missing_package_is_named_with_npms_reason() {
    let place = Workplace::empty();
    fs::create_dir(place.path("bin")).unwrap();
    let npm = place.path("bin/npm");
    fs::write(&npm, "#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&npm, fs::Permissions::from_mode(0o755)).unwrap();
    let output = build(&place);
    let said = words(&output);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("@lobehub/fluent-emoji-3d@1.1.0 could not be fetched"),
        "{said}"
    );
    assert!(said.contains("E404") && said.contains("network"), "{said}");
    let left = fs::read_dir(place.path("npm")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"], "nothing half fetched stays");
}
