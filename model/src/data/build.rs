//! Building the artwork set: fetch, join, render, write, rename into place.
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::artwork::{Artwork, ArtworkWriter, PictureRef, Style, Subject};
use super::join::{self, Drawing, JoinedStyle};
use super::sources::{EMOJIBASE, EMOJILIB, SOURCES};
use super::split::split;
use super::words::{self, Words};
use super::{DataError, PICTURE_SIZE, npm, remove_folder, render, tokenizer};

/// Changes whenever rendering, joining or words change what the set holds.
const FORMAT_VERSION: u32 = 3;

/// Pictures rendered between two progress reports.
const CHUNK: usize = 256;

/// Where to build from and to.
#[derive(Debug, Clone)]
pub struct BuildConfig {
    /// Folder of fetched npm packages.
    pub package_cache: PathBuf,
    /// The set's folder; made anew, replaced only when the new set is complete.
    pub out: PathBuf,
    /// Build even where a finished set of the same content is there.
    pub force: bool,
    /// Rendering threads, at least one.
    pub threads: usize,
}

/// How far the build is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildProgress {
    /// Waiting for another build, which holds this lock.
    Waiting(PathBuf),
    /// Fetching a package (or finding it in the cache).
    Fetching(String),
    /// Pictures done, of this many.
    Rendering {
        /// Rendered or skipped.
        done: usize,
        /// All.
        total: usize,
    },
    /// Training the tokenizer on the captions.
    Tokenizer,
}

/// A picture that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Style id.
    pub style: String,
    /// Subject code.
    pub code: String,
    /// Why.
    pub reason: String,
}

/// What a build left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildReport {
    /// A finished set was there and nothing was done.
    pub reused: bool,
    /// Style id and number of its pictures.
    pub styles: Vec<(String, usize)>,
    /// Number of subjects.
    pub subjects: usize,
    /// Subjects held out from training.
    pub held_out: usize,
    /// Number of pictures.
    pub pictures: usize,
    /// Pictures left out; empty for a reused set.
    pub skipped: Vec<Skipped>,
}

/// Builds the set, or finds it finished.
///
/// # Errors
/// When npm or a package is missing, a package's content is not as expected, or the disk fails.
/// A picture that cannot be drawn is no error: it is skipped and counted.
pub fn build(
    config: &BuildConfig,
    progress: &mut dyn FnMut(BuildProgress),
) -> Result<BuildReport, DataError> {
    let fingerprint = fingerprint();
    let finished = || {
        let set = Artwork::open(&config.out).ok().filter(|_| !config.force)?;
        let same = set.fingerprint() == fingerprint;
        same.then(|| report(&set, true, Vec::new()))
    };
    if let Some(report) = finished() {
        return Ok(report);
    }
    // A build holds both locks to its end: what an earlier one left half done is nobody's then.
    let mut hold = |path: PathBuf| lock(&path, || progress(BuildProgress::Waiting(path.clone())));
    let _cache = hold(config.package_cache.join(".lock"))?;
    let _out = hold(beside(&config.out, LOCK))?;
    // Another one may have built the set meanwhile.
    if let Some(report) = finished() {
        return Ok(report);
    }
    for package in SOURCES
        .iter()
        .map(|source| source.package)
        .chain([EMOJIBASE, EMOJILIB])
    {
        progress(BuildProgress::Fetching(package.to_string()));
        npm::fetch(&config.package_cache, package)?;
    }
    let words = words::load(&config.package_cache)?;
    let joined = join::join_all(&config.package_cache, &words)?;

    let staging = beside(&config.out, BUILDING);
    remove_folder(&staging)?;
    remove_folder(&beside(&config.out, OLD))?;
    std::fs::create_dir_all(&staging).map_err(DataError::io(&staging))?;
    let skipped = write_set(
        &staging,
        fingerprint,
        &words,
        &joined,
        config.threads,
        progress,
    )?;
    let set = Artwork::open(&staging)?;
    progress(BuildProgress::Tokenizer);
    tokenizer::train(tokenizer::training_texts(&set))?
        .save(&staging.join(tokenizer::TOKENIZER_FILE))?;
    let report = report(&set, false, skipped);
    drop(set);
    replace(&staging, &config.out)?;
    Ok(report)
}

/// What the set is made from, in one line.
fn fingerprint() -> String {
    let packages: Vec<String> = SOURCES
        .iter()
        .map(|source| source.package)
        .chain([EMOJIBASE, EMOJILIB])
        .map(|package| package.to_string())
        .collect();
    format!(
        "artwork {FORMAT_VERSION}, {PICTURE_SIZE} px: {}",
        packages.join(" ")
    )
}

