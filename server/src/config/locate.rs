//! What ships with the program is found without any setting: beside the working
//! directory, or in the checkout the program was built in.

use std::{env, path::PathBuf};

/// A folder that ships with the program is not there.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no {folder} with a {file} in it; looked in {looked_in}. Start predilect in its checkout, or say where the folder is: `predilect serve --help` names the setting"
)]
pub struct LocateError {
    folder: &'static str,
    file: &'static str,
    looked_in: String,
}

/// Finds `folder`, known by the `file` in it, below the working directory or below any
/// folder the program itself lies in.
pub(super) fn find(folder: &'static str, file: &'static str) -> Result<PathBuf, LocateError> {
    let places = places();
    places
        .iter()
        .map(|place| place.join(folder))
        .find(|candidate| candidate.join(file).is_file())
        .ok_or_else(|| LocateError {
            folder,
            file,
            looked_in: places
                .iter()
                .map(|place| place.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

fn places() -> Vec<PathBuf> {
    let working = env::current_dir().ok();
    let program = env::current_exe().and_then(|path| path.canonicalize()).ok();
    let above = program
        .iter()
        .flat_map(|path| path.ancestors().skip(1))
        .map(Into::into);
    working.into_iter().chain(above).collect()
}
