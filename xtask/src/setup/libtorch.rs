//! libtorch out of the torch wheel, linked as `.libtorch` in the clone.
//!
//! The wheel holds the CUDA build. Only what a CPU program needs is kept: about 0.5 GB of
//! the unpacked 1.9 GB. A machine with a GPU sets `LIBTORCH` to its own installation.

use super::{lock, stamped, sweep};
use crate::checkout::Checkout;
use crate::program::{self, announce, note};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};
use zip::ZipArchive;

/// The one version tch 0.24 binds.
const VERSION: &str = "2.11.0";
/// The wheels, with the CUDA parts libtorch_cpu.so is linked against.
const WHEELS: [&str; 3] = [
    "torch==2.11.0",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cupti==13.0.85",
];
/// What the folders that libtorch is unpacked in begin with.
const WORK_PREFIX: &str = ".libtorch-";

/// Makes libtorch in the cache unless it is there, and links it into the clone.
///
/// # Errors
/// When the wheels can't be fetched, or `.libtorch` is something else than our link.
pub(crate) fn ensure(checkout: &Checkout) -> Result<()> {
    let link = checkout.root.join(".libtorch");
    // Cargo sets LIBTORCH to the link (.cargo/config.toml) unless the user has set it.
    if let Some(own) = env::var_os("LIBTORCH")
        .map(PathBuf::from)
        .filter(|own| *own != link)
    {
        return check_own(&own);
    }
    announce(&format!("libtorch {VERSION}"));
    let libtorch = checkout.cache.join(format!("libtorch-{VERSION}"));
    if is_made(&libtorch) {
        note(&format!("found in {}", libtorch.display()));
    } else {
        make(&libtorch)?;
    }
    if fs::read_link(&link).is_ok_and(|target| target == libtorch) {
        return Ok(());
    }
    if link.is_symlink() {
        fs::remove_file(&link)?;
    } else if link.exists() {
        bail!(
            "{} is in the way; move it, then run the command again",
            link.display()
        );
    }
    std::os::unix::fs::symlink(&libtorch, &link)
        .with_context(|| format!("linking {}", link.display()))
}

/// A libtorch the user named through `LIBTORCH`.
fn check_own(own: &Path) -> Result<()> {
    let found = fs::read_to_string(own.join("build-version")).with_context(|| {
        format!(
            "LIBTORCH is set to {}, which holds no libtorch; unset it",
            own.display()
        )
    })?;
    if !found.trim().starts_with(VERSION) {
        bail!(
            "LIBTORCH is set to libtorch {}, and {VERSION} is needed; unset it",
            found.trim()
        );
    }
    note(&format!(
        "libtorch {}: from LIBTORCH={}",
        found.trim(),
        own.display()
    ));
    Ok(())
}

/// Makes libtorch in its place. What was fetched is kept until it is unpacked, so that an
/// interruption costs no second download.
fn make(libtorch: &Path) -> Result<()> {
    let cache = libtorch
        .parent()
        .context("libtorch lies in the cache folder")?;
    let wheels = cache.join(format!("wheels-{VERSION}"));
    fs::create_dir_all(&wheels).with_context(|| format!("making {}", wheels.display()))?;
    // All clones share the cache: one of them works, the others wait and find its work done.
    let _lock = lock(
        &cache.join("libtorch.lock"),
        "another set-up makes libtorch",
    )?;
    if is_made(libtorch) {
        return Ok(());
    }
    sweep(cache, WORK_PREFIX)?;

    note("fetching the torch wheel (543 MB) with pip");
    fetch(&wheels)?;
    note("unpacking the CPU part");
    let work = tempfile::Builder::new()
        .prefix(WORK_PREFIX)
        .tempdir_in(cache)?;
    let out = work.path().join("out");
    for wheel in fs::read_dir(&wheels)? {
        unpack(&wheel?.path(), &out)?;
    }
    make_umbrella(&out.join("lib"))?;
    fs::write(out.join("build-version"), VERSION)?;
    if libtorch.exists() {
        fs::remove_dir_all(libtorch)?;
    }
    fs::rename(&out, libtorch)
        .with_context(|| format!("moving libtorch to {}", libtorch.display()))?;
    fs::remove_dir_all(&wheels).with_context(|| format!("removing {}", wheels.display()))?;
    note(&format!("ready in {}", libtorch.display()));
    Ok(())
}

