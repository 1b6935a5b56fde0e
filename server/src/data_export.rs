//! "Download my data": everything that is kept of a person.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use predilect_api::{Account, ApiToken, Generation, ImageId, Profile};
use serde::Serialize;

use crate::{
    archive::Archive,
    store::{Person, Store},
};

/// Counted up when a reader of the old `data.json` would misread the new one.
const VERSION: u32 = 1;
const PAGE: u32 = 100;

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

/// Writes `data.json`, and the pictures under `pictures/`.
///
/// # Errors
/// When a picture can't be read, or nobody reads on.
pub fn fill(data: &PersonalData, archive: &mut Archive) -> io::Result<()> {
    serde_json::to_writer_pretty(archive.file("data.json")?, data)?;
    for id in pictures(data) {
        archive.picture(format!("pictures/{id}.png"), id)?;
    }
    Ok(())
}

fn pictures(data: &PersonalData) -> impl Iterator<Item = &ImageId> {
    data.generations
        .iter()
        .flat_map(|generation| &generation.images)
        .map(|image| &image.id)
}
