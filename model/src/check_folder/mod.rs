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
    Checkpoint, Component, LITE, ModelFolder, REPOSITORY_DEPTH, UNetSize, WeightsError, entries,
    is_hidden, read_config, variants,
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
    /// Whether it has a configuration and no weights, and nothing is lost by that: it is not read,
    /// or its other size is there.
    pub spare: bool,
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
            spare: false,
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
    /// All other files: configurations, indices, vocabularies, and whatever else lies there.
    pub files: Vec<PlainFile>,
    /// What is wrong with the folder as a whole: parts that a pipeline lists and that are missing.
    pub problems: Vec<String>,
    /// What a pipeline lists, is missing, and is not read either; no problem.
    pub not_needed: Vec<String>,
    /// What can be served from the folder.
    pub served: Served,
}

/// What an engine would make of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// A model of this name.
    Model(String),
    /// Nothing, in words why: the folder has a part of what a model needs, which may be sound.
    Part(String),
    /// Nothing, in words why, though the folder has what a model is made of.
    Broken(String),
}

impl FolderReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
            && !matches!(self.served, Served::Broken(_))
            && self.networks.iter().all(|n| n.problem.is_none())
            && self.parts.iter().all(|p| p.content.is_ok())
    }
}

/// Reads every config.json, index, header and tokenizer in `dir` and up to four levels below; no
/// weights. Files that are hidden or deeper are listed. Of repositories with U-Nets of two sizes,
/// those of `size` would be served.
///
/// # Errors
/// A folder cannot be listed. What is wrong with a network is part of the report.
pub fn check(dir: &Path, size: UNetSize) -> Result<FolderReport, WeightsError> {
    let mut report = FolderReport {
        networks: Vec::new(),
        parts: Vec::new(),
        unread: Vec::new(),
        files: Vec::new(),
        problems: Vec::new(),
        not_needed: Vec::new(),
        served: served(dir, size),
    };
    visit(dir, DEPTH, &mut report)?;
    if report.networks.is_empty() && report.problems.is_empty() {
        report.problems.push(format!(
            "{} holds no network: no config.json with weights in it or in its folders",
            dir.display()
        ));
    }
    Ok(report)
}

/// What an engine would say of the folder, without its weights.
fn served(dir: &Path, size: UNetSize) -> Served {
    let reason = match ModelFolder::open(dir, size) {
        Ok(folder) => match engine::check(&folder) {
            Ok(name) => return Served::Model(name),
            Err(error) => error.to_string(),
        },
        // Whole but for the size that was asked for is no part.
        Err(error @ WeightsError::NoModel { .. })
            if ModelFolder::open(dir, UNetSize::Largest).is_err() =>
        {
            return Served::Part(error.to_string());
        }
        Err(error) => error.to_string(),
    };
    Served::Broken(reason)
}

fn visit(dir: &Path, depth: usize, report: &mut FolderReport) -> Result<(), WeightsError> {
    let mut found = loose::networks(dir);
    if dir.join("config.json").exists() {
        found.extend(networks(dir));
    } else if has_weights(dir) {
        found.push(NetworkReport {
            problem: Some("there are weights, and no config.json to them; fetch it".into()),
            ..NetworkReport::new(dir)
        });
    }
    let read = found.iter().flat_map(|network| &network.files);
    let read = read.map(|(path, _)| path.clone()).collect();
    list(dir, &read, report)?;
    report
        .parts
        .extend(part::parts(dir, has_published_vlm(dir, &found)));
    report.networks.extend(found);
    let listed = pipeline_index::parts_listed(dir);
    report.problems.extend(listed.missing);
    report.not_needed.extend(listed.not_needed);
    for folder in entries(dir)?.iter().filter(|path| path.is_dir()) {
        match depth > 0 && !is_hidden(folder) {
            true => visit(folder, depth - 1, report)?,
            false => list_all(folder, report)?,
        }
    }
    Ok(())
}

/// Lists the files in `dir` beside those `read` as weights.
fn list(
    dir: &Path,
    read: &BTreeSet<PathBuf>,
    report: &mut FolderReport,
) -> Result<(), WeightsError> {
    let (unread, files) = loose::others(dir, read)?;
    report.unread.extend(unread);
    report.files.extend(files);
    let entries = entries(dir)?;
    let dangling = entries.iter().filter(|p| p.is_symlink() && !p.exists());
    report.problems.extend(dangling.map(|path| {
        let path = path.display();
        format!("{path}: it is a link to what is not there; fetch it again")
    }));
    Ok(())
}

/// Whether weights lie in `dir` under a name that networks have.
fn has_weights(dir: &Path) -> bool {
    let stems = [Component::Prior, Component::Vlm].map(Component::stem);
    let mut sets = stems.iter().map(|stem| variants(dir, stem));
    sets.any(|sets| sets.is_ok_and(|sets| any_exists(&sets)))
}

