use std::time::Duration;

use predilect_api::{ImageId, SurveyId, SurveyItemId, SurveyState, SurveyVote};
use predilect_model::preference::pair_bank::Side;
use sqlx::{Sqlite, Transaction};

use super::{Person, Store, new_id, now_ms, rfc3339, surveys::state_of};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An item as a participant is shown it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Showing {
    /// What the participant knows it by.
    pub id: String,
    /// What both pictures were drawn from.
    pub prompt: String,
    /// Votes of this participant today.
    #[sqlx(skip)]
    pub votes_today: u32,
    /// Votes they may give a day.
    #[sqlx(skip)]
    pub daily_cap: u32,
}

/// A picture of a showing.
#[derive(Clone, Debug)]
pub struct ShownPicture {
    /// Its file.
    pub image: ImageId,
    /// Whether this showing is an attention check and this its bad picture.
    pub spoilt: bool,
}

/// How far a participant is.
#[derive(Clone, Copy, Debug)]
pub struct Participation {
    /// Votes in all.
    pub votes: u32,
    /// Votes today.
    pub votes_today: u32,
    /// Votes they may give a day.
    pub daily_cap: u32,
}

/// Why a participant is not asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no survey by this id, or it is still a draft.
    #[error("no such survey")]
    NotFound,
    /// It is paused or closed.
    #[error("the survey does not run")]
    NotRunning,
    /// It asks people with an account.
    #[error("the survey asks people with an account")]
    AccountNeeded,
    /// The participant has given as many votes as one may a day.
    #[error("no more votes today")]
    DailyCap(Duration),
    /// The item is not one this participant was shown.
    #[error("no such item")]
    NoSuchItem,
    /// The item has its vote.
    #[error("voted already")]
    AlreadyVoted,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A vote as it is exported and counted.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CastVote {
    /// Whose.
    pub user_id: String,
    /// The comparison.
    pub item: i64,
    /// What both pictures were drawn from.
    pub prompt: String,
    /// What results are cut by.
    pub prompt_group: Option<String>,
    /// Number of the left picture's arm.
    pub left_arm: u32,
    /// Number of the right picture's arm.
    pub right_arm: u32,
    /// left, right, tie or both_bad.
    pub vote: String,
    /// The side that was spoilt, in an attention check.
    pub spoilt: Option<String>,
    /// Milliseconds from the showing to the vote.
    pub response_ms: i64,
    pub(crate) voted_at: i64,
}

impl CastVote {
    /// RFC 3339.
    #[must_use]
    pub fn when(&self) -> String {
        rfc3339(self.voted_at)
    }

    /// Of an attention check, whether the good picture was preferred.
    #[must_use]
    pub fn passed(&self) -> Option<bool> {
        let good = match self.spoilt.as_deref()? {
            "left" => "right",
            _ => "left",
        };
        Some(self.vote == good)
    }
}

/// A vote as its participant may see it: without the arms, as long as the survey is blind.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OwnVote {
    /// The survey.
    pub survey_id: String,
    /// The item as the participant knew it.
    pub item_id: String,
    /// What both pictures were drawn from.
    pub prompt: String,
    /// left, right, tie or both_bad.
    pub vote: String,
    voted_at: i64,
}

impl OwnVote {
    /// RFC 3339.
    #[must_use]
    pub fn when(&self) -> String {
        rfc3339(self.voted_at)
    }
}

#[derive(sqlx::FromRow)]
struct Rules {
    state: String,
    audience: String,
    target_votes: u32,
    daily_cap: u32,
    attention_every: u32,
    votes: u32,
}

