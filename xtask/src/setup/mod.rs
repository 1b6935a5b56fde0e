//! The set-up, a module per step. Each step is done once and found done afterwards.

pub(crate) mod libtorch;
pub(crate) mod machete;
pub(crate) mod npm;
pub(crate) mod system;
pub(crate) mod wasm;

use crate::checkout::Checkout;
use anyhow::Result;
use std::fs;
use std::path::Path;
use system::Need;
use wasm::WasmToolchain;

/// What serving needs; returns the compiler for the page.
///
/// # Errors
/// When something is missing that only the user can bring; the error says the command.
pub(crate) fn for_serving(checkout: &Checkout) -> Result<WasmToolchain> {
    for_the_program(checkout)?;
    for_the_page(checkout)
}

/// What building the program needs.
///
/// # Errors
/// As [`for_serving`].
pub(crate) fn for_the_program(checkout: &Checkout) -> Result<()> {
    system::ensure(&system::for_serving())?;
    libtorch::ensure(checkout)
}

/// What building the page needs; returns the compiler for it.
///
/// # Errors
/// As [`for_serving`].
pub(crate) fn for_the_page(checkout: &Checkout) -> Result<WasmToolchain> {
    let toolchain = WasmToolchain::ensure(checkout)?;
    npm::ensure(&checkout.root.join("frontend"))?;
    Ok(toolchain)
}

/// All that the tests need.
///
/// # Errors
/// As [`for_serving`].
pub(crate) fn for_tests(checkout: &Checkout) -> Result<()> {
    let mut needs = system::for_serving();
    needs.push(Need::file("chromium", "/usr/bin/chromium"));
    system::ensure(&needs)?;
    for_serving(checkout)?;
    npm::ensure(&checkout.root.join("tests/e2e"))?;
    machete::ensure(checkout)?;
    Ok(())
}

/// Whether `stamp` says that this very thing was already done.
fn stamped(stamp: &Path, what: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|found| found.trim() == what)
}
