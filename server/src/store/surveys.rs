use predilect_api::{Audience, ImageId, Survey, SurveyId, SurveyState};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::{Store, new_id, now_ms, rfc3339};
use crate::parse::ParsedSurvey;

/// A comparison to be stored; its pictures are written already.
pub struct NewItem<'a> {
    /// What both were drawn from.
    pub prompt: &'a str,
    /// What results can be cut by.
    pub group: Option<&'a str>,
    /// Number of the arm and file of each picture.
    pub pictures: [(u32, &'a ImageId); 2],
}

/// Why a survey was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurveyError {
    /// There is no survey by this id.
    #[error("no such survey")]
    NotFound,
    /// Its state does not allow it.
    #[error("{0}")]
    WrongState(&'static str),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

#[derive(sqlx::FromRow)]
struct SurveyRow {
    id: String,
    name: String,
    state: String,
    audience: String,
    target_votes: u32,
    daily_cap: u32,
    attention_every: u32,
    created_at: i64,
    items: u32,
    votes: u32,
}

impl Store {
    /// Stores a survey as a draft without items.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_survey(&self, new: &ParsedSurvey) -> sqlx::Result<SurveyId> {
        let id = new_id();
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO surveys (id, name, state, audience, target_votes, daily_cap,
                 attention_every, seed, created_at)
             VALUES ($1, $2, 'draft', $3, $4, $5, $6, $7, $8)",
        )
        .bind(&id)
        .bind(&new.name)
        .bind(match new.audience {
            Audience::Everyone => "everyone",
            Audience::Registered => "registered",
        })
        .bind(new.target_votes)
        .bind(new.daily_cap)
        .bind(new.attention_every)
        .bind(rand::random::<i64>())
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        for (ordinal, arm) in (0_i64..).zip(&new.arms) {
            sqlx::query("INSERT INTO survey_arms (survey_id, ordinal, name) VALUES ($1, $2, $3)")
                .bind(&id)
                .bind(ordinal)
                .bind(arm)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(SurveyId(id))
    }

    /// Every survey, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn surveys(&self) -> sqlx::Result<Vec<Survey>> {
        let rows: Vec<SurveyRow> =
            sqlx::query_as("SELECT * FROM survey_overview ORDER BY seq DESC")
                .fetch_all(&self.pool)
                .await?;
        let mut surveys = Vec::with_capacity(rows.len());
        for row in rows {
            surveys.push(self.assemble_survey(row).await?);
        }
        Ok(surveys)
    }

    /// One survey.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn survey(&self, id: &SurveyId) -> sqlx::Result<Option<Survey>> {
        let row: Option<SurveyRow> = sqlx::query_as("SELECT * FROM survey_overview WHERE id = $1")
            .bind(id.as_ref())
            .fetch_optional(&self.pool)
            .await?;
        match row {
            Some(row) => self.assemble_survey(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Adds a comparison to a draft.
    ///
    /// # Errors
    /// When there is no such survey, it is no draft any more, or the database fails.
    pub async fn add_survey_item(
        &self,
        id: &SurveyId,
        item: &NewItem<'_>,
    ) -> Result<(), SurveyError> {
        let mut tx = self.write().await?;
        if state(&mut tx, id).await? != SurveyState::Draft {
            return Err(SurveyError::WrongState(
                "Items are added to a survey before it is started.",
            ));
        }
        let [first, second] = item.pictures;
        sqlx::query(
            "INSERT INTO survey_items (survey_id, prompt, prompt_group, first_arm, second_arm,
                 first_image, second_image)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.as_ref())
        .bind(item.prompt)
        .bind(item.group)
        .bind(first.0)
        .bind(second.0)
        .bind(first.1.as_ref())
        .bind(second.1.as_ref())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Brings a survey into another state.
    ///
    /// # Errors
    /// When there is no such survey, its state does not allow it, or the database fails.
    pub async fn change_survey(&self, id: &SurveyId, to: SurveyState) -> Result<(), SurveyError> {
        let mut tx = self.write().await?;
        let from = state(&mut tx, id).await?;
        allow_change(from, to)?;
        if to == SurveyState::Running && !has_items(&mut tx, id).await? {
            return Err(SurveyError::WrongState(
                "A survey is started once it has an item to ask about.",
            ));
        }
        sqlx::query("UPDATE surveys SET state = $1 WHERE id = $2")
            .bind(state_text(to))
            .bind(id.as_ref())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The seed of a survey's bootstrap.
    ///
    /// # Errors
    /// When the database fails, or there is no such survey.
    pub async fn survey_seed(&self, id: &SurveyId) -> sqlx::Result<u64> {
        let seed: i64 = sqlx::query_scalar("SELECT seed FROM surveys WHERE id = $1")
            .bind(id.as_ref())
            .fetch_one(&self.pool)
            .await?;
        Ok(seed.cast_unsigned())
    }

    async fn assemble_survey(&self, row: SurveyRow) -> sqlx::Result<Survey> {
        let arms = sqlx::query_scalar(
            "SELECT name FROM survey_arms WHERE survey_id = $1 ORDER BY ordinal",
        )
        .bind(&row.id)
        .fetch_all(&self.pool)
        .await?;
        Ok(Survey {
            id: SurveyId(row.id),
            name: row.name,
            state: state_of(&row.state),
            audience: match row.audience.as_str() {
                "registered" => Audience::Registered,
                _ => Audience::Everyone,
            },
            arms,
            target_votes: row.target_votes,
            daily_cap: row.daily_cap,
            attention_every: row.attention_every,
            items: row.items,
            votes: row.votes,
            created_at: rfc3339(row.created_at),
        })
    }
}

fn allow_change(from: SurveyState, to: SurveyState) -> Result<(), SurveyError> {
    use SurveyState::{Closed, Draft, Paused, Running};
    match (from, to) {
        (Draft | Paused, Running) | (Running, Paused) | (Draft | Running | Paused, Closed) => {
            Ok(())
        }
        (_, Draft) => Err(SurveyError::WrongState(
            "A survey is a draft only before its start.",
        )),
        (Closed, _) => Err(SurveyError::WrongState("A closed survey stays closed.")),
        (Draft, _) => Err(SurveyError::WrongState("This survey was not started yet.")),
        (Running | Paused, _) => Err(SurveyError::WrongState(
            "The survey is in this state already.",
        )),
    }
}

async fn state(
    tx: &mut Transaction<'static, Sqlite>,
    id: &SurveyId,
) -> Result<SurveyState, SurveyError> {
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM surveys WHERE id = $1")
        .bind(id.as_ref())
        .fetch_optional(&mut **tx)
        .await?;
    state
        .map(|state| state_of(&state))
        .ok_or(SurveyError::NotFound)
}

async fn has_items(db: &mut SqliteConnection, id: &SurveyId) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM survey_items WHERE survey_id = $1)")
        .bind(id.as_ref())
        .fetch_one(db)
        .await
}

pub(super) fn state_of(stored: &str) -> SurveyState {
    match stored {
        "draft" => SurveyState::Draft,
        "running" => SurveyState::Running,
        "paused" => SurveyState::Paused,
        _ => SurveyState::Closed,
    }
}

fn state_text(state: SurveyState) -> &'static str {
    match state {
        SurveyState::Draft => "draft",
        SurveyState::Running => "running",
        SurveyState::Paused => "paused",
        SurveyState::Closed => "closed",
    }
}
