//! The bank of preference pairs a person chooses from: `bank.json` beside WebP files.
//!
//! A pair is named by a hash of its prompt and pictures, so a bank that is built
//! again from the same pictures keeps the choices people already made.

use std::{
    collections::HashMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

use image::{ImageFormat, RgbImage};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The only `format_version` this reader knows.
const FORMAT_VERSION: u32 = 1;
const INDEX_FILE: &str = "bank.json";
/// libwebp's quality: high enough that a choice is never about the compression.
const WEBP_QUALITY: f32 = 92.0;

/// Why a pair bank could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairBankError {
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `bank.json` is not what this program writes.
    #[error("{path} is not a pair bank: {reason}; build it again with `predilect pairs build`")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A picture could not be decoded or encoded.
    #[error(
        "the picture {path} is broken: {reason}; build the bank again with `predilect pairs build`"
    )]
    Picture {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    format_version: u32,
    model_hash: String,
    pairs: Vec<BankPair>,
}

/// Two pictures drawn from one prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankPair {
    /// Names the pair; unique in its bank.
    pub id: String,
    /// What both pictures were drawn from.
    pub prompt: String,
    /// File name of the left picture, relative to the bank's folder.
    pub left: String,
    /// File name of the right picture, relative to the bank's folder.
    pub right: String,
}

/// One of a pair's two pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left picture.
    Left,
    /// The right picture.
    Right,
}

/// A bank as loaded: every id is unique and every picture file is there.
#[derive(Clone, Debug)]
pub struct PairBank {
    folder: PathBuf,
    model_hash: String,
    pairs: Vec<BankPair>,
    by_id: HashMap<String, usize>,
}

impl PairBank {
    /// Loads the bank in `folder`.
    ///
    /// # Errors
    /// When `bank.json` is missing, of another format or empty, when an id repeats,
    /// or when a picture is missing or lies outside the folder.
    pub fn load(folder: &Path) -> Result<Self, PairBankError> {
        let path = folder.join(INDEX_FILE);
        let broken = |reason: String| PairBankError::Format {
            path: path.clone(),
            reason,
        };
        let bytes = fs::read(&path).map_err(file_error("read", &path))?;
        let index: Index = serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))?;
        if index.format_version != FORMAT_VERSION {
            return Err(broken(format!(
                "its format_version is {}, and this program reads {FORMAT_VERSION}",
                index.format_version
            )));
        }
        if index.pairs.is_empty() {
            return Err(broken("it has no pairs".into()));
        }
        let mut by_id = HashMap::with_capacity(index.pairs.len());
        for (at, pair) in index.pairs.iter().enumerate() {
            if by_id.insert(pair.id.clone(), at).is_some() {
                return Err(broken(format!("the pair {} is there twice", pair.id)));
            }
            for name in [&pair.left, &pair.right] {
                if !is_plain_file_name(name) {
                    return Err(broken(format!("{name:?} is not a plain file name")));
                }
                let picture = folder.join(name);
                fs::metadata(&picture).map_err(file_error("find", &picture))?;
            }
        }
        Ok(Self {
            folder: folder.into(),
            model_hash: index.model_hash,
            pairs: index.pairs,
            by_id,
        })
    }

    /// SHA-256 (hexadecimal) of the weights that drew the pictures.
    #[must_use]
    pub fn model_hash(&self) -> &str {
        &self.model_hash
    }

    /// Every pair, in the order of the file.
    #[must_use]
    pub fn pairs(&self) -> &[BankPair] {
        &self.pairs
    }

    /// The pair named `id`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&BankPair> {
        self.by_id.get(id).map(|&at| &self.pairs[at])
    }

    /// Where a picture's WebP file lies.
    #[must_use]
    pub fn picture_path(&self, pair: &BankPair, side: Side) -> PathBuf {
        self.folder.join(match side {
            Side::Left => &pair.left,
            Side::Right => &pair.right,
        })
    }

    /// Decodes a picture.
    ///
    /// # Errors
    /// When the file can't be read or is no picture.
    pub fn read_picture(&self, pair: &BankPair, side: Side) -> Result<RgbImage, PairBankError> {
        let path = self.picture_path(pair, side);
        let bytes = fs::read(&path).map_err(file_error("read", &path))?;
        let picture =
            image::load_from_memory_with_format(&bytes, ImageFormat::WebP).map_err(|e| {
                PairBankError::Picture {
                    path,
                    reason: e.to_string(),
                }
            })?;
        Ok(picture.into_rgb8())
    }
}

/// Writes a bank: pictures as they come, the index last, so that a bank cut off
/// half-way is never taken for a whole one.
pub struct PairBankWriter {
    folder: PathBuf,
    index: Index,
}

