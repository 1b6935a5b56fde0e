//! Where fetched and built files are kept.
use std::path::PathBuf;

/// The cache folder: `PREDILECT_CACHE_DIR`, else `~/.cache/predilect`.
///
/// Without a home folder it is `.predilect/cache` under the working folder.
pub fn cache_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("PREDILECT_CACHE_DIR").filter(|dir| !dir.is_empty()) {
        return dir.into();
    }
    match std::env::home_dir() {
        Some(home) => home.join(".cache/predilect"),
        None => PathBuf::from(".predilect/cache"),
    }
}

/// The folder of the artwork set that `predilect data build` makes by default.
pub fn artwork_dir() -> PathBuf {
    cache_dir().join(format!("data/artwork-{}", super::PICTURE_SIZE))
}
