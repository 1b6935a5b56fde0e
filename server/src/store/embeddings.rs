use predilect_api::{Choice, ProfileId};
use sqlx::SqliteConnection;

use super::{Store, now_ms, rfc3339};

/// A completed set the model has yet to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, sqlx::FromRow)]
pub struct PendingReading {
    /// The set.
    pub set_id: i64,
    /// Its profile.
    pub profile_id: String,
}

/// What reading a set gave.
pub struct Reading {
    /// The preference embedding.
    pub bytes: Vec<u8>,
    /// The taste in words.
    pub description: String,
    /// SHA-256 of the weights that read.
    pub model_hash: String,
}

/// A preference embedding of a profile.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredEmbedding {
    /// As the model packed it.
    pub bytes: Vec<u8>,
    /// The taste in words.
    pub description: String,
    /// SHA-256 of the weights that made it.
    pub model_hash: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl StoredEmbedding {
    /// When it was made, RFC 3339.
    #[must_use]
    pub fn made_at(&self) -> String {
        rfc3339(self.created_at)
    }
}

impl Store {
    /// Every completed set that is not read yet, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending_readings(&self) -> sqlx::Result<Vec<PendingReading>> {
        sqlx::query_as(
            "SELECT id AS set_id, profile_id FROM choice_sets
             WHERE completed_at IS NOT NULL AND read_at IS NULL AND profile_id IS NOT NULL
             ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await
    }

    /// The counted choices of a set by pair id, in the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn counted_choices(&self, set_id: i64) -> sqlx::Result<Vec<(String, Choice)>> {
        let rows: Vec<(String, bool)> = sqlx::query_as(
            "SELECT pair_id, choice = 'left' FROM choices
             WHERE set_id = $1 AND choice IN ('left', 'right') ORDER BY id",
        )
        .bind(set_id)
        .fetch_all(&self.pool)
        .await?;
        let choice = |left| if left { Choice::Left } else { Choice::Right };
        Ok(rows
            .into_iter()
            .map(|(pair, left)| (pair, choice(left)))
            .collect())
    }

    /// Stores what reading gave: an embedding, or in words why there is none. Does
    /// nothing when the set was undone or its profile deleted meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_reading(
        &self,
        reading: &PendingReading,
        outcome: Result<Reading, String>,
    ) -> sqlx::Result<()> {
        let mut tx = self.write().await?;
        // An undone set comes back with another profile, so the pair of ids tells them apart.
        let current = sqlx::query(
            "UPDATE choice_sets SET read_at = $1
             WHERE id = $2 AND profile_id = $3 AND completed_at IS NOT NULL AND read_at IS NULL",
        )
        .bind(now_ms())
        .bind(reading.set_id)
        .bind(&reading.profile_id)
        .execute(&mut *tx)
        .await?;
        if current.rows_affected() == 0 {
            return Ok(());
        }
        let failure = match outcome {
            Ok(made) => {
                insert_embedding(&mut tx, &reading.profile_id, made, now_ms()).await?;
                None
            }
            Err(failure) => Some(failure),
        };
        // A profile that could not be sharpened keeps what it had.
        sqlx::query(
            "UPDATE profiles SET failure = $1, state = CASE
                 WHEN EXISTS (SELECT 1 FROM preference_embeddings WHERE profile_id = $2)
                 THEN 'ready' ELSE 'failed' END
             WHERE id = $2",
        )
        .bind(failure)
        .bind(&reading.profile_id)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// The embeddings of a profile, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn embeddings(&self, profile: &ProfileId) -> sqlx::Result<Vec<StoredEmbedding>> {
        sqlx::query_as(
            "SELECT bytes, description, model_hash, created_at FROM preference_embeddings
             WHERE profile_id = $1 ORDER BY id",
        )
        .bind(profile.as_ref())
        .fetch_all(&self.pool)
        .await
    }
}

pub(super) async fn insert_embedding(
    db: &mut SqliteConnection,
    profile_id: &str,
    reading: Reading,
    now: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO preference_embeddings
             (profile_id, model_hash, bytes, description, created_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(profile_id)
    .bind(reading.model_hash)
    .bind(reading.bytes)
    .bind(reading.description)
    .bind(now)
    .execute(db)
    .await
    .map(drop)
}