impl PairBankWriter {
    /// Starts a bank in `folder`, which is made if it is not there.
    /// `model_hash` is the SHA-256 (hexadecimal) of the weights that draw.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn create(folder: &Path, model_hash: &str) -> Result<Self, PairBankError> {
        fs::create_dir_all(folder).map_err(file_error("make", folder))?;
        let index = Index {
            format_version: FORMAT_VERSION,
            model_hash: model_hash.into(),
            pairs: vec![],
        };
        Ok(Self {
            folder: folder.into(),
            index,
        })
    }

    /// Adds a pair and writes its two pictures; returns its id. A pair that is
    /// already there is not added again.
    ///
    /// # Errors
    /// When a picture can't be encoded or written.
    pub fn add(
        &mut self,
        prompt: &str,
        left: &RgbImage,
        right: &RgbImage,
    ) -> Result<String, PairBankError> {
        let left = encode_webp(left, &self.folder)?;
        let right = encode_webp(right, &self.folder)?;
        let id = pair_id(prompt, &left, &right);
        if self.index.pairs.iter().any(|pair| pair.id == id) {
            return Ok(id);
        }
        let (left_name, right_name) = (format!("{id}-left.webp"), format!("{id}-right.webp"));
        for (name, bytes) in [(&left_name, &left), (&right_name, &right)] {
            let path = self.folder.join(name);
            fs::write(&path, bytes).map_err(file_error("write", &path))?;
        }
        self.index.pairs.push(BankPair {
            id: id.clone(),
            prompt: prompt.into(),
            left: left_name,
            right: right_name,
        });
        Ok(id)
    }

    /// Writes the index and opens the bank.
    ///
    /// # Errors
    /// When the index can't be written, or the bank is empty.
    pub fn finish(self) -> Result<PairBank, PairBankError> {
        let path = self.folder.join(INDEX_FILE);
        let text = serde_json::to_vec_pretty(&self.index).map_err(|e| PairBankError::Format {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        let unfinished = path.with_extension("json.part");
        fs::write(&unfinished, text).map_err(file_error("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(file_error("write", &path))?;
        PairBank::load(&self.folder)
    }
}

fn pair_id(prompt: &str, left: &[u8], right: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [prompt.as_bytes(), left, right] {
        // Lengths keep the parts apart: "ab"+"c" must not hash as "a"+"bc".
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn encode_webp(picture: &RgbImage, folder: &Path) -> Result<Vec<u8>, PairBankError> {
    webp::Encoder::from_rgb(picture.as_raw(), picture.width(), picture.height())
        .encode_simple(false, WEBP_QUALITY)
        .map(|bytes| bytes.to_vec())
        .map_err(|e| PairBankError::Picture {
            path: folder.into(),
            reason: format!("{e:?}"),
        })
}

fn is_plain_file_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    )
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PairBankError {
    let path = path.to_path_buf();
    move |source| PairBankError::File {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn plain(colour: [u8; 3]) -> RgbImage {
        RgbImage::from_pixel(32, 32, Rgb(colour))
    }

    fn small_bank(folder: &Path) -> PairBank {
        let mut writer = PairBankWriter::create(folder, "abc").unwrap();
        writer
            .add("a red apple", &plain([200, 0, 0]), &plain([0, 0, 200]))
            .unwrap();
        writer
            .add("a dog", &plain([0, 200, 0]), &plain([0, 0, 0]))
            .unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let bank = small_bank(folder.path());
        assert_eq!(bank.model_hash(), "abc");
        assert_eq!(bank.pairs().len(), 2);
        let apple = bank.get(&bank.pairs()[0].id).unwrap();
        assert_eq!(apple.prompt, "a red apple");
        let left = bank.read_picture(apple, Side::Left).unwrap();
        assert_eq!(left.dimensions(), (32, 32));
        assert!(
            left.get_pixel(16, 16).0[0] > 180,
            "the left picture is the red one"
        );
        assert!(bank.get("no such pair").is_none());
    }

    #[test]
    fn a_pair_keeps_its_id_when_the_bank_is_built_again() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(
            small_bank(one.path()).pairs(),
            small_bank(two.path()).pairs()
        );
    }

    #[test]
    fn the_same_pair_is_added_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = PairBankWriter::create(folder.path(), "abc").unwrap();
        for _ in 0..2 {
            writer
                .add("a dog", &plain([1, 2, 3]), &plain([3, 2, 1]))
                .unwrap();
        }
        assert_eq!(writer.finish().unwrap().pairs().len(), 1);
    }

    #[test]
    fn a_bank_with_a_missing_picture_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let bank = small_bank(folder.path());
        fs::remove_file(bank.picture_path(&bank.pairs()[1], Side::Right)).unwrap();
        let error = PairBank::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("-right.webp"), "{error}");
    }

    #[test]
    fn a_picture_outside_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let bank = small_bank(folder.path());
        let text = fs::read_to_string(folder.path().join(INDEX_FILE)).unwrap();
        let text = text.replace(&bank.pairs()[0].left, "../secret.webp");
        fs::write(folder.path().join(INDEX_FILE), text).unwrap();
        let error = PairBank::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("../secret.webp"), "{error}");
    }

    #[test]
    fn another_format_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        small_bank(folder.path());
        let text = fs::read_to_string(folder.path().join(INDEX_FILE)).unwrap();
        fs::write(
            folder.path().join(INDEX_FILE),
            text.replace("\"format_version\": 1", "\"format_version\": 2"),
        )
        .unwrap();
        let error = PairBank::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("format_version is 2"), "{error}");
    }
}
