use predilect_api::{PersonId, Role, User};
use sqlx::{Sqlite, Transaction};

use super::{
    Person, RegisterError, Store,
    accounts::insert_account,
    now_ms, rfc3339,
    sessions::{end_sessions, insert_person, insert_session, role_of},
};
use crate::{parse::AccountName, token::TokenHash};

/// Why nobody became the first admin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetUpError {
    /// The token is an old one, or was used, or there is an admin.
    #[error("the token is not valid")]
    WrongToken,
    /// The account can't be made.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl From<sqlx::Error> for SetUpError {
    fn from(error: sqlx::Error) -> Self {
        Self::Register(error.into())
    }
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: String,
    name: Option<String>,
    role: Option<String>,
    created_at: i64,
    registered_at: Option<i64>,
    choices: u32,
    profiles: u32,
    generations: u32,
}

impl Store {
    /// Opens the way to the first admin for whoever holds `token`, and closes it for holders
    /// of earlier ones; false when there is an admin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_admin_setup(&self, token: &TokenHash) -> sqlx::Result<bool> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM admin_setup")
            .execute(&mut *tx)
            .await?;
        let open = !has_admin(&mut tx).await?;
        if open {
            sqlx::query(
                "INSERT INTO admin_setup (only, token_hash, created_at) VALUES (1, $1, $2)",
            )
            .bind(token.as_bytes())
            .bind(now_ms())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(open)
    }

    /// Whether `token` opens the way to the first admin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_setup_token(&self, token: &TokenHash) -> sqlx::Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM admin_setup WHERE token_hash = $1)")
            .bind(token.as_bytes())
            .fetch_one(&self.pool)
            .await
    }

    /// Makes the first admin, of `person` if there is one, with a session under `session`.
    /// The token is used up in the same transaction.
    ///
    /// # Errors
    /// When the token is not valid, the account can't be made, or the database fails; the
    /// token stays valid then.
    pub async fn set_up_admin(
        &self,
        setup: &TokenHash,
        person: Option<&Person>,
        name: &AccountName,
        password_hash: &str,
        session: &TokenHash,
    ) -> Result<(), SetUpError> {
        let mut tx = self.write().await?;
        let used = sqlx::query("DELETE FROM admin_setup WHERE token_hash = $1")
            .bind(setup.as_bytes())
            .execute(&mut *tx)
            .await?;
        if used.rows_affected() == 0 || has_admin(&mut tx).await? {
            return Err(SetUpError::WrongToken);
        }
        let id = match person {
            Some(person) => person.id.clone(),
            None => insert_person(&mut tx).await?.id,
        };
        insert_account(&mut tx, &id, name, password_hash, Role::Admin).await?;
        end_sessions(&mut tx, &id).await?;
        insert_session(&mut tx, &id, session).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes an admin who has no session yet.
    ///
    /// # Errors
    /// When the name is taken, or the database fails.
    pub async fn create_admin(
        &self,
        name: &AccountName,
        password_hash: &str,
    ) -> Result<(), RegisterError> {
        let mut tx = self.write().await?;
        let person = insert_person(&mut tx).await?;
        insert_account(&mut tx, &person.id, name, password_hash, Role::Admin).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether there is such a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_person(&self, id: &PersonId) -> sqlx::Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)")
            .bind(id.as_ref())
            .fetch_one(&self.pool)
            .await
    }

    /// The people of this server, who came last first, those before `before` if given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, before: Option<&PersonId>, limit: u32) -> sqlx::Result<Vec<User>> {
        let rows: Vec<UserRow> = sqlx::query_as(
            "SELECT p.*,
                 (SELECT COUNT(*) FROM choices c WHERE c.user_id = p.id) AS choices,
                 (SELECT COUNT(*) FROM profiles o WHERE o.user_id = p.id) AS profiles,
                 (SELECT COUNT(*) FROM generations g WHERE g.user_id = p.id) AS generations
             FROM people p
             WHERE $1 IS NULL OR (p.created_at, p.id) < (
                 SELECT u.created_at, u.id FROM users u WHERE u.id = $1)
             ORDER BY p.created_at DESC, p.id DESC LIMIT $2",
        )
        .bind(before.map(AsRef::as_ref))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(User::from).collect())
    }
}

async fn has_admin(tx: &mut Transaction<'static, Sqlite>) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM accounts WHERE role = 'admin')")
        .fetch_one(&mut **tx)
        .await
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: PersonId(row.id),
            name: row.name,
            role: role_of(row.role.as_deref()),
            started_at: rfc3339(row.created_at),
            registered_at: row.registered_at.map(rfc3339),
            choices: row.choices,
            profiles: row.profiles,
            generations: row.generations,
        }
    }
}
