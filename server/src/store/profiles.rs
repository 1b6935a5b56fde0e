use predilect_api::{Profile, ProfileId, ProfileState};

use super::{Person, Reading, Store, embeddings::insert_embedding, new_id, now_ms, rfc3339};
use crate::parse::ProfileName;

/// Why a profile was not named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No set is complete.
    #[error("no profile waits for a name")]
    NothingToName,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A profile that comes from a code instead of choices.
pub struct ImportedProfile {
    /// What its owner calls it here.
    pub name: ProfileName,
    /// Counted choices it was read from, elsewhere.
    pub choices: u32,
    /// One for each set.
    pub embeddings: Vec<Reading>,
}

#[derive(sqlx::FromRow)]
struct ProfileRow {
    id: String,
    name: Option<String>,
    state: String,
    failure: Option<String>,
    created_at: i64,
    choices: u32,
    description: Option<String>,
}

impl Store {
    /// A person's profiles, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn profiles(&self, person: &Person) -> sqlx::Result<Vec<Profile>> {
        let rows: Vec<ProfileRow> =
            sqlx::query_as("SELECT * FROM profile_overview WHERE user_id = $1 ORDER BY seq DESC")
                .bind(&person.id)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(Profile::from).collect())
    }

    /// One of a person's profiles; none when it is another's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn profile(&self, person: &Person, id: &ProfileId) -> sqlx::Result<Option<Profile>> {
        let row: Option<ProfileRow> =
            sqlx::query_as("SELECT * FROM profile_overview WHERE id = $1 AND user_id = $2")
                .bind(id.as_ref())
                .bind(&person.id)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(Profile::from))
    }

    /// Names the profile of the completed set; returns its id.
    ///
    /// # Errors
    /// When no profile waits for a name, or the database fails.
    pub async fn name_profile(
        &self,
        person: &Person,
        name: &ProfileName,
    ) -> Result<ProfileId, NameError> {
        let id: Option<String> = sqlx::query_scalar(
            "UPDATE profiles SET name = $1 WHERE user_id = $2 AND name IS NULL RETURNING id",
        )
        .bind(name.as_str())
        .bind(&person.id)
        .fetch_optional(&self.pool)
        .await?;
        id.map(ProfileId).ok_or(NameError::NothingToName)
    }

    /// Renames a profile; false when it is not this person's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rename_profile(
        &self,
        person: &Person,
        id: &ProfileId,
        name: &ProfileName,
    ) -> sqlx::Result<bool> {
        let renamed = sqlx::query("UPDATE profiles SET name = $1 WHERE id = $2 AND user_id = $3")
            .bind(name.as_str())
            .bind(id.as_ref())
            .bind(&person.id)
            .execute(&self.pool)
            .await?;
        Ok(renamed.rows_affected() > 0)
    }

    /// Deletes a profile with its embeddings; false when it is not this person's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_profile(&self, person: &Person, id: &ProfileId) -> sqlx::Result<bool> {
        let deleted = sqlx::query("DELETE FROM profiles WHERE id = $1 AND user_id = $2")
            .bind(id.as_ref())
            .bind(&person.id)
            .execute(&self.pool)
            .await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// Stores a profile that comes from a code; returns its id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn import_profile(
        &self,
        person: &Person,
        imported: ImportedProfile,
    ) -> sqlx::Result<ProfileId> {
        let (id, now) = (new_id(), now_ms());
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO profiles (id, user_id, name, state, imported_choices, created_at)
             VALUES ($1, $2, $3, 'ready', $4, $5)",
        )
        .bind(&id)
        .bind(&person.id)
        .bind(imported.name.as_str())
        .bind(imported.choices)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        for reading in imported.embeddings {
            insert_embedding(&mut tx, &id, reading, now).await?;
        }
        tx.commit().await?;
        Ok(ProfileId(id))
    }
}

impl From<ProfileRow> for Profile {
    fn from(row: ProfileRow) -> Self {
        Self {
            id: ProfileId(row.id),
            name: row.name,
            description: row.description,
            state: match row.state.as_str() {
                "pending" => ProfileState::Pending,
                "ready" => ProfileState::Ready,
                _ => ProfileState::Failed,
            },
            failure: row.failure,
            choices: row.choices,
            created_at: rfc3339(row.created_at),
        }
    }
}
