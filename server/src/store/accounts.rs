use predilect_api::{GenerationId, ImageId, Role};
use sqlx::{Sqlite, Transaction};

use super::{
    Person, Store, merge, now_ms,
    sessions::{end_session, end_sessions, insert_session},
};
use crate::{parse::AccountName, token::TokenHash};

/// What proves that somebody owns an account.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Credentials {
    /// The account's person.
    pub user_id: String,
    /// In PHC format.
    pub password_hash: String,
}

/// Why an account was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another account has a name that reads the same.
    #[error("the name is taken")]
    NameTaken,
    /// The person has an account.
    #[error("the person is registered already")]
    AlreadyRegistered,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The session a request came with, which another one takes the place of.
#[derive(Clone, Copy)]
pub struct OldSession<'a> {
    /// Who held it.
    pub person: &'a Person,
    /// Its token.
    pub token: &'a TokenHash,
}

impl Store {
    /// Makes an account of an anonymous person, who keeps everything. Their sessions so far
    /// end, and one under `token` begins: whoever knew the old cookie is not let in.
    ///
    /// # Errors
    /// When the name is taken, the person registered, or the database fails.
    pub async fn register(
        &self,
        person: &Person,
        name: &AccountName,
        password_hash: &str,
        token: &TokenHash,
    ) -> Result<(), RegisterError> {
        let mut tx = self.write().await?;
        insert_account(&mut tx, &person.id, name, password_hash, Role::Person).await?;
        end_sessions(&mut tx, &person.id).await?;
        insert_session(&mut tx, &person.id, token).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What the account `name` is entered with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn credentials(&self, name: &AccountName) -> sqlx::Result<Option<Credentials>> {
        sqlx::query_as("SELECT user_id, password_hash FROM accounts WHERE name_key = $1")
            .bind(name.key())
            .fetch_optional(&self.pool)
            .await
    }

    /// What a person's own account is entered with, and the key of its name; none while
    /// they are anonymous.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_credentials(
        &self,
        person: &Person,
    ) -> sqlx::Result<Option<(Credentials, String)>> {
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT password_hash, name_key FROM accounts WHERE user_id = $1")
                .bind(&person.id)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(password_hash, name_key)| {
            let user_id = person.id.clone();
            let credentials = Credentials {
                user_id,
                password_hash,
            };
            (credentials, name_key)
        }))
    }

    /// Begins a session of the account under `token`. An anonymous person's things become
    /// the account's. False when the password was changed since it was compared.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_in(
        &self,
        account: &Credentials,
        token: &TokenHash,
        old: Option<OldSession<'_>>,
    ) -> sqlx::Result<bool> {
        let mut tx = self.write().await?;
        let current: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM accounts WHERE user_id = $1 AND password_hash = $2)",
        )
        .bind(&account.user_id)
        .bind(&account.password_hash)
        .fetch_one(&mut *tx)
        .await?;
        if !current {
            return Ok(false);
        }
        if let Some(old) = old {
            end_session(&mut tx, old.token).await?;
            if is_anonymous(&mut tx, &old.person.id).await? {
                merge::into(&mut tx, &old.person.id, &account.user_id).await?;
            }
        }
        insert_session(&mut tx, &account.user_id, token).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Sets another password and ends every session but the one under `keep`. False when
    /// the password was changed since it was compared.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_password(
        &self,
        account: &Credentials,
        password_hash: &str,
        keep: &TokenHash,
    ) -> sqlx::Result<bool> {
        let mut tx = self.write().await?;
        let changed = sqlx::query(
            "UPDATE accounts SET password_hash = $1 WHERE user_id = $2 AND password_hash = $3",
        )
        .bind(password_hash)
        .bind(&account.user_id)
        .bind(&account.password_hash)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2")
            .bind(&account.user_id)
            .bind(keep.as_bytes())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Deletes a person with all that is theirs; returns their generations that were
    /// unfinished. The files of their pictures are discarded, see [`Self::discarded_images`].
    ///
    /// # Errors
    /// When the database fails; nothing is deleted then.
    pub async fn delete_person(&self, person: &Person) -> sqlx::Result<Vec<GenerationId>> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO discarded_images (id)
             SELECT i.id FROM images i JOIN generations g ON g.id = i.generation_id
             WHERE g.user_id = $1",
        )
        .bind(&person.id)
        .execute(&mut *tx)
        .await?;
        let unfinished: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM generations WHERE user_id = $1 AND state IN ('queued', 'running')",
        )
        .bind(&person.id)
        .fetch_all(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM users WHERE id = $1")
            .bind(&person.id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(unfinished.into_iter().map(GenerationId).collect())
    }

    /// Pictures without a row whose files are still to be removed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn discarded_images(&self) -> sqlx::Result<Vec<ImageId>> {
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM discarded_images")
            .fetch_all(&self.pool)
            .await?;
        Ok(ids.into_iter().map(ImageId).collect())
    }

    /// The files of discarded pictures are removed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_discarded(&self, ids: &[ImageId]) -> sqlx::Result<()> {
        let ids = serde_json::json!(ids).to_string();
        let query = "DELETE FROM discarded_images WHERE id IN (SELECT value FROM json_each($1))";
        sqlx::query(query)
            .bind(ids)
            .execute(&self.pool)
            .await
            .map(drop)
    }
}

pub(super) async fn insert_account(
    tx: &mut Transaction<'static, Sqlite>,
    user_id: &str,
    name: &AccountName,
    password_hash: &str,
    role: Role,
) -> Result<(), RegisterError> {
    if !is_anonymous(tx, user_id).await? {
        return Err(RegisterError::AlreadyRegistered);
    }
    let role = match role {
        Role::Person => "person",
        Role::Admin => "admin",
    };
    let inserted = sqlx::query(
        "INSERT INTO accounts (user_id, name, name_key, password_hash, role, registered_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name_key) DO NOTHING",
    )
    .bind(user_id)
    .bind(name.as_str())
    .bind(name.key())
    .bind(password_hash)
    .bind(role)
    .bind(now_ms())
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(RegisterError::NameTaken);
    }
    Ok(())
}

async fn is_anonymous(tx: &mut Transaction<'static, Sqlite>, user_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM accounts WHERE user_id = $1)")
        .bind(user_id)
        .fetch_one(&mut **tx)
        .await
}
