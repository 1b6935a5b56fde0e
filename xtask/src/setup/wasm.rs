//! A compiler for `wasm32-unknown-unknown`.
//!
//! The active Rust toolchain where it has the target; else Debian's rustc, with the standard
//! library built once from Debian's own source package. No toolchain is downloaded.

use super::{stamped, system};
use crate::checkout::Checkout;
use crate::program::{self, announce, note};
use anyhow::{Context, Result, bail};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const HOST: &str = "x86_64-unknown-linux-gnu";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_STD_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Who compiles the page.
pub(crate) enum WasmToolchain {
    /// The toolchain this program was called with.
    Active,
    /// A toolchain folder made from Debian's packages.
    Debian(PathBuf),
}

impl WasmToolchain {
    /// Finds or makes a compiler for wasm.
    ///
    /// # Errors
    /// When there is none and it can't be made from here; the error says the command.
    pub(crate) fn ensure(checkout: &Checkout) -> Result<Self> {
        announce("wasm toolchain");
        if active_has_target(&checkout.root) {
            note(&format!("the active toolchain has {TARGET}"));
            return Ok(Self::Active);
        }
        let debian_present = [DEBIAN_RUSTC, "/usr/bin/cargo", DEBIAN_STD_SOURCE]
            .iter()
            .all(|path| Path::new(path).is_file());
        if !debian_present {
            system::install(&DEBIAN_PACKAGES).with_context(|| {
                format!(
                    "the active Rust toolchain has no {TARGET}. Run `rustup target add {TARGET}`, or install \
                     Debian's packages"
                )
            })?;
        }
        let folder = checkout.cache.join("wasm-toolchain");
        let version = program::read(Command::new(DEBIAN_RUSTC).arg("-V"))?;
        if stamped(&folder.join("stamp"), &version) {
            note(&format!(
                "Debian's {version}, std found in {}",
                folder.display()
            ));
        } else {
            make(&folder)?;
            fs::write(folder.join("stamp"), version)?;
        }
        Ok(Self::Debian(folder))
    }

    /// This toolchain's cargo in `root`.
    ///
    /// # Errors
    /// When `PATH` can't be extended.
    pub(crate) fn cargo(&self, root: &Path) -> Result<Command> {
        match self {
            Self::Active => Ok(program::cargo(root)),
            Self::Debian(folder) => {
                let bin = folder.join("bin");
                let path = env::var_os("PATH").unwrap_or_default();
                let mut command = Command::new(bin.join("cargo"));
                command
                    .current_dir(root)
                    .env(
                        "PATH",
                        env::join_paths(std::iter::once(bin).chain(env::split_paths(&path)))?,
                    )
                    .env_remove("CARGO")
                    .env_remove("RUSTC")
                    .env_remove("RUSTUP_TOOLCHAIN");
                Ok(command)
            }
        }
    }
}

fn active_has_target(root: &Path) -> bool {
    let libdir = program::read(
        Command::new("rustc")
            .args(["--print", "target-libdir", "--target", TARGET])
            .current_dir(root),
    );
    let Some(files) = libdir.ok().and_then(|folder| fs::read_dir(folder).ok()) else {
        return false;
    };
    files
        .flatten()
        .any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

/// Makes a self-contained toolchain folder: Debian's programs, its host libraries by link,
/// and a std for wasm built from its source package.
fn make(folder: &Path) -> Result<()> {
    note("building std for wasm from Debian's source (about a minute)");
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let (bin, rustlib) = (folder.join("bin"), folder.join("lib/rustlib"));
    let wasm_lib = rustlib.join(TARGET).join("lib");
    for needed in [&bin, &wasm_lib, &rustlib.join(HOST).join("bin")] {
        fs::create_dir_all(needed).with_context(|| format!("making {}", needed.display()))?;
    }
    symlink(
        format!("/usr/lib/rustlib/{HOST}/lib"),
        rustlib.join(HOST).join("lib"),
    )?;
    symlink("/usr/lib/rustlib/src", rustlib.join("src"))?;
    symlink(linker()?, rustlib.join(HOST).join("bin/rust-lld"))?;
    symlink("/usr/bin/cargo", bin.join("cargo"))?;
    let rustc = bin.join("rustc");
    fs::write(
        &rustc,
        format!(
            "#!/bin/sh\nexec {DEBIAN_RUSTC} --sysroot \"{}\" \"$@\"\n",
            folder.display()
        ),
    )?;
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755))?;

    for library in build_std()?.rlibs()? {
        let name = library.file_name().context("a library file has a name")?;
        fs::copy(&library, wasm_lib.join(name))?;
    }
    Ok(())
}

/// An empty crate whose build left std's libraries behind.
struct StdBuild {
    folder: tempfile::TempDir,
}

impl StdBuild {
    fn rlibs(&self) -> Result<Vec<PathBuf>> {
        let deps = self
            .folder
            .path()
            .join("target")
            .join(TARGET)
            .join("release/deps");
        let mut found = Vec::new();
        for file in fs::read_dir(&deps).with_context(|| format!("reading {}", deps.display()))? {
            let path = file?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.ends_with(".rlib") && !name.starts_with("libstd_build") {
                found.push(path);
            }
        }
        if found.is_empty() {
            bail!("building std left no libraries in {}", deps.display());
        }
        Ok(found)
    }
}

fn build_std() -> Result<StdBuild> {
    let folder = tempfile::tempdir()?;
    let manifest = "[workspace]\n[package]\nname = \"std-build\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
                    [profile.release]\nopt-level = \"s\"\ncodegen-units = 1\npanic = \"abort\"\n";
    fs::write(folder.path().join("Cargo.toml"), manifest)?;
    fs::create_dir(folder.path().join("src"))?;
    fs::write(folder.path().join("src/lib.rs"), "")?;
    program::run(
        Command::new("/usr/bin/cargo")
            .args([
                "build",
                "--release",
                "-Z",
                "build-std=std,panic_abort",
                "--target",
                TARGET,
            ])
            .arg("--target-dir")
            .arg(folder.path().join("target"))
            .current_dir(folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("RUSTC", DEBIAN_RUSTC)
            // build-std is unstable; this lets a release compiler do it.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Cembed-bitcode=yes")
            .env_remove("CARGO")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("RUSTUP_TOOLCHAIN"),
    )?;
    Ok(StdBuild { folder })
}

/// lld, which links wasm: the active toolchain's own, else Debian's newest.
fn linker() -> Result<PathBuf> {
    let own = program::read(Command::new("rustc").args(["--print", "sysroot"]))
        .map(|sysroot| Path::new(&sysroot).join(format!("lib/rustlib/{HOST}/bin/rust-lld")));
    let debian = ["lld-22", "lld-19", "lld-16", "lld"].map(|name| Path::new("/usr/bin").join(name));
    let found = own.into_iter().chain(debian).find(|path| path.is_file());
    let found = match found {
        Some(path) => path,
        None => {
            system::install(&["lld"])?;
            PathBuf::from("/usr/bin/lld")
        }
    };
    found
        .canonicalize()
        .with_context(|| format!("finding {}", found.display()))
}
