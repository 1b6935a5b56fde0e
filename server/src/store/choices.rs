use std::collections::HashMap;

use predilect_api::Choice;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::{Person, Store, new_id, now_ms, rfc3339};

/// How often a person judged each pair they have seen, by pair id.
pub type Judged = HashMap<String, u32>;

/// A choice to be stored.
pub struct NewChoice<'a> {
    /// The pair, known to the bank.
    pub pair_id: &'a str,
    /// What the person made of it.
    pub choice: Choice,
    /// The profile the set is to sharpen.
    pub sharpen: Option<&'a str>,
}

/// A choice as it was made.
pub struct MadeChoice {
    /// The pair.
    pub pair_id: String,
    /// left, right, tie or skip.
    pub choice: String,
    /// The profile its set made or sharpened; none while the set is open, or once the
    /// profile is deleted.
    pub profile_id: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// How far the set is.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress {
    /// Left and right choices in it.
    pub counted: u32,
    /// Choices of every kind that can be taken back.
    pub undoable: u32,
    /// The one of them that was made last.
    pub last_choice: Option<String>,
    /// The profile it belongs to, once it is complete.
    pub profile_id: Option<String>,
}

impl Progress {
    /// `undoable` has the public ids of the choices that can be taken back, the last one first.
    fn new(counted: u32, undoable: Vec<String>, profile_id: Option<String>) -> Self {
        Self {
            counted,
            undoable: u32::try_from(undoable.len()).unwrap_or(u32::MAX),
            last_choice: undoable.into_iter().next(),
            profile_id,
        }
    }
}

