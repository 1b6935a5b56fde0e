//! What a pipeline needs beside its networks: tokenizers, schedulers and image processors.

use std::path::{Path, PathBuf};

use crate::data::tokenizer::{TOKENIZER_FILE, Tokenizer, VOCABULARY_FILE};
use crate::diffusion::read_scheduler_config;
use crate::image_processor::ImageProcessor;

const SCHEDULER_FILE: &str = "scheduler_config.json";

/// A part without weights.
#[derive(Debug)]
pub struct PartReport {
    /// Its file.
    pub file: PathBuf,
    /// What it is, or in words what is wrong with it.
    pub content: Result<String, String>,
}

/// The parts in `dir`, and of those that a vision-language model is read with, where it `has_vlm`,
/// also what is missing.
pub(super) fn parts(dir: &Path, has_vlm: bool) -> Vec<PartReport> {
    let missing = |file: &str| -> Option<(PathBuf, Result<String, String>)> {
        let reason = "it is missing, and choices cannot be read without it";
        has_vlm.then(|| (dir.join(file), Err(reason.into())))
    };
    let processor = ImageProcessor::file(dir).map(|file| (file, image_processor(dir)));
    let found = [
        tokenizer(dir).or_else(|| missing(TOKENIZER_FILE)),
        scheduler(dir),
        processor.or_else(|| missing("preprocessor_config.json")),
    ];
    let report = |(file, content)| PartReport { file, content };
    found.into_iter().flatten().map(report).collect()
}

fn image_processor(dir: &Path) -> Result<String, String> {
    match ImageProcessor::open(dir) {
        Ok(ImageProcessor::Single(_)) => Ok("an image processor".into()),
        Ok(ImageProcessor::Anyres(_)) => Ok("an image processor that cuts into tiles".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn tokenizer(dir: &Path) -> Option<(PathBuf, Result<String, String>)> {
    let files = [TOKENIZER_FILE, VOCABULARY_FILE, "tokenizer_config.json"];
    let file = files
        .map(|file| dir.join(file))
        .into_iter()
        .find(|file| file.exists())?;
    let read = Tokenizer::open(&dir.join(TOKENIZER_FILE));
    let said = read.map(|read| format!("a tokenizer of {} tokens", read.vocabulary_size()));
    Some((file, said.map_err(|error| error.to_string())))
}

fn scheduler(dir: &Path) -> Option<(PathBuf, Result<String, String>)> {
    let path = dir.join(SCHEDULER_FILE);
    if !path.exists() {
        return None;
    }
    let said = read_scheduler_config(&path)
        .map(|config| format!("a noise schedule, scaler {}, s {}", config.scaler, config.s))
        .map_err(|error| error.to_string());
    Some((path, said))
}
