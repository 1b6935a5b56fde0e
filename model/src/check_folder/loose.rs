//! Weights that lie in a folder by themselves, as the original release of Stable Cascade has
//! them: they bear no config.json and are known by their file's name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{NetworkReport, PlainFile};
use crate::networks::conv_previewer::{ConvPreviewer, ConvPreviewerConfig};
use crate::networks::efficientnet::{EfficientNetEncoder, EfficientNetEncoderConfig};
use crate::weights::{Checkpoint, Params, WeightsError, entries};

/// Endings of files that hold weights.
const WEIGHTS: [&str; 5] = ["safetensors", "bin", "pt", "pth", "ckpt"];

/// A network that the release has as a single file.
#[derive(Clone, Copy)]
enum Loose {
    EfficientNet,
    Previewer,
}

impl Loose {
    const ALL: [Self; 2] = [Self::EfficientNet, Self::Previewer];

    fn file(self) -> &'static str {
        match self {
            Self::EfficientNet => "effnet_encoder.safetensors",
            Self::Previewer => "previewer.safetensors",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::EfficientNet => "EfficientNetEncoder",
            Self::Previewer => "Previewer",
        }
    }

    /// Checks that these weights are all that the release's network has.
    fn fit(self, weights: Checkpoint) -> Result<(), WeightsError> {
        let params = Params::headers(weights);
        match self {
            Self::EfficientNet => {
                let config = EfficientNetEncoderConfig::default();
                drop(EfficientNetEncoder::new(&params, config)?);
            }
            Self::Previewer => {
                drop(ConvPreviewer::new(&params, ConvPreviewerConfig::default())?);
            }
        }
        params.finish()
    }
}

/// A report on each network of the release that lies in `dir` as a file.
pub(super) fn networks(dir: &Path) -> Vec<NetworkReport> {
    let there = Loose::ALL.into_iter().filter_map(|loose| {
        let path = dir.join(loose.file());
        path.exists().then_some((loose, path))
    });
    there
        .map(|(loose, path)| {
            NetworkReport::of_files(dir, loose.name(), &[path], |weights| loose.fit(weights))
        })
        .collect()
}

/// The files in `dir` beside those `read` as weights: other weights, then all else, each in the
/// order of their names.
///
/// # Errors
/// The folder or a file of it cannot be looked at.
pub(super) fn others(
    dir: &Path,
    read: &BTreeSet<PathBuf>,
) -> Result<(Vec<PlainFile>, Vec<PlainFile>), WeightsError> {
    let (mut weights, mut files) = (Vec::new(), Vec::new());
    for path in entries(dir)? {
        if !path.is_file() || read.contains(&path) {
            continue;
        }
        let is = |known: &&str| path.extension().is_some_and(|ending| ending == *known);
        let list = match WEIGHTS.iter().any(is) {
            true => &mut weights,
            false => &mut files,
        };
        match std::fs::metadata(&path) {
            Ok(metadata) => list.push(PlainFile {
                path,
                bytes: metadata.len(),
            }),
            Err(source) => return Err(WeightsError::Io { path, source }),
        }
    }
    Ok((weights, files))
}
