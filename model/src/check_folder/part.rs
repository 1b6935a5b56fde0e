//! What a pipeline needs beside its networks: tokenizers, schedulers and image processors.

use std::path::{Path, PathBuf};

use crate::data::tokenizer::{TOKENIZER_FILE, Tokenizer};
use crate::diffusion::read_scheduler_config;
use crate::image_processor::ImageProcessor;

const SCHEDULER_FILE: &str = "scheduler_config.json";

/// Files that come with a tokenizer and do not make one that is read here.
const TOKENIZER_COMPANIONS: [&str; 3] = ["tokenizer_config.json", "vocab.json", "merges.txt"];

/// A part without weights.
#[derive(Debug)]
pub struct PartReport {
    /// Its file.
    pub file: PathBuf,
    /// What it is, or in words what is wrong with it.
    pub content: Result<String, String>,
}

/// The parts in `dir`.
pub(super) fn parts(dir: &Path) -> Vec<PartReport> {
    let found = [
        (dir.join(TOKENIZER_FILE), tokenizer(dir)),
        (dir.join(SCHEDULER_FILE), scheduler(dir)),
    ];
    let mut parts: Vec<PartReport> = found
        .into_iter()
        .filter_map(|(file, content)| {
            let content = content?;
            Some(PartReport { file, content })
        })
        .collect();
    parts.extend(ImageProcessor::file(dir).map(|file| PartReport {
        file,
        content: image_processor(dir),
    }));
    parts
}

fn image_processor(dir: &Path) -> Result<String, String> {
    match ImageProcessor::open(dir) {
        Ok(ImageProcessor::Single(_)) => Ok("an image processor".into()),
        Ok(ImageProcessor::Anyres(_)) => Ok("an image processor that cuts into tiles".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn tokenizer(dir: &Path) -> Option<Result<String, String>> {
    let path = dir.join(TOKENIZER_FILE);
    if path.exists() {
        let read = Tokenizer::open(&path);
        let said = read.map(|read| format!("a tokenizer of {} tokens", read.vocabulary_size()));
        return Some(said.map_err(|error| error.to_string()));
    }
    let companion = TOKENIZER_COMPANIONS
        .into_iter()
        .find(|file| dir.join(file).exists())?;
    Some(Err(format!(
        "it is missing, and the {companion} beside it is not read without it: save the tokenizer \
         with a version of transformers that writes {TOKENIZER_FILE}"
    )))
}

fn scheduler(dir: &Path) -> Option<Result<String, String>> {
    let path = dir.join(SCHEDULER_FILE);
    if !path.exists() {
        return None;
    }
    let said = read_scheduler_config(&path)
        .map(|config| format!("a noise schedule, scaler {}, s {}", config.scaler, config.s));
    Some(said.map_err(|error| error.to_string()))
}
