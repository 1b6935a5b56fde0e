//! The artwork set on disk and its reader.
//!
//! A folder with two files: `index.json` (styles, subjects, pictures) and `pixels.rgba`, the
//! pictures one after the other, each 128×128 RGBA8 with straight alpha, in the index's order.
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::split::Split;
use super::variant::{self, Variant};
use super::{DataError, PICTURE_SIZE};

/// Bytes of one picture.
pub const PICTURE_BYTES: usize = (PICTURE_SIZE * PICTURE_SIZE * 4) as usize;

const INDEX_FILE: &str = "index.json";
const PIXELS_FILE: &str = "pixels.rgba";

/// One of the styles the subjects are drawn in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Style {
    /// Short name, such as `fluent-3d`.
    pub id: String,
    /// Drawn in one colour on nothing, so that it can be tinted.
    pub mono: bool,
    /// Natural words for the style.
    pub words: Vec<String>,
    /// The package it comes from, `name@version`.
    pub package: String,
    /// SPDX identifier of the artwork's licence.
    pub licence: String,
}

/// What is shown, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Unicode code points in lower-case hexadecimal, joined by `-`, without variation selectors.
    pub code: String,
    /// Plain English name, lower case.
    pub label: String,
    /// Other names that stand for the subject by themselves.
    pub synonyms: Vec<String>,
    /// Words that are associated with it.
    pub tags: Vec<String>,
    /// Emoji group, such as `food-drink`.
    pub group: String,
    /// Emoji subgroup, such as `food-fruit`.
    pub subgroup: String,
    /// Side of the fixed split.
    pub split: Split,
}

/// Which subject a picture shows in which style, as positions in the lists of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(usize, usize)", into = "(usize, usize)")]
pub struct PictureRef {
    /// Position in [`Artwork::subjects`].
    pub subject: usize,
    /// Position in [`Artwork::styles`].
    pub style: usize,
}

impl From<(usize, usize)> for PictureRef {
    fn from((subject, style): (usize, usize)) -> Self {
        Self { subject, style }
    }
}

impl From<PictureRef> for (usize, usize) {
    fn from(picture: PictureRef) -> Self {
        (picture.subject, picture.style)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Index {
    /// What the set was made from; another value means it must be built anew.
    fingerprint: String,
    size: u32,
    styles: Vec<Style>,
    subjects: Vec<Subject>,
    pictures: Vec<PictureRef>,
}

impl Index {
    fn read(dir: &Path) -> Result<Self, DataError> {
        let path = dir.join(INDEX_FILE);
        let text = std::fs::read(&path).map_err(|error| DataError::Set {
            path: path.clone(),
            reason: format!("the artwork set cannot be read: {error}"),
        })?;
        serde_json::from_slice(&text).map_err(|error| DataError::Set {
            path,
            reason: format!("not an index: {error}"),
        })
    }
}

/// Writes a set, picture by picture.
pub struct ArtworkWriter {
    dir: PathBuf,
    pixels: BufWriter<File>,
    pictures: Vec<PictureRef>,
}

impl ArtworkWriter {
    /// Begins a set in a folder that is there and that nobody reads yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn create(dir: &Path) -> Result<Self, DataError> {
        let path = dir.join(PIXELS_FILE);
        Ok(Self {
            dir: dir.to_owned(),
            pixels: BufWriter::new(File::create(&path).map_err(DataError::io(&path))?),
            pictures: Vec::new(),
        })
    }

    /// Adds a picture: 128×128 RGBA8 with straight alpha.
    ///
    /// # Errors
    /// When the disk fails.
    ///
    /// # Panics
    /// When `rgba` is not [`PICTURE_BYTES`] long.
    pub fn add(&mut self, picture: PictureRef, rgba: &[u8]) -> Result<(), DataError> {
        assert_eq!(rgba.len(), PICTURE_BYTES, "pictures of a set have one size");
        let written = self.pixels.write_all(rgba);
        written.map_err(DataError::io(self.dir.join(PIXELS_FILE)))?;
        self.pictures.push(picture);
        Ok(())
    }

    /// Ends the set with what its pictures refer to. `fingerprint` says what it was made from.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn finish(
        self,
        fingerprint: String,
        styles: Vec<Style>,
        subjects: Vec<Subject>,
    ) -> Result<(), DataError> {
        let path = self.dir.join(PIXELS_FILE);
        let flushed = self.pixels.into_inner().map_err(|error| error.into_error());
        let synced = flushed.and_then(|file| file.sync_all());
        synced.map_err(DataError::io(&path))?;
        let index = Index {
            fingerprint,
            size: PICTURE_SIZE,
            styles,
            subjects,
            pictures: self.pictures,
        };
        let path = self.dir.join(INDEX_FILE);
        let text =
            serde_json::to_vec(&index).expect("an index of strings and numbers is valid JSON");
        std::fs::write(&path, text).map_err(DataError::io(&path))
    }
}

