use predilect_api::{Generation, GenerationId, GenerationState, Image, ProfileId, ProfileWeight};

use super::{Person, Store, images::ImageRow, now_ms, rfc3339};
use crate::parse::fold;

/// Numbers an event stream leaves free at every restart: more events than one
/// generation can have, so that ids of one life never reach the next one's.
const EVENTS_PER_LIFE: i64 = 1_000_000;

/// A profile's part in a blend, with its name as it was when asked.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct BlendPart {
    /// The profile.
    pub profile_id: String,
    /// Its name then.
    pub profile_name: String,
    /// As asked, not normalised.
    pub weight: f64,
}

/// A request for pictures, within all limits.
#[derive(Clone, Debug)]
pub struct NewGeneration {
    /// What to draw.
    pub prompt: String,
    /// The beginning that the model reads, where it doesn't read all of it.
    pub prompt_read: Option<String>,
    /// Seed of the first picture.
    pub seed: u32,
    /// Number of pictures.
    pub count: u32,
    /// Steps of the prior.
    pub steps: u32,
    /// Guidance scale on the prompt.
    pub guidance: f32,
    /// Guidance on the profile.
    pub strength: f32,
    /// Profiles of this person.
    pub blend: Vec<BlendPart>,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Unfinished generations of one person.
    pub per_person: u32,
    /// Unfinished generations of all.
    pub total: u32,
}

/// Why a generation was not queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The person has too many unfinished ones.
    #[error("too many of this person's generations are unfinished")]
    PersonFull,
    /// There are too many altogether.
    #[error("too many generations are unfinished")]
    Full,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A generation whose turn has come.
#[derive(Clone, Debug)]
pub struct ClaimedGeneration {
    /// What was asked, and the pictures that an earlier life finished.
    pub generation: Generation,
    /// What to blend.
    pub blend: Vec<BlendPart>,
    /// Milliseconds since 1970; embeddings made later don't belong to it.
    pub asked_at: i64,
}

/// A picture to be stored with its generation; its file is written already.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// As the API shows it.
    pub image: Image,
    /// SHA-256 of the weights that drew it.
    pub model_hash: String,
    /// Number of the event that announces it.
    pub event: u64,
}

/// How a generation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalState {
    /// All pictures are there.
    Done,
    /// In words, why not.
    Failed(String),
    /// The person cancelled it.
    Cancelled,
}

/// What an ended generation's event stream was.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Number of the event that announced each picture.
    pub image_events: Vec<(u64, Image)>,
    /// Number of the last event.
    pub final_event: u64,
    /// What the last event said.
    pub state: FinalState,
}

#[derive(sqlx::FromRow)]
struct GenerationRow {
    id: String,
    state: String,
    prompt: String,
    prompt_read: Option<String>,
    seed: u32,
    count: u32,
    steps: u32,
    guidance: f64,
    strength: f64,
    failure: Option<String>,
    final_event: Option<i64>,
    created_at: i64,
    ahead: Option<u32>,
}

