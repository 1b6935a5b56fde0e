//! Win-rate surveys.

use super::{Answer, ClientError, ROOT, builder, read, send, send_json, settle};
use gloo_net::http::Method;
use predilect_api::{
    BlindItem, ChangeSurvey, NewSurvey, NewSurveyVote, Survey, SurveyId, SurveyList,
    SurveyProgress, SurveyResults, SurveyState,
};

/// What this person is to judge: the same until they have voted on it. `None` when there is
/// nothing left to ask them.
pub(crate) async fn next_item(id: &SurveyId) -> Answer<Option<BlindItem>> {
    let response = send(Method::GET, &format!("/surveys/{id}/next")).await?;
    if response.status() == 204 {
        return Ok(None);
    }
    read(response).await.map(Some)
}

pub(crate) async fn vote(id: &SurveyId, vote: &NewSurveyVote) -> Answer<SurveyProgress> {
    read(send_json(Method::POST, &format!("/surveys/{id}/votes"), vote).await?).await
}

/// Every survey, newest first; for admins, as all that follows.
pub(crate) async fn surveys() -> Answer<Vec<Survey>> {
    let list: SurveyList = read(send(Method::GET, "/admin/surveys").await?).await?;
    Ok(list.surveys)
}

pub(crate) async fn survey(id: &SurveyId) -> Answer<Survey> {
    read(send(Method::GET, &format!("/admin/surveys/{id}")).await?).await
}

pub(crate) async fn create_survey(new: &NewSurvey) -> Answer<Survey> {
    read(send_json(Method::POST, "/admin/surveys", new).await?).await
}

/// Starts, pauses or closes a survey.
pub(crate) async fn change_survey(id: &SurveyId, state: SurveyState) -> Answer<Survey> {
    let path = format!("/admin/surveys/{id}");
    read(send_json(Method::PATCH, &path, &ChangeSurvey { state }).await?).await
}

/// Which of a survey's votes its results are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Leave out the votes of whoever failed an attention check.
    pub(crate) attentive_only: bool,
    /// Use only items of this prompt group; of all where it is empty.
    pub(crate) group: String,
}

pub(crate) async fn survey_results(id: &SurveyId, of: &Selection) -> Answer<SurveyResults> {
    let group = (!of.group.is_empty()).then_some(("group", of.group.as_str()));
    let attentive = of.attentive_only.then_some(("attentive_only", "true"));
    let request = builder(Method::GET, &format!("/admin/surveys/{id}/results"))
        .query(group.into_iter().chain(attentive))
        .build()
        .map_err(|_| ClientError::Unreachable)?;
    read(settle(request.send().await).await?).await
}

/// Where all votes of a survey are to be downloaded, as `csv` or as `jsonl`.
pub(crate) fn votes_url(id: &SurveyId, format: &str) -> String {
    format!("{ROOT}/admin/surveys/{id}/votes?format={format}")
}
