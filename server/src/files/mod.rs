//! Pictures as files in a folder: a file that is there is whole, and was on the disk
//! before anybody was told of it.

mod picture;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use predilect_api::ImageId;

pub use picture::{encode_png, png_data_url, spoil_png, webp_of_png};

/// The folder of finished pictures.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Opens the folder, and makes it if it is not there.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.into(),
        })
    }

    /// Writes a picture and waits until it is on the disk.
    ///
    /// # Errors
    /// When it can't be written; nothing under its name is there then.
    pub async fn put(&self, id: &ImageId, png: Vec<u8>) -> io::Result<()> {
        let path = self.path(id);
        blocking(move || write_durably(&path, &png)).await
    }

    /// Reads a picture.
    ///
    /// # Errors
    /// When it is not there or can't be read.
    pub async fn get(&self, id: &ImageId) -> io::Result<Vec<u8>> {
        let path = self.path(id);
        blocking(move || fs::read(path)).await
    }

    /// Reads a picture on the calling thread, for those that may wait.
    ///
    /// # Errors
    /// When it is not there or can't be read.
    pub fn read(&self, id: &ImageId) -> io::Result<Vec<u8>> {
        fs::read(self.path(id))
    }

    /// Removes a picture that nothing refers to.
    ///
    /// # Errors
    /// When it can't be removed.
    pub async fn remove(&self, id: &ImageId) -> io::Result<()> {
        let path = self.path(id);
        blocking(move || fs::remove_file(path)).await
    }

    /// Folders by the first two letters keep each one small.
    fn path(&self, id: &ImageId) -> PathBuf {
        let shelf = id.0.get(..2).unwrap_or_default();
        self.folder.join(shelf).join(format!("{id}.png"))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension("part");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    // The name lives in the folder, so the folder has to reach the disk as well.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_put_is_got_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let id = ImageId("5f0c".into());
        files.put(&id, vec![1, 2, 3]).await.unwrap();
        assert_eq!(files.get(&id).await.unwrap(), [1, 2, 3]);
        files.remove(&id).await.unwrap();
        assert_eq!(
            files.get(&id).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
