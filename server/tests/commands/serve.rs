//! `predilect serve`: what it says when it can't.

use std::net::TcpListener;

use crate::support::{Workplace, shipped, words};

#[test]
fn a_port_that_is_taken_is_said_with_the_way_to_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = Workplace::empty()
        .predilect(&format!("serve --listen {address}"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = words(&output);
    assert!(
        said.contains(&address.to_string()) && said.contains("--listen 127.0.0.1:"),
        "{said}"
    );
}

#[test]
fn switches_of_the_environment_are_on_at_1_and_off_at_0() {
    // A taken port is what it stumbles over once it has understood its settings.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Workplace::empty();
    for value in ["1", "0", "true", "false", "yes", "no"] {
        let mut command = place.predilect(&format!("serve --listen {address}"));
        for switch in ["LITE", "OFFLOAD", "SECURE_COOKIES", "TRUST_FORWARDED_FOR"] {
            command.env(format!("PREDILECT_{switch}"), value);
        }
        let said = words(&command.output().unwrap());
        assert!(said.contains("cannot listen on"), "{value}: {said}");
    }
}

#[test]
fn a_model_of_predilects_own_has_no_lite_one() {
    let model = shipped();
    let model = model.display();
    let place = Workplace::empty();
    for command in [
        format!("serve --listen 127.0.0.1:0 --data-dir data --model-dir {model}"),
        format!("model check {model}"),
        format!("model fit-previewer {model}"),
    ] {
        let said = place.fail(&format!("{command} --lite"));
        assert!(said.contains("leave --lite"), "{command}: {said}");
    }
    let said = place.fail("train judge --lite");
    assert!(said.contains("--lite are for published models"), "{said}");
    // Set for serving, the variable asks nothing of a training.
    let mut train = place.predilect("train judge");
    let said = words(&train.env("PREDILECT_LITE", "1").output().unwrap());
    assert!(said.contains("predilect data build"), "{said}");
}