fn is_made(libtorch: &Path) -> bool {
    stamped(&libtorch.join("build-version"), VERSION)
}

/// Brings the wheels into a folder; those that are there already are only looked at.
fn fetch(wheels: &Path) -> Result<()> {
    // Only the wheel's C++ libraries are used, so one Python version's wheel serves all.
    program::fetch(
        Command::new("python3")
            .args([
                "-m",
                "pip",
                "--disable-pip-version-check",
                "download",
                "--no-deps",
                "--no-cache-dir",
            ])
            .args([
                "--only-binary=:all:",
                "--python-version",
                "3.12",
                "--implementation",
                "cp",
            ])
            .args(["--abi", "cp312", "--abi", "none"])
            .args([
                "--platform",
                "manylinux_2_28_x86_64",
                "--platform",
                "manylinux_2_25_x86_64",
            ])
            .args(["--platform", "manylinux2014_x86_64", "--dest"])
            .arg(wheels)
            .args(WHEELS),
    )
}

/// Unpacks the files of a wheel that [`kept`] names.
fn unpack(wheel: &Path, out: &Path) -> Result<()> {
    let file = fs::File::open(wheel)?;
    let mut archive =
        ZipArchive::new(file).with_context(|| format!("reading {}", wheel.display()))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let Some(place) = kept(&entry.name()?).map(|name| out.join(name)) else {
            continue;
        };
        fs::create_dir_all(place.parent().context("every kept file lies in a folder")?)?;
        io::copy(&mut entry, &mut fs::File::create(&place)?)
            .with_context(|| format!("unpacking {}", place.display()))?;
    }
    Ok(())
}

/// Where a wheel's file goes under libtorch's folder; `None` for what a CPU program needs not.
fn kept(name: &str) -> Option<&str> {
    const LIBRARIES: [&str; 3] = ["lib/libtorch_cpu.so", "lib/libc10.so", "lib/libgomp.so.1"];
    const CUDA: [&str; 2] = ["lib/libcudart.so.13", "lib/libcupti.so.13"];
    if let Some(inner) = name.strip_prefix("torch/") {
        let header = inner.starts_with("include/") && !inner.ends_with('/');
        return (header || LIBRARIES.contains(&inner)).then_some(inner);
    }
    name.strip_prefix("nvidia/cu13/")
        .filter(|inner| CUDA.contains(inner))
}

/// The wheel's libtorch.so pulls in the CUDA libraries too; ours pulls in the CPU part alone.
fn make_umbrella(lib: &Path) -> Result<()> {
    program::run(
        Command::new("c++")
            .args(["-shared", "-x", "c", "/dev/null", "-o"])
            .arg(lib.join("libtorch.so"))
            .args(["-Wl,-soname,libtorch.so", "-Wl,--no-as-needed", "-L"])
            .arg(lib)
            .args([
                "-ltorch_cpu",
                "-Wl,-rpath,$ORIGIN",
                "-Wl,--allow-shlib-undefined",
            ]),
    )
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn only_headers_and_cpu_libraries_are_kept() {
        assert_eq!(
            kept("torch/include/ATen/Context.h"),
            Some("include/ATen/Context.h")
        );
        assert_eq!(
            kept("torch/lib/libtorch_cpu.so"),
            Some("lib/libtorch_cpu.so")
        );
        assert_eq!(
            kept("nvidia/cu13/lib/libcudart.so.13"),
            Some("lib/libcudart.so.13")
        );
        assert_eq!(kept("torch/lib/libtorch_cuda.so"), None);
        assert_eq!(kept("torch/include/"), None);
        assert_eq!(kept("torch/nn/modules.py"), None);
    }
}
