use super::{Store, new_id, now_ms, rfc3339};
use crate::session_token::TokenHash;

/// Whoever holds a session; everything stored belongs to one.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Person {
    /// Random UUID.
    pub id: String,
    /// Orders the pair bank for this person.
    pub pair_seed: i64,
    created_at: i64,
}

impl Person {
    /// When this person first came, RFC 3339.
    #[must_use]
    pub fn since(&self) -> String {
        rfc3339(self.created_at)
    }
}

impl Store {
    /// Makes a person and a session of theirs under `token`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_session(&self, token: &TokenHash) -> sqlx::Result<Person> {
        let person = Person {
            id: new_id(),
            pair_seed: rand::random(),
            created_at: now_ms(),
        };
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO users (id, pair_seed, created_at) VALUES ($1, $2, $3)")
            .bind(&person.id)
            .bind(person.pair_seed)
            .bind(person.created_at)
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO sessions (token_hash, user_id, created_at) VALUES ($1, $2, $3)")
            .bind(token.as_bytes())
            .bind(&person.id)
            .bind(person.created_at)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(person)
    }

    /// Whose session `token` is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_of(&self, token: &TokenHash) -> sqlx::Result<Option<Person>> {
        sqlx::query_as(
            "SELECT u.id, u.pair_seed, u.created_at
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1",
        )
        .bind(token.as_bytes())
        .fetch_optional(&self.pool)
        .await
    }
}