impl Store {
    /// Queues a generation and stores all of it before returning.
    ///
    /// # Errors
    /// When too much waits already, or the database fails; nothing is stored then.
    pub async fn queue_generation(
        &self,
        person: &Person,
        id: &GenerationId,
        new: &NewGeneration,
        limits: QueueLimits,
    ) -> Result<Generation, QueueError> {
        let mut tx = self.write().await?;
        let (own, all): (u32, u32) = sqlx::query_as(
            "SELECT COUNT(CASE WHEN user_id = $1 THEN 1 END), COUNT(*)
             FROM generations WHERE state IN ('queued', 'running')",
        )
        .bind(&person.id)
        .fetch_one(&mut *tx)
        .await?;
        if own >= limits.per_person {
            return Err(QueueError::PersonFull);
        }
        if all >= limits.total {
            return Err(QueueError::Full);
        }
        sqlx::query(
            "INSERT INTO generations
                 (id, user_id, state, prompt, prompt_read, prompt_key, seed, count, steps,
                  guidance, strength, created_at)
             VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(id.as_ref())
        .bind(&person.id)
        .bind(&new.prompt)
        .bind(&new.prompt_read)
        .bind(fold(&new.prompt))
        .bind(new.seed)
        .bind(new.count)
        .bind(new.steps)
        .bind(f64::from(new.guidance))
        .bind(f64::from(new.strength))
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        for (ordinal, part) in (0_i64..).zip(&new.blend) {
            sqlx::query(
                "INSERT INTO generation_profiles
                     (generation_id, ordinal, profile_id, profile_name, weight)
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(id.as_ref())
            .bind(ordinal)
            .bind(&part.profile_id)
            .bind(&part.profile_name)
            .bind(part.weight)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        let stored = self.generation(person, id).await?;
        stored.ok_or(QueueError::Database(sqlx::Error::RowNotFound))
    }

    /// One of a person's generations; none when it is another's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn generation(
        &self,
        person: &Person,
        id: &GenerationId,
    ) -> sqlx::Result<Option<Generation>> {
        let row: Option<GenerationRow> =
            sqlx::query_as("SELECT * FROM generation_overview WHERE id = $1 AND user_id = $2")
                .bind(id.as_ref())
                .bind(&person.id)
                .fetch_optional(&self.pool)
                .await?;
        match row {
            Some(row) => self.assemble(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// A person's generations, newest first, those before `before` if given; of one that is
    /// not theirs there are none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn generations(
        &self,
        person: &Person,
        before: Option<&GenerationId>,
        limit: u32,
    ) -> sqlx::Result<Vec<Generation>> {
        let rows: Vec<GenerationRow> = sqlx::query_as(
            "SELECT * FROM generation_overview
             WHERE user_id = $1
               AND ($2 IS NULL OR seq < (
                   SELECT seq FROM generations WHERE id = $2 AND user_id = $1))
             ORDER BY seq DESC LIMIT $3",
        )
        .bind(&person.id)
        .bind(before.map(AsRef::as_ref))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut generations = Vec::with_capacity(rows.len());
        for row in rows {
            generations.push(self.assemble(row).await?);
        }
        Ok(generations)
    }

    /// A person's unfinished generations, newest first: cancelled in this order, none begins
    /// meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfinished_generations(&self, person: &Person) -> sqlx::Result<Vec<GenerationId>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM generations
             WHERE user_id = $1 AND state IN ('queued', 'running') ORDER BY seq DESC",
        )
        .bind(&person.id)
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(GenerationId).collect())
    }

    /// Puts what a killed process was drawing back into the queue, at its old place;
    /// returns how many. Only right while no other process serves this database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn requeue_interrupted(&self) -> sqlx::Result<u64> {
        let requeued = sqlx::query(
            "UPDATE generations SET event_base = event_base + $1,
                 state = 'queued' WHERE state IN ('queued', 'running')",
        )
        .bind(EVENTS_PER_LIFE)
        .execute(&self.pool)
        .await?;
        Ok(requeued.rows_affected())
    }

