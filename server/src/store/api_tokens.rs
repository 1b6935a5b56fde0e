use predilect_api::{ApiToken, ApiTokenId};

use super::{Person, Store, new_id, now_ms, rfc3339};
use crate::{parse::TokenName, token::TokenHash};

#[derive(sqlx::FromRow)]
struct ApiTokenRow {
    id: String,
    name: String,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl Store {
    /// Stores an API token of a registered person.
    ///
    /// # Errors
    /// When the person has no account, or the database fails.
    pub async fn add_api_token(
        &self,
        person: &Person,
        name: &TokenName,
        token: &TokenHash,
    ) -> sqlx::Result<ApiToken> {
        let row = ApiTokenRow {
            id: new_id(),
            name: name.as_str().into(),
            created_at: now_ms(),
            last_used_at: None,
        };
        sqlx::query(
            "INSERT INTO api_tokens (id, user_id, name, token_hash, created_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&row.id)
        .bind(&person.id)
        .bind(&row.name)
        .bind(token.as_bytes())
        .bind(row.created_at)
        .execute(&self.pool)
        .await?;
        Ok(row.into())
    }

    /// A person's API tokens, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_tokens(&self, person: &Person) -> sqlx::Result<Vec<ApiToken>> {
        let rows: Vec<ApiTokenRow> =
            sqlx::query_as("SELECT * FROM api_tokens WHERE user_id = $1 ORDER BY seq DESC")
                .bind(&person.id)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(ApiToken::from).collect())
    }

    /// Revokes an API token; false when it is not this person's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_api_token(&self, person: &Person, id: &ApiTokenId) -> sqlx::Result<bool> {
        let revoked = sqlx::query("DELETE FROM api_tokens WHERE id = $1 AND user_id = $2")
            .bind(id.as_ref())
            .bind(&person.id)
            .execute(&self.pool)
            .await?;
        Ok(revoked.rows_affected() > 0)
    }
}

impl From<ApiTokenRow> for ApiToken {
    fn from(row: ApiTokenRow) -> Self {
        Self {
            id: ApiTokenId(row.id),
            name: row.name,
            created_at: rfc3339(row.created_at),
            last_used_at: row.last_used_at.map(rfc3339),
        }
    }
}