impl Store {
    /// What a participant is to judge: what they were shown last, until they have voted, then
    /// the least judged comparison they have not seen, on sides at random; now and then an
    /// attention check instead. None when there is nothing left to ask them.
    ///
    /// # Errors
    /// When the participant is not asked now, or the database fails.
    pub async fn next_showing(
        &self,
        person: &Person,
        survey: &SurveyId,
    ) -> Result<Option<Showing>, AskError> {
        let mut tx = self.write().await?;
        let rules = rules(&mut tx, person, survey).await?;
        let votes_today = votes_today(&mut tx, person, survey).await?;
        if let Some(showing) = open_showing(&mut tx, person, survey).await? {
            return Ok(Some(showing.with(votes_today, rules.daily_cap)));
        }
        if votes_today >= rules.daily_cap {
            return Err(AskError::DailyCap(until_tomorrow()));
        }
        if rules.votes >= rules.target_votes {
            return Ok(None);
        }
        // The least judged first, so that votes spread; among those at random.
        let unseen: Option<i64> = sqlx::query_scalar(
            "SELECT i.seq FROM survey_items i
             WHERE i.survey_id = $1 AND NOT EXISTS (
                 SELECT 1 FROM survey_showings h
                 WHERE h.item = i.seq AND h.user_id = $2 AND h.spoilt IS NULL)
             ORDER BY (SELECT COUNT(*) FROM survey_showings h
                       WHERE h.item = i.seq AND h.spoilt IS NULL AND h.vote IS NOT NULL),
                 random()
             LIMIT 1",
        )
        .bind(survey.as_ref())
        .bind(&person.id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(item) = unseen else { return Ok(None) };
        let check = rules.attention_every > 0 && rand::random_range(0..rules.attention_every) == 0;
        let spoilt = check.then(|| if rand::random() { "left" } else { "right" });
        sqlx::query(
            "INSERT INTO survey_showings (id, survey_id, item, user_id, first_left, spoilt, shown_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new_id())
        .bind(survey.as_ref())
        .bind(item)
        .bind(&person.id)
        .bind(rand::random::<bool>())
        .bind(spoilt)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        let showing = open_showing(&mut tx, person, survey).await?;
        tx.commit().await?;
        Ok(showing.map(|showing| showing.with(votes_today, rules.daily_cap)))
    }

    /// Stores a vote; each showing takes one.
    ///
    /// # Errors
    /// When the participant is not asked now, the item is not theirs or has its vote, or the
    /// database fails.
    pub async fn vote(
        &self,
        person: &Person,
        survey: &SurveyId,
        item: &SurveyItemId,
        vote: SurveyVote,
    ) -> Result<Participation, AskError> {
        let mut tx = self.write().await?;
        let rules = rules(&mut tx, person, survey).await?;
        let open: Option<bool> = sqlx::query_scalar(
            "SELECT vote IS NULL FROM survey_showings
             WHERE id = $1 AND survey_id = $2 AND user_id = $3",
        )
        .bind(item.as_ref())
        .bind(survey.as_ref())
        .bind(&person.id)
        .fetch_optional(&mut *tx)
        .await?;
        if !open.ok_or(AskError::NoSuchItem)? {
            return Err(AskError::AlreadyVoted);
        }
        sqlx::query("UPDATE survey_showings SET vote = $1, voted_at = $2 WHERE id = $3")
            .bind(vote_text(vote))
            .bind(now_ms())
            .bind(item.as_ref())
            .execute(&mut *tx)
            .await?;
        let votes = sqlx::query_scalar(
            "SELECT COUNT(*) FROM survey_showings
             WHERE survey_id = $1 AND user_id = $2 AND vote IS NOT NULL",
        )
        .bind(survey.as_ref())
        .bind(&person.id)
        .fetch_one(&mut *tx)
        .await?;
        let votes_today = votes_today(&mut tx, person, survey).await?;
        tx.commit().await?;
        Ok(Participation {
            votes,
            votes_today,
            daily_cap: rules.daily_cap,
        })
    }

    /// One side of what a participant was shown; none when it was shown to somebody else.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shown_picture(
        &self,
        person: &Person,
        survey: &SurveyId,
        item: &SurveyItemId,
        side: Side,
    ) -> sqlx::Result<Option<ShownPicture>> {
        let side = match side {
            Side::Left => "left",
            Side::Right => "right",
        };
        let row: Option<(String, bool)> = sqlx::query_as(
            "SELECT CASE WHEN h.first_left = ($4 = 'left') THEN i.first_image
                         ELSE i.second_image END,
                    COALESCE(h.spoilt = $4, FALSE)
             FROM survey_showings h JOIN survey_items i ON i.seq = h.item
             WHERE h.id = $1 AND h.survey_id = $2 AND h.user_id = $3",
        )
        .bind(item.as_ref())
        .bind(survey.as_ref())
        .bind(&person.id)
        .bind(side)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(image, spoilt)| ShownPicture {
            image: ImageId(image),
            spoilt,
        }))
    }

    /// Every vote of a person, in all surveys, in the order they were shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_votes(&self, person: &Person) -> sqlx::Result<Vec<OwnVote>> {
        sqlx::query_as(
            "SELECT h.survey_id, h.id AS item_id, i.prompt, h.vote, h.voted_at
             FROM survey_showings h JOIN survey_items i ON i.seq = h.item
             WHERE h.user_id = $1 AND h.vote IS NOT NULL ORDER BY h.seq",
        )
        .bind(&person.id)
        .fetch_all(&self.pool)
        .await
    }

    /// Every vote of a survey, attention checks included, in the order they were shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cast_votes(&self, survey: &SurveyId) -> sqlx::Result<Vec<CastVote>> {
        sqlx::query_as(
            "SELECT h.user_id, h.item, i.prompt, i.prompt_group,
                    CASE h.first_left WHEN 1 THEN i.first_arm ELSE i.second_arm END AS left_arm,
                    CASE h.first_left WHEN 1 THEN i.second_arm ELSE i.first_arm END AS right_arm,
                    h.vote, h.spoilt, h.voted_at - h.shown_at AS response_ms, h.voted_at
             FROM survey_showings h JOIN survey_items i ON i.seq = h.item
             WHERE h.survey_id = $1 AND h.vote IS NOT NULL ORDER BY h.seq",
        )
        .bind(survey.as_ref())
        .fetch_all(&self.pool)
        .await
    }
}

