use predilect_api::{BlendedProfile, GenerationId, Image, ImageDetails, ImageId};
use serde_json::json;
use sqlx::{
    AssertSqlSafe, FromRow, Sqlite, Transaction,
    query::QueryAs,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{Person, Store, new_id, now_ms, rfc3339};
use crate::parse::{ImageFilter, ProfileFilter, Selection};

/// How long a selection waits to be downloaded, in milliseconds: a day.
const ARCHIVE_LIFE: i64 = 24 * 60 * 60 * 1000;

/// The pictures of the person `$1` that fit a filter, whose values [`fitting`] binds.
const FITTING: &str = "
    FROM image_overview i
    WHERE i.user_id = $1
      AND NOT EXISTS (SELECT 1 FROM json_each($2) w WHERE instr(i.prompt_key, w.value) = 0)
      AND (NOT $3 OR NOT EXISTS (
          SELECT 1 FROM generation_profiles p WHERE p.generation_id = i.generation_id))
      AND ($4 IS NULL OR EXISTS (
          SELECT 1 FROM generation_profiles p
          WHERE p.generation_id = i.generation_id AND p.profile_id = $4 AND p.weight > 0))
      AND (NOT $5 OR i.favourite = 1)";

const NEWEST_FIRST: &str = "ORDER BY i.generation_seq DESC, i.ordinal";

/// Why pictures were not deleted; none is then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteImagesError {
    /// One is not this person's, or is not there; its place in the selection.
    #[error("picture {0} of the selection is not this person's")]
    NotFound(usize),
    /// One's generation goes on.
    #[error("a picture's generation goes on")]
    Unfinished,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

#[derive(sqlx::FromRow)]
pub(super) struct ImageRow {
    id: String,
    ordinal: u32,
    seed: u32,
    width: u32,
    height: u32,
    favourite: bool,
    pub(super) event: i64,
}

#[derive(sqlx::FromRow)]
struct DetailsRow {
    #[sqlx(flatten)]
    image: ImageRow,
    generation_id: String,
    prompt: String,
    prompt_read: Option<String>,
    steps: u32,
    guidance: f64,
    strength: f64,
    profiles: String,
    model_hash: Option<String>,
    created_at: i64,
}

/// Asks for something of the pictures of `person` that fit.
fn fitting<T: for<'r> FromRow<'r, SqliteRow>>(
    something: &str,
    order: &str,
    person: &Person,
    filter: &ImageFilter,
) -> QueryAs<'static, Sqlite, T, SqliteArguments> {
    let (base, profile) = match &filter.profile {
        None => (false, None),
        Some(ProfileFilter::Base) => (true, None),
        Some(ProfileFilter::Of(id)) => (false, Some(id.0.clone())),
    };
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {something} {FITTING} {order}"
    )))
    .bind(person.id.clone())
    .bind(json!(filter.words).to_string())
    .bind(base)
    .bind(profile)
    .bind(filter.favourites)
}

