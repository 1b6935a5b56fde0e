//! "Download my data": everything that is kept of a person, as a ZIP archive that is made
//! while it is sent, so that ten thousand pictures take no more memory than one.

use std::io::{self, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{Stream, stream};
use predilect_api::{Account, ApiToken, Generation, ImageId, Profile};
use serde::Serialize;
use tokio::{sync::mpsc, task::JoinHandle};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    files::Files,
    store::{Person, Store},
};

/// Counted up when a reader of the old `data.json` would misread the new one.
const VERSION: u32 = 1;
const PAGE: u32 = 100;
/// Bytes sent at a time, and how many such pieces may wait for a slow reader.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 4;

/// What `data.json` holds.
#[derive(Serialize)]
pub struct PersonalData {
    version: u32,
    account: Account,
    api_tokens: Vec<ApiToken>,
    choices: Vec<ExportedChoice>,
    profiles: Vec<ExportedProfile>,
    /// Their images are in `pictures/`, by id.
    generations: Vec<Generation>,
    survey_votes: Vec<ExportedSurveyVote>,
}

#[derive(Serialize)]
struct ExportedSurveyVote {
    survey_id: String,
    item_id: String,
    prompt: String,
    vote: String,
    voted_at: String,
}

#[derive(Serialize)]
struct ExportedChoice {
    pair_id: String,
    choice: String,
    profile_id: Option<String>,
    created_at: String,
}

#[derive(Serialize)]
struct ExportedProfile {
    #[serde(flatten)]
    profile: Profile,
    embeddings: Vec<ExportedEmbedding>,
}

#[derive(Serialize)]
struct ExportedEmbedding {
    /// SHA-256 of the weights that made it.
    model_hash: String,
    /// As the model packed it, in base64.
    bytes: String,
    description: String,
    created_at: String,
}

/// Reads all that is kept of a person, except for the pictures themselves.
///
/// # Errors
/// When the database fails.
pub async fn collect(store: &Store, person: &Person) -> sqlx::Result<PersonalData> {
    let choices = store.choices(person).await?;
    Ok(PersonalData {
        version: VERSION,
        account: person.account(),
        api_tokens: store.api_tokens(person).await?,
        choices: choices
            .into_iter()
            .map(|made| ExportedChoice {
                pair_id: made.pair_id,
                choice: made.choice,
                profile_id: made.profile_id,
                created_at: made.created_at,
            })
            .collect(),
        profiles: profiles(store, person).await?,
        generations: generations(store, person).await?,
        survey_votes: survey_votes(store, person).await?,
    })
}

async fn survey_votes(store: &Store, person: &Person) -> sqlx::Result<Vec<ExportedSurveyVote>> {
    let votes = store.own_votes(person).await?;
    Ok(votes
        .into_iter()
        .map(|own| ExportedSurveyVote {
            voted_at: own.when(),
            survey_id: own.survey_id,
            item_id: own.item_id,
            prompt: own.prompt,
            vote: own.vote,
        })
        .collect())
}

async fn profiles(store: &Store, person: &Person) -> sqlx::Result<Vec<ExportedProfile>> {
    let mut exported = vec![];
    for profile in store.profiles(person).await? {
        let embeddings = store.embeddings(&profile.id).await?;
        let embeddings = embeddings
            .into_iter()
            .map(|stored| ExportedEmbedding {
                bytes: STANDARD.encode(&stored.bytes),
                created_at: stored.made_at(),
                model_hash: stored.model_hash,
                description: stored.description,
            })
            .collect();
        exported.push(ExportedProfile {
            profile,
            embeddings,
        });
    }
    Ok(exported)
}

async fn generations(store: &Store, person: &Person) -> sqlx::Result<Vec<Generation>> {
    let mut all: Vec<Generation> = vec![];
    loop {
        let before = all.last().map(|last| &last.id);
        let page = store.generations(person, before, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The archive in pieces. It ends with an error, which breaks the download off, when a
/// picture can't be read: an archive that is not whole must not look as if it were.
pub fn archive(data: PersonalData, files: Files) -> impl Stream<Item = io::Result<Vec<u8>>> {
    let (sender, pieces) = mpsc::channel(PIECES);
    let writing = tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces {
            sender,
            filled: Vec::with_capacity(PIECE),
        };
        write(&data, &files, &mut pieces)?;
        pieces.send()
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
                tracing::error!(%error, "a person's data could not be sent");
            }
        })
}

fn write(data: &PersonalData, files: &Files, to: &mut Pieces) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(to);
    // PNG is compressed already.
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file("data.json", stored)?;
    serde_json::to_writer_pretty(&mut zip, data)?;
    for id in pictures(data) {
        zip.start_file(format!("pictures/{id}.png"), stored)?;
        zip.write_all(&files.read(id)?)?;
    }
    zip.finish()?;
    Ok(())
}

fn pictures(data: &PersonalData) -> impl Iterator<Item = &ImageId> {
    data.generations
        .iter()
        .flat_map(|generation| &generation.images)
        .map(|image| &image.id)
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
