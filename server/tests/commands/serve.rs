//! `predilect serve`: what it says when it can't.

use std::net::TcpListener;

use crate::support::{Workplace, words};

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