fn write_set(
    dir: &Path,
    fingerprint: String,
    words: &Words,
    joined: &[JoinedStyle],
    threads: usize,
    progress: &mut dyn FnMut(BuildProgress),
) -> Result<Vec<Skipped>, DataError> {
    let codes: Vec<&String> = joined
        .iter()
        .flat_map(|style| style.drawings.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let jobs: Vec<(PictureRef, &Drawing)> = codes
        .iter()
        .enumerate()
        .flat_map(|(subject, code)| {
            joined.iter().enumerate().filter_map(move |(style, set)| {
                Some((PictureRef { subject, style }, set.drawings.get(*code)?))
            })
        })
        .collect();

    let mut set = ArtworkWriter::create(dir)?;
    let mut skipped: Vec<Skipped> = SOURCES
        .iter()
        .zip(joined)
        .flat_map(|(source, style)| {
            style.without_icon.iter().map(|(code, name)| Skipped {
                style: source.id.to_owned(),
                code: code.clone(),
                reason: format!("the set names the icon {name} and lacks it"),
            })
        })
        .collect();
    for (number, chunk) in jobs.chunks(CHUNK).enumerate() {
        progress(BuildProgress::Rendering {
            done: number * CHUNK,
            total: jobs.len(),
        });
        for ((picture, _), rendered) in chunk.iter().zip(render_chunk(chunk, joined, threads)) {
            match rendered {
                Ok(rgba) => set.add(*picture, &rgba)?,
                Err(broken) => skipped.push(Skipped {
                    style: SOURCES[picture.style].id.to_owned(),
                    code: codes[picture.subject].clone(),
                    reason: broken.to_string(),
                }),
            }
        }
    }
    progress(BuildProgress::Rendering {
        done: jobs.len(),
        total: jobs.len(),
    });
    let subjects = codes.iter().map(|code| subject_entry(code, words));
    set.finish(
        fingerprint,
        SOURCES.iter().map(style_entry).collect(),
        subjects.collect(),
    )?;
    Ok(skipped)
}

/// Renders the chunk's pictures on several threads, in order.
fn render_chunk(
    chunk: &[(PictureRef, &Drawing)],
    joined: &[JoinedStyle],
    threads: usize,
) -> Vec<Result<Vec<u8>, render::Broken>> {
    let share = chunk.len().div_ceil(threads.max(1));
    std::thread::scope(|scope| {
        let workers: Vec<_> = chunk
            .chunks(share)
            .map(|part| {
                scope.spawn(move || {
                    part.iter()
                        .map(|(picture, drawing)| {
                            let font = joined[picture.style].font.as_deref();
                            render::render(drawing, font).map(image::RgbaImage::into_raw)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| {
                worker
                    .join()
                    .expect("a panic of the renderer is an error of its picture")
            })
            .collect()
    })
}

fn style_entry(source: &super::sources::Source) -> Style {
    Style {
        id: source.id.to_owned(),
        mono: source.mono,
        words: source.words.iter().map(|&words| words.to_owned()).collect(),
        package: source.package.to_string(),
        licence: source.licence.to_owned(),
    }
}

fn subject_entry(code: &str, words: &Words) -> Subject {
    let known = words.subjects[code].clone();
    Subject {
        code: code.to_owned(),
        label: known.label,
        synonyms: known.synonyms,
        tags: known.tags,
        group: known.group,
        subgroup: known.subgroup,
        split: split(code),
    }
}

/// Puts the finished folder in the place of the old one.
fn replace(new: &Path, place: &Path) -> Result<(), DataError> {
    let old = beside(place, OLD);
    if place.exists() {
        std::fs::rename(place, &old).map_err(DataError::io(place))?;
    }
    std::fs::rename(new, place).map_err(DataError::io(place))?;
    remove_folder(&old)
}

/// What lies beside a set: the new one while it is built, the old one while it is replaced, and
/// the lock of the builds. All but the lock is removed, so the names are nobody else's.
const BUILDING: &str = "predilect-building";
const OLD: &str = "predilect-old";
const LOCK: &str = "predilect-lock";

/// A hidden name beside a folder, of which it tells both the folder and the use.
fn beside(place: &Path, what: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(".");
    name.push(what);
    place.with_file_name(name)
}

/// Waits until no other process holds this lock, and says so first where one does; a process lets
/// go of it however it ends.
fn lock(path: &Path, waits: impl FnOnce()) -> Result<File, DataError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(DataError::io(folder))?;
    }
    let file = File::create(path).map_err(DataError::io(path))?;
    let locked = match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            waits();
            file.lock()
        }
        Err(TryLockError::Error(error)) => Err(error),
    };
    locked.map(|()| file).map_err(DataError::io(path))
}

fn report(set: &Artwork, reused: bool, skipped: Vec<Skipped>) -> BuildReport {
    let mut counts = vec![0; set.styles().len()];
    for i in 0..set.len() {
        counts[set.picture(i).style] += 1;
    }
    BuildReport {
        reused,
        styles: set
            .styles()
            .iter()
            .map(|style| style.id.clone())
            .zip(counts)
            .collect(),
        subjects: set.subjects().len(),
        held_out: set
            .subjects()
            .iter()
            .filter(|s| s.split == super::split::Split::HeldOut)
            .count(),
        pictures: set.len(),
        skipped,
    }
}