/// A built artwork set, memory-mapped.
pub struct Artwork {
    index: Index,
    pixels: memmap2::Mmap,
}

impl Artwork {
    /// Opens a set made by `predilect data build`.
    ///
    /// # Errors
    /// When a file is missing, the sizes disagree, or a picture names an unknown subject or style.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let index = Index::read(dir)?;
        let path: PathBuf = dir.join(PIXELS_FILE);
        let bad = |reason: String| DataError::Set {
            path: path.clone(),
            reason,
        };
        let file = std::fs::File::open(&path).map_err(DataError::io(&path))?;
        // SAFETY: a finished set is only ever replaced by renaming a new folder into its place;
        // nothing writes into a mapped file.
        let pixels = unsafe { memmap2::Mmap::map(&file) }.map_err(DataError::io(&path))?;
        if index.size != PICTURE_SIZE {
            return Err(bad(format!(
                "pictures of {} pixels, {PICTURE_SIZE} wanted",
                index.size
            )));
        }
        if pixels.len() != index.pictures.len() * PICTURE_BYTES {
            return Err(bad(format!(
                "{} bytes for {} pictures",
                pixels.len(),
                index.pictures.len()
            )));
        }
        let known = |picture: &PictureRef| {
            picture.subject < index.subjects.len() && picture.style < index.styles.len()
        };
        if !index.pictures.iter().all(known) {
            return Err(bad("a picture names an unknown subject or style".into()));
        }
        Ok(Self { index, pixels })
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.index.pictures.len()
    }

    /// Whether the set has no pictures.
    pub fn is_empty(&self) -> bool {
        self.index.pictures.is_empty()
    }

    /// Subject and style of picture `i`.
    ///
    /// # Panics
    /// When `i` is not below [`Self::len`], as for all methods that take a picture's number.
    pub fn picture(&self, i: usize) -> PictureRef {
        self.index.pictures[i]
    }

    /// The subject of picture `i`.
    pub fn subject_of(&self, i: usize) -> &Subject {
        &self.index.subjects[self.picture(i).subject]
    }

    /// The style of picture `i`.
    pub fn style_of(&self, i: usize) -> &Style {
        &self.index.styles[self.picture(i).style]
    }

    /// Numbers of the pictures on one side of the split.
    pub fn pictures_of(&self, split: Split) -> Vec<usize> {
        (0..self.len())
            .filter(|&i| self.subject_of(i).split == split)
            .collect()
    }

    /// Pixels of picture `i`: 128×128 RGBA8, straight alpha, row by row.
    pub fn rgba(&self, i: usize) -> &[u8] {
        &self.pixels[i * PICTURE_BYTES..(i + 1) * PICTURE_BYTES]
    }

    /// Picture `i` laid over a background colour.
    pub fn composite(&self, i: usize, background: [u8; 3]) -> RgbImage {
        variant::over(self.rgba(i), background)
    }

    /// Variant `k` of picture `i`, and what was changed. `k = 0` is the plain picture on white;
    /// all others are drawn from a generator seeded by both numbers, so they never change.
    pub fn variant(&self, i: usize, k: u64) -> (RgbImage, Variant) {
        let variant = Variant::draw(i as u64, k, self.style_of(i).mono);
        (variant.apply(self.rgba(i)), variant)
    }

    /// All subjects, sorted by code.
    pub fn subjects(&self) -> &[Subject] {
        &self.index.subjects
    }

    /// All styles.
    pub fn styles(&self) -> &[Style] {
        &self.index.styles
    }

    /// What the set was made from: changes whenever its content may have changed.
    pub fn fingerprint(&self) -> &str {
        &self.index.fingerprint
    }
}