/// Why a choice was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// A completed set's profile has no name yet.
    #[error("the finished profile has no name")]
    ProfileUnnamed,
    /// The person has judged this pair, and not yet all others.
    #[error("the pair is judged already")]
    AlreadyJudged,
    /// The profile to sharpen is not this person's.
    #[error("no such profile")]
    NoSuchProfile,
    /// The open set belongs elsewhere.
    #[error("another set is open")]
    AnotherSetOpen,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why nothing was undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UndoError {
    /// There is no choice since the last profile was named.
    #[error("nothing to undo")]
    Nothing,
    /// The choice to take back is there, and others were made after it.
    #[error("not the last choice")]
    NotLast,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The choices of the person `$1` that can be taken back: those of the set that is open, or
/// whose profile waits for its name.
macro_rules! undoable_choices {
    () => {
        "FROM choices c
         JOIN choice_sets s ON s.id = c.set_id
         LEFT JOIN profiles p ON p.id = s.profile_id
         WHERE c.user_id = $1
           AND (s.completed_at IS NULL OR (p.id IS NOT NULL AND p.name IS NULL))"
    };
}

impl Store {
    /// How often `person` judged each pair.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn judged(&self, person: &Person) -> sqlx::Result<Judged> {
        judged(&mut *self.pool.acquire().await?, person).await
    }

    /// What `person` answered about the taste that the open set is of: in this set, and in those of
    /// the profile that it is to sharpen. In the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answers(&self, person: &Person) -> sqlx::Result<Vec<(String, Choice)>> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT c.pair_id, c.choice FROM choices c JOIN choice_sets s ON s.id = c.set_id
             WHERE c.user_id = $1 AND (s.completed_at IS NULL OR s.profile_id IN (
                 SELECT profile_id FROM choice_sets
                 WHERE user_id = $1 AND completed_at IS NULL AND profile_id IS NOT NULL))
             ORDER BY c.id",
        )
        .bind(&person.id)
        .fetch_all(&self.pool)
        .await?;
        let answer = |(pair, choice): (String, String)| Some((pair, choice_of(&choice)?));
        Ok(rows.into_iter().filter_map(answer).collect())
    }

    /// Every choice of `person`, in the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn choices(&self, person: &Person) -> sqlx::Result<Vec<MadeChoice>> {
        let rows: Vec<(String, String, Option<String>, i64)> = sqlx::query_as(
            "SELECT c.pair_id, c.choice, s.profile_id, c.created_at
             FROM choices c JOIN choice_sets s ON s.id = c.set_id
             WHERE c.user_id = $1 ORDER BY c.id",
        )
        .bind(&person.id)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(pair_id, choice, profile_id, created_at)| MadeChoice {
                pair_id,
                choice,
                profile_id,
                created_at: rfc3339(created_at),
            })
            .collect())
    }

    /// How far the person's set is: the open one, or the one whose profile waits for a name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn progress(&self, person: &Person, needed: u32) -> sqlx::Result<Progress> {
        progress(&mut *self.pool.acquire().await?, person, needed).await
    }

    /// Stores a choice; `needed` counted ones complete the set and start its profile.
    /// `is_due` says whether the pair may be judged, given what was judged before.
    ///
    /// # Errors
    /// When the choice is refused, or the database fails; nothing is stored then.
    pub async fn choose(
        &self,
        person: &Person,
        new: NewChoice<'_>,
        needed: u32,
        is_due: impl FnOnce(&Judged) -> bool,
    ) -> Result<Progress, ChooseError> {
        let mut tx = self.write().await?;
        if unnamed_profile(&mut tx, person).await?.is_some() {
            return Err(ChooseError::ProfileUnnamed);
        }
        let judged = judged(&mut tx, person).await?;
        if !is_due(&judged) {
            return Err(ChooseError::AlreadyJudged);
        }
        let set = open_set(&mut tx, person, new.sharpen).await?;
        sqlx::query(
            "INSERT INTO choices (user_id, set_id, pair_id, round, choice, created_at, public_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&person.id)
        .bind(set.id)
        .bind(new.pair_id)
        .bind(judged.get(new.pair_id).copied().unwrap_or(0))
        .bind(choice_text(new.choice))
        .bind(now_ms())
        .bind(new_id())
        .execute(&mut *tx)
        .await?;
        let counted = counted(&mut tx, set.id).await?;
        let profile_id = if counted < needed {
            None
        } else {
            Some(complete(&mut tx, person, set).await?)
        };
        let undoable = undoable(&mut tx, person).await?;
        tx.commit().await?;
        Ok(Progress::new(counted, undoable, profile_id))
    }

    /// Takes back the last choice of the set that is open or waits for its name. Where `named`
    /// says which one that is, it is taken back once, however often it is asked for.
    ///
    /// # Errors
    /// When there is none, `named` is there and not the last, or the database fails.
    pub async fn undo_choice(
        &self,
        person: &Person,
        named: Option<&str>,
        needed: u32,
    ) -> Result<Progress, UndoError> {
        let mut tx = self.write().await?;
        if let Some(named) = named
            && !is_there(&mut tx, person, named).await?
        {
            // Taken back before; that answer may have got lost.
            return Ok(progress(&mut tx, person, needed).await?);
        }
        let last: Option<(i64, i64, String)> = sqlx::query_as(concat!(
            "SELECT c.id, c.set_id, c.public_id ",
            undoable_choices!(),
            " ORDER BY c.id DESC LIMIT 1",
        ))
        .bind(&person.id)
        .fetch_optional(&mut *tx)
        .await?;
        let (choice_id, set_id, public_id) = last.ok_or(UndoError::Nothing)?;
        if named.is_some_and(|named| named != public_id) {
            return Err(UndoError::NotLast);
        }
        sqlx::query("DELETE FROM choices WHERE id = $1")
            .bind(choice_id)
            .execute(&mut *tx)
            .await?;
        // The unnamed profile goes with the choice that made it; its set opens again.
        let unnamed = sqlx::query("DELETE FROM profiles WHERE user_id = $1 AND name IS NULL")
            .bind(&person.id)
            .execute(&mut *tx)
            .await?;
        if unnamed.rows_affected() > 0 {
            sqlx::query("UPDATE choice_sets SET completed_at = NULL, read_at = NULL WHERE id = $1")
                .bind(set_id)
                .execute(&mut *tx)
                .await?;
        }
        let progress = progress(&mut tx, person, needed).await?;
        tx.commit().await?;
        Ok(progress)
    }
}

#[derive(sqlx::FromRow)]
struct OpenSet {
    id: i64,
    profile_id: Option<String>,
}

async fn judged(db: &mut SqliteConnection, person: &Person) -> sqlx::Result<Judged> {
    let rows: Vec<(String, u32)> =
        sqlx::query_as("SELECT pair_id, COUNT(*) FROM choices WHERE user_id = $1 GROUP BY pair_id")
            .bind(&person.id)
            .fetch_all(db)
            .await?;
    Ok(rows.into_iter().collect())
}

async fn unnamed_profile(
    db: &mut SqliteConnection,
    person: &Person,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT id FROM profiles WHERE user_id = $1 AND name IS NULL")
        .bind(&person.id)
        .fetch_optional(db)
        .await
}

async fn progress(
    db: &mut SqliteConnection,
    person: &Person,
    needed: u32,
) -> sqlx::Result<Progress> {
    let undoable = undoable(db, person).await?;
    if let Some(profile_id) = unnamed_profile(db, person).await? {
        return Ok(Progress::new(needed, undoable, Some(profile_id)));
    }
    let counted = sqlx::query_scalar(
        "SELECT COUNT(*) FROM choices c JOIN choice_sets s ON s.id = c.set_id
         WHERE s.user_id = $1 AND s.completed_at IS NULL AND c.choice IN ('left', 'right')",
    )
    .bind(&person.id)
    .fetch_one(db)
    .await?;
    Ok(Progress::new(counted, undoable, None))
}

