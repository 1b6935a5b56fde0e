//! `cargo xtask test`: every check and every test, and one line that sums them up.

mod tally;

use crate::checkout::Checkout;
use crate::program::{self, announce, cargo};
use crate::{serve, setup, web};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use tally::Tally;

/// Sets up and runs all checks and tests, the rest also where one fails. The last line is
/// `N passed, N failed`, counted from what the test runners report; a check that fails
/// (format, lints, docs, unused dependencies) counts as one failure.
///
/// # Errors
/// When the set-up or a runner can't be started.
pub(crate) fn run(checkout: &Checkout) -> Result<ExitCode> {
    setup::for_tests(checkout)?;
    let mut total = Tally::default();
    for (what, mut command) in checks(checkout)? {
        announce(what);
        total += Tally::check(what, program::run(&mut command));
    }
    total += rust_tests(&checkout.root)?;
    total += browser_tests(checkout)?;

    for failure in &total.failures {
        println!("failed: {failure}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn checks(checkout: &Checkout) -> Result<Vec<(&'static str, Command)>> {
    let root = &checkout.root;
    let mut format = cargo(root);
    format.args(["fmt", "--all", "--check"]);
    let mut lints = cargo(root);
    lints.args([
        "clippy",
        "--release",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]);
    let mut docs = cargo(root);
    docs.args([
        "doc",
        "--release",
        "--locked",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ])
    .env("RUSTDOCFLAGS", "--deny warnings");
    let mut unused = Command::new(setup::machete::ensure(checkout)?);
    unused.arg(root);
    Ok(vec![
        ("format", format),
        ("lints", lints),
        ("docs", docs),
        ("unused dependencies", unused),
    ])
}

/// Unit, parity, HTTP and documentation tests, and the page's components on the host.
fn rust_tests(root: &Path) -> Result<Tally> {
    announce("Rust tests");
    let mut command = cargo(root);
    command.args([
        "test",
        "--release",
        "--locked",
        "--workspace",
        "--no-fail-fast",
    ]);
    let (success, output) = program::tee(&mut command)?;
    Ok(Tally::of_cargo(&output).settled("cargo test", success))
}

/// The journeys in Chromium, against the built program and page.
fn browser_tests(checkout: &Checkout) -> Result<Tally> {
    if let Err(error) = web::set_up_and_build(checkout).and_then(|()| serve::build_server(checkout))
    {
        return Ok(Tally::check("building for the browser tests", Err(error)));
    }
    announce("browser tests");
    let report = checkout.host_target.join("playwright.json");
    if report.exists() {
        fs::remove_file(&report)?;
    }
    let ran = program::run(
        Command::new("npx")
            .args(["--no-install", "playwright", "test", "--reporter=list,json"])
            .current_dir(checkout.root.join("tests/e2e"))
            .env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report)
            .env("PREDILECT_BIN", checkout.predilect()),
    );
    if !report.is_file() {
        return Ok(Tally::check("browser tests left no report", ran));
    }
    let report = fs::read_to_string(&report).context("reading Playwright's report")?;
    Ok(Tally::of_playwright(&report)?.settled("playwright test", ran.is_ok()))
}