    /// Every queued generation with its event base, in the order of the queue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue(&self) -> sqlx::Result<Vec<(GenerationId, u64)>> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT id, event_base FROM generations WHERE state = 'queued' ORDER BY seq",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, base)| (GenerationId(id), base.unsigned_abs()))
            .collect())
    }

    /// Takes the first queued generation and marks it running.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_generation(&self) -> sqlx::Result<Option<ClaimedGeneration>> {
        let seq: Option<i64> = sqlx::query_scalar(
            "UPDATE generations SET state = 'running' WHERE seq = (
                 SELECT seq FROM generations WHERE state = 'queued' ORDER BY seq LIMIT 1)
             RETURNING seq",
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(seq) = seq else { return Ok(None) };
        let row: GenerationRow = sqlx::query_as("SELECT * FROM generation_overview WHERE seq = $1")
            .bind(seq)
            .fetch_one(&self.pool)
            .await?;
        let asked_at = row.created_at;
        let blend = self.blend(&row.id).await?;
        let generation = self.assemble(row).await?;
        Ok(Some(ClaimedGeneration {
            generation,
            blend,
            asked_at,
        }))
    }

    /// Stores a picture of a running generation; false when it runs no more, or the
    /// picture is there already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_image(&self, id: &GenerationId, new: &NewImage) -> sqlx::Result<bool> {
        let added = sqlx::query(
            "INSERT INTO images
                 (id, generation_id, ordinal, seed, width, height, event, model_hash, created_at)
             SELECT $1, id, $3, $4, $5, $6, $7, $8, $9
             FROM generations WHERE id = $2 AND state = 'running'
             ON CONFLICT DO NOTHING",
        )
        .bind(new.image.id.as_ref())
        .bind(id.as_ref())
        .bind(new.image.index)
        .bind(new.image.seed)
        .bind(new.image.width)
        .bind(new.image.height)
        .bind(new.event.cast_signed())
        .bind(&new.model_hash)
        .bind(now_ms())
        .execute(&self.pool)
        .await?;
        Ok(added.rows_affected() > 0)
    }

    /// Ends a generation; false when it had ended before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_generation(
        &self,
        id: &GenerationId,
        state: &FinalState,
        event: u64,
    ) -> sqlx::Result<bool> {
        let (state, failure) = match state {
            FinalState::Done => ("done", None),
            FinalState::Failed(why) => ("failed", Some(why)),
            FinalState::Cancelled => ("cancelled", None),
        };
        let finished = sqlx::query(
            "UPDATE generations SET state = $1, failure = $2, final_event = $3, finished_at = $4
             WHERE id = $5 AND state IN ('queued', 'running')",
        )
        .bind(state)
        .bind(failure)
        .bind(event.cast_signed())
        .bind(now_ms())
        .bind(id.as_ref())
        .execute(&self.pool)
        .await?;
        Ok(finished.rows_affected() > 0)
    }

    /// How the event stream of an ended generation went; none while it goes on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stopped(&self, id: &GenerationId) -> sqlx::Result<Option<Stopped>> {
        let row: Option<GenerationRow> =
            sqlx::query_as("SELECT * FROM generation_overview WHERE id = $1")
                .bind(id.as_ref())
                .fetch_optional(&self.pool)
                .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(final_event) = row.final_event else {
            return Ok(None);
        };
        let images = self.images_of(&row.id).await?;
        Ok(Some(Stopped {
            image_events: images
                .into_iter()
                .map(|image| (image.event.unsigned_abs(), image.into()))
                .collect(),
            final_event: final_event.unsigned_abs(),
            state: match row.state.as_str() {
                "done" => FinalState::Done,
                "cancelled" => FinalState::Cancelled,
                _ => FinalState::Failed(row.failure.unwrap_or_default()),
            },
        }))
    }

    /// Fills in what a search compares with, for prompts from before there was a search.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn fold_prompts(&self) -> sqlx::Result<()> {
        let unfolded = "SELECT seq, prompt FROM generations WHERE prompt_key IS NULL";
        let rows: Vec<(i64, String)> = sqlx::query_as(unfolded).fetch_all(&self.pool).await?;
        // So that opening the database while a server writes to it needn't wait.
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        for (seq, prompt) in rows {
            sqlx::query("UPDATE generations SET prompt_key = $1 WHERE seq = $2")
                .bind(fold(&prompt))
                .bind(seq)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }

    async fn blend(&self, generation_id: &str) -> sqlx::Result<Vec<BlendPart>> {
        sqlx::query_as(
            "SELECT profile_id, profile_name, weight FROM generation_profiles
             WHERE generation_id = $1 ORDER BY ordinal",
        )
        .bind(generation_id)
        .fetch_all(&self.pool)
        .await
    }

    async fn images_of(&self, generation_id: &str) -> sqlx::Result<Vec<ImageRow>> {
        sqlx::query_as("SELECT * FROM images WHERE generation_id = $1 ORDER BY ordinal")
            .bind(generation_id)
            .fetch_all(&self.pool)
            .await
    }

    async fn assemble(&self, row: GenerationRow) -> sqlx::Result<Generation> {
        let images = self.images_of(&row.id).await?;
        let blend = self.blend(&row.id).await?;
        Ok(Generation {
            id: GenerationId(row.id),
            state: match row.state.as_str() {
                "queued" => GenerationState::Queued,
                "running" => GenerationState::Running,
                "done" => GenerationState::Done,
                "cancelled" => GenerationState::Cancelled,
                _ => GenerationState::Failed,
            },
            prompt: row.prompt,
            prompt_read: row.prompt_read,
            seed: row.seed,
            count: row.count,
            steps: row.steps,
            guidance: row.guidance as f32,
            strength: row.strength as f32,
            profiles: blend
                .into_iter()
                .map(|part| ProfileWeight {
                    id: ProfileId(part.profile_id),
                    weight: part.weight as f32,
                })
                .collect(),
            images: images.into_iter().map(Image::from).collect(),
            position: row.ahead,
            failure: row.failure,
            created_at: rfc3339(row.created_at),
        })
    }
}
