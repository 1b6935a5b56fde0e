//! Win-rate surveys.

use super::{Answer, read, send, send_json};
use gloo_net::http::Method;
use predilect_api::{BlindItem, NewSurveyVote, SurveyId, SurveyProgress};

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
