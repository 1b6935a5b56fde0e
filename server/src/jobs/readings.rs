//! Reads completed sets of choices into preference embeddings.

use std::time::Duration;

use predilect_api::Choice;
use predilect_model::preference::{
    conversation::PreferencePair,
    embedding::PreferenceEmbedding,
    pair_bank::{PairBank, Side},
};
use tokio::sync::oneshot;

use crate::{
    app::AppState,
    store::{PendingReading, Reading},
};

const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Reads one set after another, oldest first, until the jobs close.
pub(super) async fn run(app: AppState) {
    let closed = app.jobs.closed();
    tokio::pin!(closed);
    loop {
        tokio::select! {
            () = &mut closed => return,
            done = read_pending(&app) => if let Err(error) = done {
                tracing::error!(%error, "cannot get at the completed sets");
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            },
        }
        tokio::select! {
            () = &mut closed => return,
            () = app.jobs.set_completed.notified() => {}
        }
    }
}

async fn read_pending(app: &AppState) -> sqlx::Result<()> {
    loop {
        let pending = app.store.pending_readings().await?;
        let Some(reading) = pending.first() else {
            return Ok(());
        };
        let choices = app.store.counted_choices(reading.set_id).await?;
        let outcome = read(app, choices).await;
        if let Err(failure) = &outcome {
            tracing::error!(
                profile = reading.profile_id,
                failure,
                "choices could not be read"
            );
        }
        finish(app, reading, outcome).await?;
    }
}

async fn finish(
    app: &AppState,
    reading: &PendingReading,
    outcome: Result<Reading, String>,
) -> sqlx::Result<()> {
    metrics::counter!(
        "predilect_readings_total",
        "outcome" => if outcome.is_ok() { "ready" } else { "failed" }
    )
    .increment(1);
    app.store.finish_reading(reading, outcome).await
}

/// The embedding is a function of pixels, captions and choices: nothing else is handed on.
async fn read(app: &AppState, choices: Vec<(String, Choice)>) -> Result<Reading, String> {
    let bank = app.bank.clone();
    let pairs = tokio::task::spawn_blocking(move || preference_pairs(&bank, &choices))
        .await
        .map_err(|error| format!("The pictures of the choices could not be read: {error}."))??;
    let (tell, told) = oneshot::channel();
    app.engine
        .embed(
            pairs,
            // Nobody listens any more when the server is closing; the set is read next time.
            Box::new(move |embedding| drop(tell.send(embedding))),
        )
        .map_err(|error| error.to_string())?;
    let embedding: PreferenceEmbedding = told
        .await
        .map_err(|_| "The model stopped while it read the choices.".to_owned())?
        .map_err(|error| error.to_string())?;
    Ok(Reading {
        bytes: embedding.to_bytes(),
        description: embedding.description,
        model_hash: app.engine.info().hash.clone(),
    })
}

fn preference_pairs(
    bank: &PairBank,
    choices: &[(String, Choice)],
) -> Result<Vec<PreferencePair>, String> {
    choices
        .iter()
        .map(|(id, choice)| {
            let pair = bank.get(id).ok_or_else(|| {
                format!("The pair {id} is no longer in the bank; please choose again.")
            })?;
            let left = bank
                .read_picture(pair, Side::Left)
                .map_err(|e| e.to_string())?;
            let right = bank
                .read_picture(pair, Side::Right)
                .map_err(|e| e.to_string())?;
            let (preferred, rejected) = if *choice == Choice::Left {
                (left, right)
            } else {
                (right, left)
            };
            Ok(PreferencePair {
                caption: pair.prompt.clone(),
                preferred,
                rejected,
            })
        })
        .collect()
}
