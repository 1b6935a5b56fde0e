//! The set-up, a module per step. Each step is done once and found done afterwards.

pub(crate) mod libtorch;
pub(crate) mod machete;
pub(crate) mod npm;
pub(crate) mod system;
pub(crate) mod wasm;

use crate::checkout::Checkout;
use crate::program::note;
use anyhow::{Context, Result};
use std::fs::{self, File, TryLockError};
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

/// Waits until no other process holds the lock of this file, and says first what is waited for;
/// a process lets go of it however it ends.
///
/// # Errors
/// When the file can't be written.
pub(crate) fn lock(path: &Path, held_because: &str) -> Result<File> {
    let lock = File::create(path).with_context(|| format!("writing {}", path.display()))?;
    let locked = match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            note(&format!("waiting: {held_because} ({})", path.display()));
            lock.lock()
        }
        Err(TryLockError::Error(error)) => Err(error),
    };
    locked.with_context(|| format!("waiting for {}", path.display()))?;
    Ok(lock)
}

/// Removes what killed commands left in a folder under names that begin so. Right only under the
/// lock of those who make them.
///
/// # Errors
/// When a folder can't be removed.
pub(crate) fn sweep(folder: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let stale = entry.path();
            fs::remove_dir_all(&stale).with_context(|| format!("removing {}", stale.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn what_a_killed_command_left_is_swept_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join(".libtorch-abc");
        fs::create_dir_all(stale.join("out/lib")).unwrap();
        let kept = ["libtorch-2.11.0", "wheels-2.11.0", ".dist-abc"];
        let kept = kept.map(|name| folder.path().join(name));
        kept.iter().for_each(|kept| fs::create_dir(kept).unwrap());
        sweep(folder.path(), ".libtorch-").unwrap();
        assert!(!stale.exists());
        assert!(kept.iter().all(|kept| kept.is_dir()));
    }

    #[test]
    fn a_lock_is_waited_for_until_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path, "a test runs").unwrap();
        let (told, heard) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let lock = lock(&path, "a test runs");
            told.send(lock.is_ok()).unwrap();
        });
        assert!(heard.recv_timeout(Duration::from_millis(200)).is_err());
        drop(held);
        assert!(heard.recv_timeout(Duration::from_secs(60)).unwrap());
        waiting.join().unwrap();
    }
}
