//! The API as the page uses it: one function per request.

mod account;
mod error;
mod events;
mod images;
mod preload;
mod session;
mod surveys;

pub(crate) use account::{
    DATA, account, api_tokens, change_password, create_api_token, delete_everything, log_in,
    log_out, log_out_everywhere, register, revoke_api_token,
};
pub(crate) use error::ClientError;
pub(crate) use events::{Watch, WatchNews};
pub(crate) use images::*;
pub(crate) use preload::preload;
pub(crate) use session::session_changes;
pub(crate) use surveys::*;

use gloo_net::http::{Method, RequestBuilder, Response};
use predilect_api::{
    ChoiceId, ChoiceProgress, Generation, GenerationId, GenerationList, ModelCard, NameProfile,
    NewChoice, NewGeneration, Pair, Profile, ProfileId, ProfileList, RenameProfile, Session,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const ROOT: &str = "/api/v1";

/// What a request comes to.
pub(crate) type Answer<T> = Result<T, ClientError>;

/// Starts this person's session, or returns the one there is. Every page asks first: all
/// other requests need the session's cookie.
pub(crate) async fn start_session() -> Answer<Session> {
    let session = read(send(Method::POST, "/session").await?).await?;
    session::session_changed();
    Ok(session)
}

pub(crate) async fn model() -> Answer<ModelCard> {
    read(send(Method::GET, "/model").await?).await
}

pub(crate) async fn next_pair() -> Answer<Pair> {
    read(send(Method::GET, "/pairs/next").await?).await
}

pub(crate) async fn choose(choice: &NewChoice) -> Answer<ChoiceProgress> {
    read(send_json(Method::POST, "/choices", choice).await?).await
}

/// Takes back this choice, the last one; once, however often it is sent.
pub(crate) async fn undo_choice(last: &ChoiceId) -> Answer<ChoiceProgress> {
    let path = format!("/choices/last?choice_id={last}");
    read(send(Method::DELETE, &path).await?).await
}

pub(crate) async fn profiles() -> Answer<Vec<Profile>> {
    let list: ProfileList = read(send(Method::GET, "/profiles").await?).await?;
    Ok(list.profiles)
}

pub(crate) async fn profile(id: &ProfileId) -> Answer<Profile> {
    read(send(Method::GET, &format!("/profiles/{id}")).await?).await
}

/// Names the profile that waits for its name.
pub(crate) async fn name_profile(name: String) -> Answer<Profile> {
    read(send_json(Method::POST, "/profiles", &NameProfile { name }).await?).await
}

pub(crate) async fn rename_profile(id: &ProfileId, name: String) -> Answer<Profile> {
    read(
        send_json(
            Method::PATCH,
            &format!("/profiles/{id}"),
            &RenameProfile { name },
        )
        .await?,
    )
    .await
}

pub(crate) async fn delete_profile(id: &ProfileId) -> Answer<()> {
    send(Method::DELETE, &format!("/profiles/{id}"))
        .await
        .map(drop)
}

pub(crate) async fn generate(new: &NewGeneration) -> Answer<Generation> {
    read(send_json(Method::POST, "/generations", new).await?).await
}

pub(crate) async fn generation(id: &GenerationId) -> Answer<Generation> {
    read(send(Method::GET, &format!("/generations/{id}")).await?).await
}

/// The newest generations, newest first.
pub(crate) async fn recent_generations() -> Answer<Vec<Generation>> {
    let list: GenerationList = read(send(Method::GET, "/generations").await?).await?;
    Ok(list.generations)
}

pub(crate) async fn cancel(id: &GenerationId) -> Answer<()> {
    send(Method::DELETE, &format!("/generations/{id}"))
        .await
        .map(drop)
}

/// Cancels all of the person's generations that are unfinished.
pub(crate) async fn cancel_all() -> Answer<()> {
    send(Method::DELETE, "/generations").await.map(drop)
}

async fn send(method: Method, path: &str) -> Answer<Response> {
    let request = builder(method, path)
        .build()
        .map_err(|_| ClientError::Unreachable)?;
    settle(request.send().await).await
}

async fn send_json(method: Method, path: &str, body: &impl Serialize) -> Answer<Response> {
    let request = builder(method, path)
        .json(body)
        .map_err(|_| ClientError::Unreachable)?;
    settle(request.send().await).await
}

fn builder(method: Method, path: &str) -> RequestBuilder {
    RequestBuilder::new(&format!("{ROOT}{path}")).method(method)
}

async fn settle(sent: Result<Response, gloo_net::Error>) -> Answer<Response> {
    let response = sent.map_err(|_| ClientError::Unreachable)?;
    if response.ok() {
        return Ok(response);
    }
    let status = response.status();
    Err(match response.json().await {
        Ok(problem) => ClientError::Problem(Box::new(problem)),
        // A proxy before a stopped server answers in its own words.
        Err(_) => ClientError::Unreadable { status },
    })
}

async fn read<T: DeserializeOwned>(response: Response) -> Answer<T> {
    let status = response.status();
    response
        .json()
        .await
        .map_err(|_| ClientError::Unreadable { status })
}