/// The public ids of the choices that can be taken back, the last one first.
async fn undoable(db: &mut SqliteConnection, person: &Person) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(concat!(
        "SELECT c.public_id ",
        undoable_choices!(),
        " ORDER BY c.id DESC",
    ))
    .bind(&person.id)
    .fetch_all(db)
    .await
}

async fn is_there(
    db: &mut SqliteConnection,
    person: &Person,
    public_id: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM choices WHERE public_id = $1 AND user_id = $2)",
    )
    .bind(public_id)
    .bind(&person.id)
    .fetch_one(db)
    .await
}

async fn counted(db: &mut SqliteConnection, set_id: i64) -> sqlx::Result<u32> {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM choices WHERE set_id = $1 AND choice IN ('left', 'right')",
    )
    .bind(set_id)
    .fetch_one(db)
    .await
}

/// The person's open set, turned towards the profile it is to sharpen; a new one if
/// none is open.
async fn open_set(
    tx: &mut Transaction<'static, Sqlite>,
    person: &Person,
    sharpen: Option<&str>,
) -> Result<OpenSet, ChooseError> {
    if let Some(id) = sharpen {
        let own: Option<i64> =
            sqlx::query_scalar("SELECT seq FROM profiles WHERE id = $1 AND user_id = $2")
                .bind(id)
                .bind(&person.id)
                .fetch_optional(&mut **tx)
                .await?;
        own.ok_or(ChooseError::NoSuchProfile)?;
    }
    let open: Option<OpenSet> = sqlx::query_as(
        "SELECT id, profile_id FROM choice_sets WHERE user_id = $1 AND completed_at IS NULL",
    )
    .bind(&person.id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(set) = open else {
        let id = sqlx::query_scalar(
            "INSERT INTO choice_sets (user_id, profile_id, opened_at) VALUES ($1, $2, $3)
             RETURNING id",
        )
        .bind(&person.id)
        .bind(sharpen)
        .bind(now_ms())
        .fetch_one(&mut **tx)
        .await?;
        return Ok(OpenSet {
            id,
            profile_id: sharpen.map(Into::into),
        });
    };
    // Undoing can leave an open set without choices; whatever comes next decides what it is for.
    let empty: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM choices WHERE set_id = $1)")
            .bind(set.id)
            .fetch_one(&mut **tx)
            .await?;
    if empty {
        sqlx::query("UPDATE choice_sets SET profile_id = $1 WHERE id = $2")
            .bind(sharpen)
            .bind(set.id)
            .execute(&mut **tx)
            .await?;
        return Ok(OpenSet {
            profile_id: sharpen.map(Into::into),
            ..set
        });
    }
    match sharpen {
        Some(id) if set.profile_id.as_deref() != Some(id) => Err(ChooseError::AnotherSetOpen),
        _ => Ok(set),
    }
}

/// Completes a set: its profile, made here unless it sharpens one, becomes pending.
async fn complete(
    tx: &mut Transaction<'static, Sqlite>,
    person: &Person,
    set: OpenSet,
) -> sqlx::Result<String> {
    let now = now_ms();
    let profile_id = match set.profile_id {
        Some(id) => {
            sqlx::query("UPDATE profiles SET state = 'pending', failure = NULL WHERE id = $1")
                .bind(&id)
                .execute(&mut **tx)
                .await?;
            id
        }
        None => {
            let id = new_id();
            sqlx::query(
                "INSERT INTO profiles (id, user_id, state, created_at)
                 VALUES ($1, $2, 'pending', $3)",
            )
            .bind(&id)
            .bind(&person.id)
            .bind(now)
            .execute(&mut **tx)
            .await?;
            id
        }
    };
    sqlx::query("UPDATE choice_sets SET completed_at = $1, profile_id = $2 WHERE id = $3")
        .bind(now)
        .bind(&profile_id)
        .bind(set.id)
        .execute(&mut **tx)
        .await?;
    Ok(profile_id)
}

/// What [`choice_text`] wrote.
fn choice_of(text: &str) -> Option<Choice> {
    let all = [Choice::Left, Choice::Right, Choice::Tie, Choice::Skip];
    all.into_iter().find(|&choice| choice_text(choice) == text)
}

fn choice_text(choice: Choice) -> &'static str {
    match choice {
        Choice::Left => "left",
        Choice::Right => "right",
        Choice::Tie => "tie",
        Choice::Skip => "skip",
    }
}