impl Store {
    /// Those of a person's pictures that fit, newest first, without the first `offset`, at
    /// most `limit`; and how many fit altogether.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn images(
        &self,
        person: &Person,
        filter: &ImageFilter,
        offset: u32,
        limit: u32,
    ) -> sqlx::Result<(Vec<ImageDetails>, u32)> {
        // Of one moment, so that the total is that of the list.
        let mut tx = self.pool.begin().await?;
        let (total,): (u32,) = fitting("COUNT(*)", "", person, filter)
            .fetch_one(&mut *tx)
            .await?;
        let order = format!("{NEWEST_FIRST} LIMIT $6 OFFSET $7");
        let rows: Vec<DetailsRow> = fitting("i.*", &order, person, filter)
            .bind(limit)
            .bind(offset)
            .fetch_all(&mut *tx)
            .await?;
        let images: sqlx::Result<_> = rows.into_iter().map(DetailsRow::details).collect();
        Ok((images?, total))
    }

    /// All of a person's pictures that fit, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn image_ids(
        &self,
        person: &Person,
        filter: &ImageFilter,
    ) -> sqlx::Result<Vec<ImageId>> {
        let ids: Vec<(String,)> = fitting("i.id", NEWEST_FIRST, person, filter)
            .fetch_all(&self.pool)
            .await?;
        Ok(ids.into_iter().map(|(id,)| ImageId(id)).collect())
    }

    /// One of a person's pictures; none when it is another's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn image(&self, person: &Person, id: &ImageId) -> sqlx::Result<Option<ImageDetails>> {
        let row: Option<DetailsRow> =
            sqlx::query_as("SELECT * FROM image_overview WHERE id = $1 AND user_id = $2")
                .bind(id.as_ref())
                .bind(&person.id)
                .fetch_optional(&self.pool)
                .await?;
        row.map(DetailsRow::details).transpose()
    }

    /// Marks a picture as a favourite, or takes the mark off; false when it is not this
    /// person's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_favourite(
        &self,
        person: &Person,
        id: &ImageId,
        favourite: bool,
    ) -> sqlx::Result<bool> {
        let marked = sqlx::query(
            "UPDATE images SET favourite = $1
             WHERE id = $2 AND generation_id IN (SELECT id FROM generations WHERE user_id = $3)",
        )
        .bind(favourite)
        .bind(id.as_ref())
        .bind(&person.id)
        .execute(&self.pool)
        .await?;
        Ok(marked.rows_affected() > 0)
    }

    /// Deletes pictures, all or none, and generations of which none is left. The files are
    /// discarded, see [`Self::discarded_images`].
    ///
    /// # Errors
    /// When one is not this person's or its generation goes on, which would draw it again
    /// after a restart; or when the database fails.
    pub async fn delete_images(
        &self,
        person: &Person,
        selection: &Selection,
    ) -> Result<(), DeleteImagesError> {
        let ids = json!(selection.ids()).to_string();
        let mut tx = self.write().await?;
        if let Some(at) = first_unknown(&mut tx, person, &ids).await? {
            return Err(DeleteImagesError::NotFound(at));
        }
        let generations: Vec<(String, bool)> = sqlx::query_as(
            "SELECT DISTINCT generation_id, state IN ('queued', 'running') FROM image_overview
             WHERE id IN (SELECT value FROM json_each($1))",
        )
        .bind(&ids)
        .fetch_all(&mut *tx)
        .await?;
        if generations.iter().any(|(_, unfinished)| *unfinished) {
            return Err(DeleteImagesError::Unfinished);
        }
        let generations: Vec<_> = generations.into_iter().map(|(id, _)| id).collect();
        for (query, bound) in [
            (
                "INSERT INTO discarded_images (id) SELECT value FROM json_each($1)",
                &ids,
            ),
            (
                "DELETE FROM images WHERE id IN (SELECT value FROM json_each($1))",
                &ids,
            ),
            (
                "DELETE FROM generations WHERE id IN (SELECT value FROM json_each($1))
                     AND NOT EXISTS (SELECT 1 FROM images i WHERE i.generation_id = generations.id)",
                &json!(generations).to_string(),
            ),
        ] {
            sqlx::query(query).bind(bound).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Keeps a selection to be downloaded within a day; returns its id. `Err` inside when a
    /// picture is not this person's: its place in the selection.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_archive(
        &self,
        person: &Person,
        selection: &Selection,
    ) -> sqlx::Result<Result<String, usize>> {
        let (id, now) = (new_id(), now_ms());
        let ids = json!(selection.ids()).to_string();
        let mut tx = self.write().await?;
        if let Some(at) = first_unknown(&mut tx, person, &ids).await? {
            return Ok(Err(at));
        }
        sqlx::query("DELETE FROM image_archives WHERE created_at < $1")
            .bind(now - ARCHIVE_LIFE)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO image_archives (id, user_id, images, created_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(&id)
        .bind(&person.id)
        .bind(&ids)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Ok(id))
    }

    /// The pictures of a selection that are still there, in its order, each with its prompt
    /// and seed; none when the selection is another person's, or older than a day.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn archived_images(
        &self,
        person: &Person,
        id: &str,
    ) -> sqlx::Result<Option<Vec<(ImageId, String, u32)>>> {
        let images: Option<String> = sqlx::query_scalar(
            "SELECT images FROM image_archives WHERE id = $1 AND user_id = $2 AND created_at >= $3",
        )
        .bind(id)
        .bind(&person.id)
        .bind(now_ms() - ARCHIVE_LIFE)
        .fetch_optional(&self.pool)
        .await?;
        let Some(images) = images else {
            return Ok(None);
        };
        let rows: Vec<(String, String, u32)> = sqlx::query_as(
            "SELECT i.id, i.prompt, i.seed FROM json_each($1) s
             JOIN image_overview i ON i.id = s.value ORDER BY s.key",
        )
        .bind(images)
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(
            rows.into_iter()
                .map(|(id, prompt, seed)| (ImageId(id), prompt, seed))
                .collect(),
        ))
    }
}

/// The place of the first of `ids`, a JSON array, that is no picture of this person.
async fn first_unknown(
    tx: &mut Transaction<'static, Sqlite>,
    person: &Person,
    ids: &str,
) -> sqlx::Result<Option<usize>> {
    let at: Option<u32> = sqlx::query_scalar(
        "SELECT s.key FROM json_each($1) s
         WHERE NOT EXISTS (
             SELECT 1 FROM images i JOIN generations g ON g.id = i.generation_id
             WHERE i.id = s.value AND g.user_id = $2)
         ORDER BY s.key LIMIT 1",
    )
    .bind(ids)
    .bind(&person.id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(at.map(|at| at as usize))
}

impl DetailsRow {
    fn details(self) -> sqlx::Result<ImageDetails> {
        let profiles: Vec<BlendedProfile> = serde_json::from_str(&self.profiles)
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(ImageDetails {
            image: self.image.into(),
            generation_id: GenerationId(self.generation_id),
            prompt: self.prompt,
            prompt_read: self.prompt_read,
            steps: self.steps,
            guidance: self.guidance as f32,
            strength: self.strength as f32,
            profiles,
            model_hash: self.model_hash,
            created_at: rfc3339(self.created_at),
        })
    }
}

impl From<ImageRow> for Image {
    fn from(row: ImageRow) -> Self {
        Self {
            url: format!("/api/v1/images/{}", row.id),
            id: ImageId(row.id),
            index: row.ordinal,
            seed: row.seed,
            width: row.width,
            height: row.height,
            favourite: row.favourite,
        }
    }
}
