use serde::{Deserialize, Serialize};

use crate::{ImageId, SurveyId, SurveyItemId};

/// Where a survey stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SurveyState {
    /// Items are added; nobody is asked.
    Draft,
    /// Participants are asked.
    Running,
    /// Nobody is asked for now.
    Paused,
    /// Nobody is asked any more.
    Closed,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Whoever has a session.
    Everyone,
    /// Whoever has an account.
    Registered,
}

/// What a participant made of a blind item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SurveyVote {
    /// The left picture is better.
    Left,
    /// The right picture is better.
    Right,
    /// No difference.
    Tie,
    /// Both are bad.
    BothBad,
}

/// Body of `POST /admin/surveys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSurvey {
    /// 1 to 60 characters, not counting spaces around it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::NameText))]
    pub name: String,
    /// What is compared: 2 to 8 names, each 1 to 60 characters.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeSet<crate::schema::NameText>, min_items = 2, max_items = 8))]
    pub arms: Vec<String>,
    /// Who is asked.
    pub audience: Audience,
    /// Votes after which nobody is asked any more, 1 to 1000000.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000000))]
    pub target_votes: i64,
    /// Votes one participant may give a day (UTC), 1 to 1000; 50 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
    pub daily_cap: Option<i64>,
    /// One in so many items, by chance, is an attention check, 0 (none) to 1000; 15 when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1000))]
    pub attention_every: Option<i64>,
}

/// A survey as admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Survey {
    /// Names this survey.
    pub id: SurveyId,
    /// What admins call it.
    pub name: String,
    /// Where it stands.
    pub state: SurveyState,
    /// Who is asked.
    pub audience: Audience,
    /// What is compared, in the order given.
    pub arms: Vec<String>,
    /// Votes after which nobody is asked any more.
    pub target_votes: u32,
    /// Votes one participant may give a day.
    pub daily_cap: u32,
    /// One in so many items is an attention check; 0 for none.
    pub attention_every: u32,
    /// Comparisons there are.
    pub items: u32,
    /// Votes so far, without attention checks.
    pub votes: u32,
    /// RFC 3339.
    pub created_at: String,
}

/// Answer of `GET /admin/surveys`: newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SurveyList {
    /// Every survey.
    pub surveys: Vec<Survey>,
}

/// Body of `PATCH /admin/surveys/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeSurvey {
    /// `running` starts or goes on, `paused` pauses, `closed` ends for good.
    pub state: SurveyState,
}

/// Body of `POST /admin/surveys/{id}/items`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSurveyItem {
    /// What results can be cut by: 1 to 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::schema::NameText>))]
    pub group: Option<String>,
    /// The two pictures to compare, of different arms and one prompt.
    #[cfg_attr(feature = "openapi", schema(min_items = 2, max_items = 2))]
    pub pictures: Vec<ArmPicture>,
}

/// A picture of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ArmPicture {
    /// One of the survey's arms.
    pub arm: String,
    /// A picture of the admin's own; the survey keeps a copy.
    pub image: ImageId,
}

/// Answer of `GET /surveys/{id}/next`: two pictures whose arms nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlindItem {
    /// What `POST /surveys/{id}/votes` names; the same until it is voted on.
    pub item_id: SurveyItemId,
    /// What both pictures were drawn from.
    pub prompt: String,
    /// URL of the left picture.
    pub left: String,
    /// URL of the right picture.
    pub right: String,
    /// Votes this participant may still give today, this one included.
    pub votes_left_today: u32,
}

/// Body of `POST /surveys/{id}/votes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSurveyVote {
    /// The item as `GET /surveys/{id}/next` named it.
    pub item_id: SurveyItemId,
    /// What the participant made of it.
    pub vote: SurveyVote,
}

/// Answer of `POST /surveys/{id}/votes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SurveyProgress {
    /// Votes this participant has given in all.
    pub votes: u32,
    /// Votes they may still give today.
    pub votes_left_today: u32,
}

/// An interval of 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfidenceInterval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A win rate with all it takes to judge it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WinRateEstimate {
    /// Votes it is made of.
    pub n: u64,
    /// 0 to 1.
    pub rate: f64,
    /// Wilson's score interval, which takes votes for independent.
    pub wilson: ConfidenceInterval,
    /// Percentile bootstrap over participants; null with fewer than two of them.
    pub bootstrap: Option<ConfidenceInterval>,
    /// Votes until Wilson's interval excludes 50 %, if the rate stays; null at 50 %.
    pub more_votes: Option<u64>,
}

/// How one arm did against another, or against all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArmWinRate {
    /// The arm.
    pub arm: String,
    /// The other one; null for all others together.
    pub against: Option<String>,
    /// Votes for the arm.
    pub wins: u64,
    /// Votes for the other.
    pub losses: u64,
    /// Votes that saw no difference.
    pub ties: u64,
    /// Votes that found both bad.
    pub both_bad: u64,
    /// The rate with ties, and both bad, as half a win; null without votes.
    pub ties_as_half: Option<WinRateEstimate>,
    /// The rate among votes with a preference; null without any.
    pub ties_left_out: Option<WinRateEstimate>,
}

/// An arm on Bradley and Terry's scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArmStrength {
    /// The arm.
    pub arm: String,
    /// Natural log-odds against an arm of average strength.
    pub log_odds: f64,
    /// From cluster-robust errors.
    pub interval: ConfidenceInterval,
}

/// Whether a side was preferred as such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SideBiasResult {
    /// Votes for the left picture.
    pub left: u64,
    /// Votes for the right picture.
    pub right: u64,
    /// Left of both, 0 to 1.
    pub left_rate: f64,
    /// Wilson's score interval of the rate.
    pub wilson: ConfidenceInterval,
    /// Exact binomial test, two-sided.
    pub p_value: f64,
}

/// How far participants agree on items that several of them judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgreementResult {
    /// Items with two votes or more.
    pub items: u32,
    /// Votes on them.
    pub votes: u32,
    /// Share of pairs of votes that say the same.
    pub observed: f64,
    /// Krippendorff's alpha, nominal; null where all votes are the same.
    pub alpha: Option<f64>,
}

/// How long votes took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResponseTimeResult {
    /// In milliseconds.
    pub median_ms: f64,
    /// Faster votes are outliers, in milliseconds.
    pub fast_ms: f64,
    /// Slower votes are outliers, in milliseconds.
    pub slow_ms: f64,
    /// Number of outliers.
    pub outliers: u32,
}

/// Answer of `GET /admin/surveys/{id}/results`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SurveyResults {
    /// Votes used.
    pub votes: u32,
    /// Participants they came from.
    pub participants: u32,
    /// Attention checks passed and failed, by everybody.
    pub attention_passed: u32,
    /// See `attention_passed`.
    pub attention_failed: u32,
    /// Each arm against all others, then against each.
    pub win_rates: Vec<ArmWinRate>,
    /// Arms on one scale; null where the votes don't fix it, see `strengths_missing`.
    pub strengths: Option<Vec<ArmStrength>>,
    /// Why there are no strengths, in words.
    pub strengths_missing: Option<String>,
    /// Null without a vote that has a preference.
    pub side_bias: Option<SideBiasResult>,
    /// Null where no item has two votes.
    pub agreement: Option<AgreementResult>,
    /// Null where there are too few votes, or their times don't differ.
    pub response_times: Option<ResponseTimeResult>,
}
