//! What a folder of networks holds, and in words what is wrong with it, from headers alone.

mod kind;
mod pipeline_index;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::weights::{Checkpoint, WeightsError, read_config, variants};
use kind::NetworkKind;

/// Folders are searched this deep: a parent of repositories, a repository, a network.
const DEPTH: usize = 3;

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

    /// Memory that the weights need, in bytes, at this many bytes a number.
    pub fn memory(&self, bytes_each: u64) -> u64 {
        self.parameters * bytes_each
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct FolderReport {
    /// The networks, in the order of their folders' names.
    pub networks: Vec<NetworkReport>,
    /// What is wrong with the folder as a whole: parts that a pipeline lists and that are missing.
    pub problems: Vec<String>,
}

impl FolderReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.networks.iter().all(|n| n.problem.is_none())
    }
}

/// Reads every config.json, index and header in `dir` and up to three levels below; no weights.
///
/// # Errors
/// A folder cannot be listed. What is wrong with a network is part of the report.
pub fn check(dir: &Path) -> Result<FolderReport, WeightsError> {
    let mut report = FolderReport::default();
    visit(dir, DEPTH, &mut report)?;
    if report.networks.is_empty() && report.problems.is_empty() {
        report.problems.push(format!(
            "{} holds no network: no config.json in it or in its folders",
            dir.display()
        ));
    }
    Ok(report)
}

fn visit(dir: &Path, depth: usize, report: &mut FolderReport) -> Result<(), WeightsError> {
    let io = |source| WeightsError::Io {
        path: dir.to_owned(),
        source,
    };
    if dir.join("config.json").exists() {
        report.networks.extend(networks(dir));
    }
    report.problems.extend(pipeline_index::missing_parts(dir));
    if depth == 0 {
        return Ok(());
    }
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            folders.push(path);
        }
    }
    folders.sort();
    folders
        .iter()
        .try_for_each(|folder| visit(folder, depth - 1, report))
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
        Ok(sets) => sets.iter().map(|set| network(folder, kind, set)).collect(),
    }
}

fn network(folder: &Path, kind: NetworkKind, files: &[PathBuf]) -> NetworkReport {
    let mut report = NetworkReport {
        network: Some(kind.name()),
        ..NetworkReport::new(folder)
    };
    let fit = Checkpoint::open(files).and_then(|weights| {
        report.files = weights
            .files()
            .map(|(path, size)| (path.to_owned(), size))
            .collect();
        report.parameters = weights.parameters();
        report.dtypes = weights.dtypes();
        kind.fit(folder, weights)
    });
    report.problem = fit.err().map(|error| error.to_string());
    report
}
