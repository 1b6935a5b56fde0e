use super::session::session_changed;
use super::{Answer, read, send, send_json};
use gloo_net::http::Method;
use predilect_api::{
    Account, ApiToken, ApiTokenId, ApiTokenList, ChangePassword, CreatedApiToken, DeleteEverything,
    LogIn, NewApiToken, Register,
};

/// Where the archive of everything that is a person's lies. A link leads there, so that the
/// browser stores it while it arrives.
pub(crate) const DATA: &str = "/api/v1/account/data";

/// Who is asking.
pub(crate) async fn account() -> Answer<Account> {
    read(send(Method::GET, "/account").await?).await
}

pub(crate) async fn register(new: &Register) -> Answer<Account> {
    read(send_json(Method::POST, "/account", new).await?).await
}

pub(crate) async fn log_in(credentials: &LogIn) -> Answer<Account> {
    let account = read(send_json(Method::POST, "/session/login", credentials).await?).await?;
    session_changed();
    Ok(account)
}

pub(crate) async fn log_out() -> Answer<()> {
    send(Method::DELETE, "/session").await.map(drop)
}

pub(crate) async fn log_out_everywhere() -> Answer<()> {
    send(Method::DELETE, "/sessions").await.map(drop)
}

pub(crate) async fn change_password(change: &ChangePassword) -> Answer<()> {
    send_json(Method::PUT, "/account/password", change)
        .await
        .map(drop)
}

/// The tokens that are not revoked, newest first.
pub(crate) async fn api_tokens() -> Answer<Vec<ApiToken>> {
    let list: ApiTokenList = read(send(Method::GET, "/account/tokens").await?).await?;
    Ok(list.tokens)
}

pub(crate) async fn create_api_token(name: String) -> Answer<CreatedApiToken> {
    read(send_json(Method::POST, "/account/tokens", &NewApiToken { name }).await?).await
}

pub(crate) async fn revoke_api_token(id: &ApiTokenId) -> Answer<()> {
    send(Method::DELETE, &format!("/account/tokens/{id}"))
        .await
        .map(drop)
}

pub(crate) async fn delete_everything(request: &DeleteEverything) -> Answer<()> {
    send_json(Method::POST, "/account/deletion", request)
        .await
        .map(drop)
}
