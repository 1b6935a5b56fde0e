//! What a folder of networks holds, and in words what is wrong with it, from headers alone.

mod kind;
mod loose;
mod part;
mod pipeline_index;

pub use part::PartReport;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::engine;
use crate::weights::{
    Checkpoint, ModelFolder, REPOSITORY_DEPTH, UNetSize, WeightsError, read_config, subfolders,
    variants,
};
use kind::NetworkKind;

/// Folders are searched this deep: a repository, then a network in it.
const DEPTH: usize = REPOSITORY_DEPTH + 1;

/// One set of weights of one network.
#[derive(Debug)]
pub struct NetworkReport {
    /// The folder with its config.json.
    pub folder: PathBuf,
    /// The network's class, where it is a known one.
    pub network: Option<&'static str>,
    /// The weight files and their sizes in bytes.
    pub files: Vec<(PathBuf, u64)>,
    /// How many numbers the files hold.
    pub parameters: u64,
    /// The files' dtypes, as safetensors names them.
    pub dtypes: BTreeSet<String>,
    /// What is wrong, in words.
    pub problem: Option<String>,
}

impl NetworkReport {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            network: None,
            files: Vec::new(),
            parameters: 0,
            dtypes: BTreeSet::new(),
            problem: None,
        }
    }

    /// What the headers of `files` say, and whether they `fit` the network.
    fn of_files(
        folder: &Path,
        network: &'static str,
        files: &[PathBuf],
        fit: impl FnOnce(Checkpoint) -> Result<(), WeightsError>,
    ) -> Self {
        let mut report = Self {
            network: Some(network),
            // Damaged ones as well, for which there are no headers.
            files: files
                .iter()
                .filter_map(|path| Some((path.clone(), path.metadata().ok()?.len())))
                .collect(),
            ..Self::new(folder)
        };
        let fit = Checkpoint::open(files).and_then(|weights| {
            report.parameters = weights.parameters();
            report.dtypes = weights.dtypes();
            fit(weights)
        });
        report.problem = fit.err().map(|error| error.to_string());
        report
    }

    /// Memory that the weights need, in bytes, at this many bytes a number.
    pub fn memory(&self, bytes_each: u64) -> u64 {
        self.parameters * bytes_each
    }
}

/// A file that holds no weights of a network in the report.
#[derive(Debug)]
pub struct PlainFile {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// What a folder holds.
#[derive(Debug)]
pub struct FolderReport {
    /// The networks, in the order of their folders' names.
    pub networks: Vec<NetworkReport>,
    /// Tokenizers, schedulers and image processors, in the same order.
    pub parts: Vec<PartReport>,
    /// Weights that are not read, such as those of other programs; no problem by themselves.
    pub unread: Vec<PlainFile>,
    /// Configurations, indices and vocabularies.
    pub texts: Vec<PlainFile>,
    /// What is wrong with the folder as a whole: parts that a pipeline lists and that are missing.
    pub problems: Vec<String>,
    /// What a pipeline lists, is missing, and is not read either; no problem.
    pub not_needed: Vec<String>,
    /// The name of the model that can be served from the folder, or in words why none can: a
    /// folder with one repository of several is sound and serves nothing.
    pub served: Result<String, String>,
}

impl FolderReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
            && self.networks.iter().all(|n| n.problem.is_none())
            && self.parts.iter().all(|p| p.content.is_ok())
    }
}

/// Reads every config.json, index, header and tokenizer in `dir` and up to four levels below; no
/// weights. Of repositories with U-Nets of two sizes, those of `size` would be served.
///
/// # Errors
/// A folder cannot be listed. What is wrong with a network is part of the report.
pub fn check(dir: &Path, size: UNetSize) -> Result<FolderReport, WeightsError> {
    let mut report = FolderReport {
        networks: Vec::new(),
        parts: Vec::new(),
        unread: Vec::new(),
        texts: Vec::new(),
        problems: Vec::new(),
        not_needed: Vec::new(),
        served: served(dir, size),
    };
    visit(dir, DEPTH, size, &mut report)?;
    if report.networks.is_empty() && report.problems.is_empty() {
        report.problems.push(format!(
            "{} holds no network: no config.json with weights in it or in its folders",
            dir.display()
        ));
    }
    Ok(report)
}

/// What an engine would say of the folder, without its weights.
fn served(dir: &Path, size: UNetSize) -> Result<String, String> {
    let folder = ModelFolder::open(dir, size).map_err(|error| error.to_string())?;
    engine::check(&folder).map_err(|error| error.to_string())
}

fn visit(
    dir: &Path,
    depth: usize,
    size: UNetSize,
    report: &mut FolderReport,
) -> Result<(), WeightsError> {
    let io = |source| WeightsError::Io {
        path: dir.to_owned(),
        source,
    };
    let mut found = loose::networks(dir);
    if dir.join("config.json").exists() {
        found.extend(networks(dir, size));
    }
    let read = found.iter().flat_map(|network| &network.files);
    let read = read.map(|(path, _)| path.clone()).collect();
    let (unread, texts) = loose::others(dir, &read).map_err(io)?;
    report.unread.extend(unread);
    report.texts.extend(texts);
    report
        .parts
        .extend(part::parts(dir, has_published_vlm(dir, &found)));
    report.networks.extend(found);
    let listed = pipeline_index::parts_listed(dir);
    report.problems.extend(listed.missing);
    report.not_needed.extend(listed.not_needed);
    if depth == 0 {
        return Ok(());
    }
    subfolders(dir)?
        .iter()
        .try_for_each(|folder| visit(folder, depth - 1, size, report))
}