/// Lists the files of a folder in which no network is looked for, and of all below it.
fn list_all(dir: &Path, report: &mut FolderReport) -> Result<(), WeightsError> {
    // A link may lead back to where it lies.
    if dir.is_symlink() {
        return Ok(());
    }
    list(dir, &BTreeSet::new(), report)?;
    let entries = entries(dir)?;
    let mut folders = entries.iter().filter(|path| path.is_dir());
    folders.try_for_each(|folder| list_all(folder, report))
}

/// Whether one of the networks `found` in `dir` is a published vision-language model, which is
/// read with what lies beside it. A folder of this program's own has its words elsewhere.
fn has_published_vlm(dir: &Path, found: &[NetworkReport]) -> bool {
    let name = NetworkKind::LlavaOnevision.name();
    let vlm = found.iter().any(|network| network.network == Some(name));
    vlm && !dir.parent().is_some_and(ModelFolder::is_own)
}

/// A report on each set of weights of the network in `folder`.
fn networks(folder: &Path) -> Vec<NetworkReport> {
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
        Ok(sets) if !any_exists(&sets) && is_spare(folder, kind) => vec![NetworkReport {
            network: Some(kind.name()),
            spare: true,
            ..NetworkReport::new(folder)
        }],
        Ok(sets) => {
            let report = |files: &Vec<PathBuf>| {
                let fit = |weights| kind.fit(folder, weights);
                NetworkReport::of_files(folder, kind.name(), files, fit)
            };
            sets.iter().map(report).collect()
        }
    }
}

fn any_exists(sets: &[Vec<PathBuf>]) -> bool {
    sets.iter().flatten().any(|file| file.exists())
}

/// Whether nothing is lost where this network has no weights: it is not read, or it is a U-Net
/// whose other size has them.
fn is_spare(folder: &Path, kind: NetworkKind) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let other = match name.strip_suffix(LITE) {
        Some(full) => full.to_owned(),
        None => format!("{name}{LITE}"),
    };
    let other = variants(&folder.with_file_name(other), kind.stem());
    let has_other = kind == NetworkKind::UNet && other.is_ok_and(|sets| any_exists(&sets));
    has_other || pipeline_index::is_unread(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tokenizer::{TOKENIZER_FILE, train};
    use crate::networks::conv_previewer;

    #[test]
    fn loose_weights_of_the_release_are_known_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        conv_previewer::write_random(&dir.path().join("previewer.safetensors"), 512);
        std::fs::write(dir.path().join("stage_c.ckpt"), [0; 9]).unwrap();
        let report = check(dir.path(), UNetSize::Largest).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.networks[0].network, Some("Previewer"));
        assert!(report.networks[0].parameters > 3_900_000);
        assert!(report.networks[0].dtypes.contains("BF16"));
        assert_eq!(report.unread[0].bytes, 9);

        conv_previewer::write_random(&dir.path().join("previewer.safetensors"), 8);
        conv_previewer::write_random(&dir.path().join("effnet_encoder.safetensors"), 8);
        let report = check(dir.path(), UNetSize::Largest).unwrap();
        let problem = |i: usize| report.networks[i].problem.as_deref().unwrap();
        assert!(problem(0).contains("backbone.0.0.weight"), "{report:?}");
        assert!(problem(1).contains("blocks.0.weight"), "{report:?}");
    }

    #[test]
    fn every_file_is_listed_whatever_its_name_and_place() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ".gitattributes",
            ".cache/huggingface/download/a.lock",
            "README.md",
            "a/b/c/d/e/f/deep.safetensors",
            "a/b/c/d/e/f/deep.json",
            "a/images/sample.png",
            "without_ending",
        ];
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, [0; 3]).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a/b/c/d/e/.back")).unwrap();
        let report = check(dir.path(), UNetSize::Largest).unwrap();
        let listed = report.files.iter().chain(&report.unread);
        let mut listed: Vec<&Path> = listed
            .map(|file| file.path.strip_prefix(dir.path()).unwrap())
            .collect();
        listed.sort();
        let mut files = files.map(Path::new);
        files.sort();
        assert_eq!(listed, files);
    }

    #[test]
    fn weights_that_nothing_reads_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "model_index.json",
            r#"{"_class_name": "StableCascadePriorPipeline"}"#,
        );
        let clip = |part: &str, class: &str| {
            let config = format!(r#"{{"architectures": ["{class}"]}}"#);
            write(&format!("{part}/config.json"), &config);
        };
        clip("image_encoder", "CLIPVisionModelWithProjection");
        let report = || check(dir.path(), UNetSize::Largest).unwrap();
        assert!(report().is_sound(), "{:?}", report());
        assert!(report().networks[0].spare);
        // Damaged ones are told of in any case.
        write("image_encoder/model.safetensors", "half a file");
        assert!(!report().is_sound());
        std::fs::remove_dir_all(dir.path().join("image_encoder")).unwrap();
        clip("text_encoder", "CLIPTextModelWithProjection");
        assert!(!report().is_sound(), "the prior's is read");
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
