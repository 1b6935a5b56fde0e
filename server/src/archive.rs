//! ZIP archives that are made while they are sent, so that ten thousand pictures take no more
//! memory than one.

use std::io::{self, Write};

use futures_util::{Stream, stream};
use predilect_api::ImageId;
use tokio::{sync::mpsc, task::JoinHandle};
use zip::{
    CompressionMethod, ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

use crate::files::Files;

/// Bytes sent at a time, and how many such pieces may wait for a slow reader.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 4;

/// An archive under way.
pub struct Archive {
    zip: ZipWriter<StreamWriter<Pieces>>,
    files: Files,
}

impl Archive {
    /// Begins a file, and returns where it is to be written.
    ///
    /// # Errors
    /// When nobody reads on.
    pub fn file(&mut self, name: impl ToString) -> io::Result<&mut impl Write> {
        // Nearly all of it is PNG, which is compressed already.
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        self.zip.start_file(name, stored)?;
        Ok(&mut self.zip)
    }

    /// Adds a picture's PNG.
    ///
    /// # Errors
    /// When it can't be read, or nobody reads on.
    pub fn picture(&mut self, name: impl ToString, id: &ImageId) -> io::Result<()> {
        let png = self.files.read(id)?;
        self.file(name)?.write_all(&png)
    }
}

/// The archive that `fill` fills, in pieces. It ends with an error, which breaks the download
/// off, when `fill` fails: an archive that is not whole must not look as if it were.
pub fn stream(
    files: Files,
    fill: impl FnOnce(&mut Archive) -> io::Result<()> + Send + 'static,
) -> impl Stream<Item = io::Result<Vec<u8>>> {
    let (sender, pieces) = mpsc::channel(PIECES);
    let writing = tokio::task::spawn_blocking(move || {
        let zip = ZipWriter::new_stream(Pieces {
            sender,
            filled: Vec::with_capacity(PIECE),
        });
        let mut archive = Archive { zip, files };
        fill(&mut archive)?;
        archive.zip.finish()?.into_inner().send()
    });
    let state = (pieces, Some(writing));
    stream::unfold(state, |(mut pieces, writing)| async move {
        if let Some(piece) = pieces.recv().await {
            return Some((Ok(piece), (pieces, writing)));
        }
        let failed = outcome(writing?).await.err()?;
        Some((Err(failed), (pieces, None)))
    })
}

async fn outcome(writing: JoinHandle<io::Result<()>>) -> io::Result<()> {
    writing
        .await
        .map_err(io::Error::other)?
        .inspect_err(|error| {
            if error.kind() != io::ErrorKind::BrokenPipe {
                tracing::error!(%error, "an archive could not be sent");
            }
        })
}

/// Hands on what is written, in pieces, and waits where the reader is slow.
struct Pieces {
    sender: mpsc::Sender<Vec<u8>>,
    filled: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.filled.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.filled.extend_from_slice(taken);
        if self.filled.len() == PIECE {
            self.send()?;
        }
        Ok(taken.len())
    }

    /// Nothing: the ZIP writer may flush after each file, which would make small pieces.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.filled, Vec::with_capacity(PIECE));
        self.sender
            .blocking_send(piece)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