/// Whether one of the networks `found` in `dir` is a published vision-language model, which is
/// read with what lies beside it. A folder of this program's own has its words elsewhere.
fn has_published_vlm(dir: &Path, found: &[NetworkReport]) -> bool {
    let name = NetworkKind::LlavaOnevision.name();
    let vlm = found.iter().any(|network| network.network == Some(name));
    vlm && !dir.parent().is_some_and(ModelFolder::is_own)
}

/// A report on each set of weights of the network in `folder`.
fn networks(folder: &Path, size: UNetSize) -> Vec<NetworkReport> {
    let failed = |problem: String| {
        vec![NetworkReport {
            problem: Some(problem),
            ..NetworkReport::new(folder)
        }]
    };
    let config: serde_json::Value = match read_config(&folder.join("config.json")) {
        Ok(config) => config,
        Err(error) => return failed(error.to_string()),
    };
    let kind = match NetworkKind::of(folder, &config) {
        Ok(kind) => kind,
        Err(problem) => return failed(problem),
    };
    match variants(folder, kind.stem()) {
        Err(error) => failed(error.to_string()),
        Ok(sets) => {
            let report = |files: &Vec<PathBuf>| {
                let fit = |weights| kind.fit(folder, weights, size);
                NetworkReport::of_files(folder, kind.name(), files, fit)
            };
            sets.iter().map(report).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::data::tokenizer::{TOKENIZER_FILE, train};
    use crate::networks::conv_previewer::{ConvPreviewer, ConvPreviewerConfig};
    use crate::weights::{Params, save};

    /// Writes a previewer of the original release with this many hidden channels.
    fn write_previewer(path: &Path, c_hidden: i64) {
        let params = Params::random(1, Kind::BFloat16, Device::Cpu);
        let config = ConvPreviewerConfig {
            c_hidden,
            ..Default::default()
        };
        ConvPreviewer::new(&params, config).unwrap();
        let taken = params.taken();
        let tensors = taken.iter().map(|p| (p.name.as_str(), &p.tensor));
        save(path, tensors).unwrap();
    }

    #[test]
    fn loose_weights_of_the_release_are_known_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        write_previewer(&dir.path().join("previewer.safetensors"), 512);
        std::fs::write(dir.path().join("stage_c.ckpt"), [0; 9]).unwrap();
        let report = check(dir.path(), UNetSize::Largest).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.networks[0].network, Some("Previewer"));
        assert!(report.networks[0].parameters > 3_900_000);
        assert!(report.networks[0].dtypes.contains("BF16"));
        assert_eq!(report.unread[0].bytes, 9);

        write_previewer(&dir.path().join("previewer.safetensors"), 8);
        write_previewer(&dir.path().join("effnet_encoder.safetensors"), 8);
        let report = check(dir.path(), UNetSize::Largest).unwrap();
        let problem = |i: usize| report.networks[i].problem.as_deref().unwrap();
        assert!(problem(0).contains("backbone.0.0.weight"), "{report:?}");
        assert!(problem(1).contains("blocks.0.weight"), "{report:?}");
    }

    #[test]
    fn tokenizers_schedulers_and_image_processors_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let content = |i: usize| {
            let mut report = check(dir.path(), UNetSize::Largest).unwrap();
            report.parts.swap_remove(i).content
        };
        write("tokenizer/tokenizer_config.json", "{}");
        let problem = content(0).unwrap_err();
        assert!(problem.contains("tokenizer.json"), "{problem}");

        let tokenizer = train(vec!["a red apple".into(); 3]).unwrap();
        let path = dir.path().join("tokenizer").join(TOKENIZER_FILE);
        tokenizer.save(&path).unwrap();
        assert!(content(0).unwrap().starts_with("a tokenizer of "));
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(content(0).is_err());

        write("scheduler/scheduler_config.json", r#"{"scaler": 2.0}"#);
        assert!(content(0).unwrap().contains("scaler 2"));
        let other = r#"{"_class_name": "DDIMScheduler"}"#;
        write("scheduler/scheduler_config.json", other);
        assert!(content(0).unwrap_err().contains("DDIMScheduler"));

        let clip = r#"{"image_processor_type": "CLIPImageProcessor"}"#;
        write("feature_extractor/preprocessor_config.json", clip);
        assert!(content(0).unwrap().contains("image processor"));
        let other = r#"{"image_processor_type": "ViTImageProcessor"}"#;
        write("feature_extractor/preprocessor_config.json", other);
        assert!(content(0).unwrap_err().contains("ViTImageProcessor"));
    }
}
