//! Where things lie: the clone, the cache shared by all clones, the target folders.

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};

/// The folders the tasks work in. All are absolute.
pub(crate) struct Checkout {
    /// The clone's root.
    pub(crate) root: PathBuf,
    /// What was fetched or built once for all clones.
    pub(crate) cache: PathBuf,
    /// Cargo's target folder for programs that run here.
    pub(crate) host_target: PathBuf,
    /// Cargo's target folder for the page. Its own, because another compiler may build the
    /// page, and two compilers in one folder rebuild each other's work.
    pub(crate) wasm_target: PathBuf,
}

impl Checkout {
    /// Finds the folders from where this program was built and from the environment.
    ///
    /// # Errors
    /// When neither `PREDILECT_CACHE_DIR` nor `HOME` is set.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies in the clone's root")?
            .to_owned();
        let absolute = |path: PathBuf| root.join(path);
        let cache = match env::var_os("PREDILECT_CACHE_DIR") {
            Some(folder) => absolute(folder.into()),
            None => PathBuf::from(
                env::var_os("HOME")
                    .context("set HOME or PREDILECT_CACHE_DIR to say where to keep downloads")?,
            )
            .join(".cache/predilect"),
        };
        let (host_target, wasm_target) = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => {
                let mut wasm = folder.clone();
                wasm.push("-wasm");
                (absolute(folder.into()), absolute(wasm.into()))
            }
            None => (root.join("target"), root.join("target/wasm")),
        };
        Ok(Self {
            root,
            cache,
            host_target,
            wasm_target,
        })
    }

    /// The page as it is served.
    pub(crate) fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// The built program `predilect`.
    pub(crate) fn predilect(&self) -> PathBuf {
        self.host_target.join("release/predilect")
    }
}