impl Showing {
    fn with(self, votes_today: u32, daily_cap: u32) -> Self {
        Self {
            votes_today,
            daily_cap,
            ..self
        }
    }
}

/// The survey's rules, if it asks this person now.
async fn rules(
    tx: &mut Transaction<'static, Sqlite>,
    person: &Person,
    survey: &SurveyId,
) -> Result<Rules, AskError> {
    let rules: Option<Rules> = sqlx::query_as("SELECT * FROM survey_overview WHERE id = $1")
        .bind(survey.as_ref())
        .fetch_optional(&mut **tx)
        .await?;
    let rules = rules.ok_or(AskError::NotFound)?;
    match state_of(&rules.state) {
        SurveyState::Draft => Err(AskError::NotFound),
        SurveyState::Paused | SurveyState::Closed => Err(AskError::NotRunning),
        SurveyState::Running if rules.audience == "registered" && !person.is_registered() => {
            Err(AskError::AccountNeeded)
        }
        SurveyState::Running => Ok(rules),
    }
}

async fn open_showing(
    tx: &mut Transaction<'static, Sqlite>,
    person: &Person,
    survey: &SurveyId,
) -> sqlx::Result<Option<Showing>> {
    sqlx::query_as(
        "SELECT h.id, i.prompt FROM survey_showings h JOIN survey_items i ON i.seq = h.item
         WHERE h.survey_id = $1 AND h.user_id = $2 AND h.vote IS NULL",
    )
    .bind(survey.as_ref())
    .bind(&person.id)
    .fetch_optional(&mut **tx)
    .await
}

async fn votes_today(
    tx: &mut Transaction<'static, Sqlite>,
    person: &Person,
    survey: &SurveyId,
) -> sqlx::Result<u32> {
    let now = now_ms();
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM survey_showings
         WHERE survey_id = $1 AND user_id = $2 AND voted_at >= $3",
    )
    .bind(survey.as_ref())
    .bind(&person.id)
    .bind(now - now.rem_euclid(DAY_MS))
    .fetch_one(&mut **tx)
    .await
}

fn until_tomorrow() -> Duration {
    let left = DAY_MS - now_ms().rem_euclid(DAY_MS);
    Duration::from_millis(left.unsigned_abs())
}

fn vote_text(vote: SurveyVote) -> &'static str {
    match vote {
        SurveyVote::Left => "left",
        SurveyVote::Right => "right",
        SurveyVote::Tie => "tie",
        SurveyVote::BothBad => "both_bad",
    }
}
