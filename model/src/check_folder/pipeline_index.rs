//! What a diffusers pipeline's model_index.json says must be there.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::data::tokenizer::{TOKENIZER_FILE, VOCABULARY_FILE};
use crate::weights::{LITE, read_config};

/// What the parts that a pipeline lists give rise to, in words.
#[derive(Debug, Default)]
pub(super) struct PartsListed {
    /// Parts that are needed and not there.
    pub(super) missing: Vec<String>,
    /// Parts that are not there and not read either.
    pub(super) not_needed: Vec<String>,
}

/// Compares what the model_index.json of `dir` lists with what is there; nothing where there is
/// no such file.
pub(super) fn parts_listed(dir: &Path) -> PartsListed {
    let mut listed = PartsListed::default();
    let path = dir.join("model_index.json");
    if !path.exists() {
        return listed;
    }
    let index: BTreeMap<String, Value> = match read_config(&path) {
        Ok(index) => index,
        Err(error) => {
            listed.missing.push(error.to_string());
            return listed;
        }
    };
    let pipeline = index.get("_class_name").and_then(Value::as_str);
    let wanted = index.iter().filter_map(|(part, class)| {
        // A part is a pair of library and class; optional ones that are left out are nulls.
        let class = class.as_array()?.get(1)?.as_str()?;
        Some((part.as_str(), class))
    });
    for (part, class) in wanted {
        let files = needed_files(class);
        let lite = class.contains("UNet").then(|| format!("{part}{LITE}"));
        let there = |part: &str| files.iter().any(|file| dir.join(part).join(file).exists());
        if there(part) || lite.as_deref().is_some_and(there) {
            continue;
        }
        let said = format!(
            "{}: the {class} that model_index.json lists is missing: no {part}/{}",
            dir.display(),
            files[0]
        );
        match unread(pipeline).contains(&part) {
            true => listed.not_needed.push(format!("{said}; it is not read")),
            false => listed.missing.push(said),
        }
    }
    listed
}

/// Whether `folder` is a part of the pipeline in whose folder it lies that is not read here.
pub(super) fn is_unread(folder: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct Pipeline {
        _class_name: Option<String>,
    }
    let index = folder.parent().map(|dir| dir.join("model_index.json"));
    let pipeline = index.and_then(|index| read_config::<Pipeline>(&index).ok());
    let pipeline = pipeline.and_then(|pipeline| pipeline._class_name);
    unread(pipeline.as_deref())
        .iter()
        .any(|part| folder.ends_with(part))
}

/// Parts of diffusers' Stable Cascade pipelines that are not read here: both diffusions are given
/// what the prior's text encoder says, and no picture stands for a prompt.
fn unread(pipeline: Option<&str>) -> &'static [&'static str] {
    match pipeline {
        Some("StableCascadePriorPipeline") => &["feature_extractor", "image_encoder"],
        Some("StableCascadeDecoderPipeline") => &["text_encoder", "tokenizer"],
        Some("StableCascadeCombinedPipeline") => &[
            "prior_feature_extractor",
            "prior_image_encoder",
            "text_encoder",
            "tokenizer",
        ],
        _ => &[],
    }
}

/// The files of which a part of this class has at least one.
fn needed_files(class: &str) -> &'static [&'static str] {
    if class.contains("Scheduler") {
        &["scheduler_config.json"]
    } else if class.contains("Tokenizer") {
        &[TOKENIZER_FILE, VOCABULARY_FILE]
    } else if class.contains("Processor") || class.contains("FeatureExtractor") {
        &["preprocessor_config.json"]
    } else {
        &["config.json"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_part_without_its_folder_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let index = r#"{"_class_name": "StableCascadePriorPipeline", "image_encoder": [null, null],
            "prior": ["diffusers", "StableCascadeUNet"],
            "scheduler": ["diffusers", "DDPMWuerstchenScheduler"]}"#;
        std::fs::write(dir.path().join("model_index.json"), index).expect("written");
        std::fs::create_dir(dir.path().join("prior")).expect("made");
        std::fs::write(dir.path().join("prior/config.json"), "{}").expect("written");
        let missing = parts_listed(dir.path()).missing;
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(
            missing[0].contains("scheduler/scheduler_config.json"),
            "{missing:?}"
        );
    }

    #[test]
    fn a_lite_unet_stands_for_the_full_one_and_unread_parts_are_no_loss() {
        let dir = tempfile::tempdir().expect("a folder");
        let index = r#"{"_class_name": "StableCascadeDecoderPipeline",
            "decoder": ["diffusers", "StableCascadeUNet"],
            "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
            "tokenizer": ["transformers", "CLIPTokenizerFast"]}"#;
        std::fs::write(dir.path().join("model_index.json"), index).expect("written");
        std::fs::create_dir(dir.path().join("decoder_lite")).expect("made");
        std::fs::write(dir.path().join("decoder_lite/config.json"), "{}").expect("written");
        let listed = parts_listed(dir.path());
        assert!(listed.missing.is_empty(), "{listed:?}");
        assert_eq!(listed.not_needed.len(), 2, "{listed:?}");
        assert!(listed.not_needed[0].contains("is not read"), "{listed:?}");
    }
}
