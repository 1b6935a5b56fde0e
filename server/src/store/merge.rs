//! What an anonymous person made before they logged in becomes their account's.

use sqlx::{Sqlite, Transaction};

use super::now_ms;

/// What a profile is called that was never named and can't wait for its name any longer.
const NAME_FOR_UNNAMED: &str = "Unnamed profile";

/// Hands everything of the person `from` to the person `to`, and deletes `from`.
pub(super) async fn into(
    tx: &mut Transaction<'static, Sqlite>,
    from: &str,
    to: &str,
) -> sqlx::Result<()> {
    if has_set_under_way(tx, to).await? {
        settle_set(tx, from).await?;
    }
    renumber_rounds(tx, from, to).await?;
    for table in ["profiles", "choice_sets", "generations"] {
        let query = format!("UPDATE {table} SET user_id = $2 WHERE user_id = $1");
        sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(from)
            .bind(to)
            .execute(&mut **tx)
            .await?;
    }
    move_votes(tx, from, to).await?;
    sqlx::query("DELETE FROM users WHERE id = $1")
        .bind(from)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Whether a set is open, or its profile waits for a name: a person has one at a time.
async fn has_set_under_way(
    tx: &mut Transaction<'static, Sqlite>,
    user_id: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM choice_sets WHERE user_id = $1 AND completed_at IS NULL)
             OR EXISTS (SELECT 1 FROM profiles WHERE user_id = $1 AND name IS NULL)",
    )
    .bind(user_id)
    .fetch_one(&mut **tx)
    .await
}

/// Ends what is under way: a finished profile gets a name, an open set stays without one.
async fn settle_set(tx: &mut Transaction<'static, Sqlite>, user_id: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE profiles SET name = $1 WHERE user_id = $2 AND name IS NULL")
        .bind(NAME_FOR_UNNAMED)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "UPDATE choice_sets SET completed_at = $1, read_at = $1, profile_id = NULL
         WHERE user_id = $2 AND completed_at IS NULL",
    )
    .bind(now_ms())
    .bind(user_id)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Moves the choices behind those that `to` made in the same pairs. Rounds are unique while
/// rows change one by one, so they pass through negative numbers.
async fn renumber_rounds(
    tx: &mut Transaction<'static, Sqlite>,
    from: &str,
    to: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE choices SET round = -1 - round - (
             SELECT COUNT(*) FROM choices own
             WHERE own.user_id = $2 AND own.pair_id = choices.pair_id)
         WHERE user_id = $1",
    )
    .bind(from)
    .bind(to)
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE choices SET user_id = $2, round = -1 - round WHERE user_id = $1")
        .bind(from)
        .bind(to)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Moves the votes in surveys, but for items that `to` was shown as well: each person has one
/// vote on an item. What was shown and not voted on is shown again.
async fn move_votes(
    tx: &mut Transaction<'static, Sqlite>,
    from: &str,
    to: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE survey_showings SET user_id = $2
         WHERE user_id = $1 AND vote IS NOT NULL AND (spoilt IS NOT NULL OR NOT EXISTS (
             SELECT 1 FROM survey_showings own
             WHERE own.user_id = $2 AND own.item = survey_showings.item AND own.spoilt IS NULL))",
    )
    .bind(from)
    .bind(to)
    .execute(&mut **tx)
    .await
    .map(drop)
}
