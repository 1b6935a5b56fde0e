//! The results of a long computation in a file a block: a stop or a kill costs the block that was
//! being made.

use std::fs;
use std::path::{Path, PathBuf};

use tch::Tensor;

use super::TrainError;
use crate::weights::{Checkpoint, save};

/// The file that says what a folder's blocks follow from.
const ORIGIN_FILE: &str = "origin.txt";

/// A folder of numbered blocks that all follow from one origin.
pub(super) struct Blocks {
    dir: PathBuf,
    /// Whether there were blocks of another origin.
    pub(super) replaced: bool,
}

impl Blocks {
    /// The blocks of `origin` in `dir`. Those of another origin are removed.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub(super) fn open(dir: &Path, origin: &str) -> Result<Self, TrainError> {
        let file = dir.join(ORIGIN_FILE);
        let same = fs::read_to_string(&file).is_ok_and(|found| found == origin);
        let replaced = !same && dir.exists();
        if replaced {
            fs::remove_dir_all(dir).map_err(TrainError::io(dir))?;
        }
        if !same {
            fs::create_dir_all(dir).map_err(TrainError::io(dir))?;
            // Cut short by a kill it is no origin, and the next start removes the folder.
            fs::write(&file, origin).map_err(TrainError::io(&file))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            replaced,
        })
    }

    fn path(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{number:05}.safetensors"))
    }

    /// The block of this number, if it was made before.
    ///
    /// # Errors
    /// The file is damaged.
    pub(super) fn read(&self, number: usize) -> Result<Option<Checkpoint>, TrainError> {
        let path = self.path(number);
        match path.exists() {
            true => Ok(Some(Checkpoint::open(&[path])?)),
            false => Ok(None),
        }
    }

    /// Keeps a block.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(
        &self,
        number: usize,
        tensors: &[(&str, &Tensor)],
    ) -> Result<(), TrainError> {
        Ok(save(&self.path(number), tensors.iter().copied())?)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn blocks_are_kept_for_one_origin_and_removed_for_another() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("blocks");
        let blocks = Blocks::open(&dir, "one").unwrap();
        assert!(!blocks.replaced && blocks.read(3).unwrap().is_none());
        let numbers = Tensor::from_slice(&[1i64, 2]);
        blocks.write(3, &[("numbers", &numbers)]).unwrap();

        let again = Blocks::open(&dir, "one").unwrap();
        let kept = again.read(3).unwrap().expect("written before");
        assert!(!again.replaced);
        assert_eq!(kept.tensor("numbers", Device::Cpu).unwrap(), numbers);

        let other = Blocks::open(&dir, "two").unwrap();
        assert!(other.replaced && other.read(3).unwrap().is_none());
    }
}
