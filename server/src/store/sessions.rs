use predilect_api::{Account, Role};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::{Store, new_id, now_ms, rfc3339};
use crate::token::TokenHash;

/// Uses of an API token closer together than this are one, in milliseconds.
const USE_RESOLUTION: i64 = 60_000;

/// Whoever holds a session; everything stored belongs to one.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Person {
    /// Random UUID.
    pub id: String,
    /// Orders the pair bank for this person.
    pub pair_seed: i64,
    created_at: i64,
    name: Option<String>,
    role: Option<String>,
    registered_at: Option<i64>,
}

impl Person {
    fn anonymous() -> Self {
        Self {
            id: new_id(),
            pair_seed: rand::random(),
            created_at: now_ms(),
            name: None,
            role: None,
            registered_at: None,
        }
    }

    /// When this person first came, RFC 3339.
    #[must_use]
    pub fn since(&self) -> String {
        rfc3339(self.created_at)
    }

    /// Whether they may do what only admins may.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        role_of(self.role.as_deref()) == Role::Admin
    }

    /// Whether they have an account.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.name.is_some()
    }

    /// The account as its owner sees it.
    #[must_use]
    pub fn account(&self) -> Account {
        Account {
            name: self.name.clone(),
            role: role_of(self.role.as_deref()),
            started_at: self.since(),
            registered_at: self.registered_at.map(rfc3339),
        }
    }
}

impl Store {
    /// Makes a person and a session of theirs under `token`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_session(&self, token: &TokenHash) -> sqlx::Result<Person> {
        let mut tx = self.write().await?;
        let person = insert_person(&mut tx).await?;
        insert_session(&mut tx, &person.id, token).await?;
        tx.commit().await?;
        Ok(person)
    }

    /// Whose session `token` is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_of(&self, token: &TokenHash) -> sqlx::Result<Option<Person>> {
        sqlx::query_as(
            "SELECT p.* FROM sessions s JOIN people p ON p.id = s.user_id
             WHERE s.token_hash = $1",
        )
        .bind(token.as_bytes())
        .fetch_optional(&self.pool)
        .await
    }

    /// Whose API token `token` is; notes that it was used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_of_api_token(&self, token: &TokenHash) -> sqlx::Result<Option<Person>> {
        let person: Option<Person> = sqlx::query_as(
            "SELECT p.* FROM api_tokens t JOIN people p ON p.id = t.user_id
             WHERE t.token_hash = $1",
        )
        .bind(token.as_bytes())
        .fetch_optional(&self.pool)
        .await?;
        if person.is_some() {
            self.note_token_use(token).await?;
        }
        Ok(person)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, token: &TokenHash) -> sqlx::Result<()> {
        end_session(&mut *self.pool.acquire().await?, token).await
    }

    /// Ends every session of a person, on whichever device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_sessions(&self, person: &Person) -> sqlx::Result<()> {
        end_sessions(&mut *self.pool.acquire().await?, &person.id).await
    }

    /// A read alone finds most uses noted already, and takes no write lock.
    async fn note_token_use(&self, token: &TokenHash) -> sqlx::Result<()> {
        let now = now_ms();
        let stale: bool = sqlx::query_scalar(
            "SELECT COALESCE(last_used_at, 0) <= $1 FROM api_tokens WHERE token_hash = $2",
        )
        .bind(now - USE_RESOLUTION)
        .bind(token.as_bytes())
        .fetch_optional(&self.pool)
        .await?
        .unwrap_or(false);
        if stale {
            sqlx::query("UPDATE api_tokens SET last_used_at = $1 WHERE token_hash = $2")
                .bind(now)
                .bind(token.as_bytes())
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }
}

pub(super) async fn insert_person(tx: &mut Transaction<'static, Sqlite>) -> sqlx::Result<Person> {
    let person = Person::anonymous();
    sqlx::query("INSERT INTO users (id, pair_seed, created_at) VALUES ($1, $2, $3)")
        .bind(&person.id)
        .bind(person.pair_seed)
        .bind(person.created_at)
        .execute(&mut **tx)
        .await?;
    Ok(person)
}

pub(super) async fn insert_session(
    tx: &mut Transaction<'static, Sqlite>,
    user_id: &str,
    token: &TokenHash,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO sessions (token_hash, user_id, created_at) VALUES ($1, $2, $3)")
        .bind(token.as_bytes())
        .bind(user_id)
        .bind(now_ms())
        .execute(&mut **tx)
        .await
        .map(drop)
}

pub(super) async fn end_session(db: &mut SqliteConnection, token: &TokenHash) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
        .bind(token.as_bytes())
        .execute(db)
        .await
        .map(drop)
}

pub(super) async fn end_sessions(db: &mut SqliteConnection, user_id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1")
        .bind(user_id)
        .execute(db)
        .await
        .map(drop)
}

/// A role as it is stored; who has no account has no special one.
pub(super) fn role_of(stored: Option<&str>) -> Role {
    match stored {
        Some("admin") => Role::Admin,
        _ => Role::Person,
    }
}
