//! What a diffusers pipeline's model_index.json says must be there.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::weights::read_config;

/// In words, each part that the model_index.json of `dir` lists and that is not there; nothing
/// where there is no such file.
pub(super) fn missing_parts(dir: &Path) -> Vec<String> {
    let path = dir.join("model_index.json");
    if !path.exists() {
        return Vec::new();
    }
    let index: BTreeMap<String, Value> = match read_config(&path) {
        Ok(index) => index,
        Err(error) => return vec![error.to_string()],
    };
    let wanted = index.iter().filter_map(|(part, class)| {
        // A part is a pair of library and class; optional ones that are left out are nulls.
        let class = class.as_array()?.get(1)?.as_str()?;
        Some((part, class))
    });
    wanted
        .filter_map(|(part, class)| {
            let folder = dir.join(part);
            let needed = needed_file(class);
            (!folder.join(needed).exists()).then(|| {
                format!(
                    "{}: the {class} that model_index.json lists is missing: no {part}/{needed}",
                    dir.display()
                )
            })
        })
        .collect()
}

/// The file that a part of this class has at least.
fn needed_file(class: &str) -> &'static str {
    if class.contains("Scheduler") {
        "scheduler_config.json"
    } else if class.contains("Tokenizer") {
        "tokenizer.json"
    } else if class.contains("Processor") || class.contains("FeatureExtractor") {
        "preprocessor_config.json"
    } else {
        "config.json"
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
        let missing = missing_parts(dir.path());
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(
            missing[0].contains("scheduler/scheduler_config.json"),
            "{missing:?}"
        );
    }
}
