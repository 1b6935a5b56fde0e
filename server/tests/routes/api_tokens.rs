use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Person, TestServer};

const PASSWORD: &str = "correct horse";
const PATH: &str = "/api/v1/account/tokens";

async fn create(person: &Person, name: &str) -> Value {
    person
        .post(PATH, &json!({"name": name}))
        .await
        .expect_status(StatusCode::CREATED)
        .json()
}

#[tokio::test]
async fn a_token_stands_for_its_owner_until_it_is_revoked() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.profile("Calm").await;
    person.register("Ana", PASSWORD).await;
    let first = create(&person, "Script").await;
    let second = create(&person, "Other").await;
    let token = first["token"].as_str().unwrap();
    assert!(token.starts_with("predilect_"), "{token}");
    let listed = person.get(PATH).await.json();
    assert!(!listed.to_string().contains(token), "a token is shown once");
    let tokens = listed["tokens"].as_array().unwrap();
    assert_eq!(
        (&tokens[0]["id"], &tokens[1]["id"]),
        (&second["id"], &first["id"])
    );
    assert_eq!(tokens[1]["last_used_at"], Value::Null);

    let script = person.with_api_token(token);
    let answer = script
        .get("/api/v1/profiles")
        .await
        .expect_status(StatusCode::OK);
    assert_eq!(answer.json()["profiles"][0]["name"], "Calm");
    let session = script.post("/api/v1/session", &json!({})).await;
    assert_eq!(session.header("set-cookie"), "", "a script has no cookie");
    session.expect_status(StatusCode::OK);
    let listed = person.get(PATH).await.json();
    assert!(listed["tokens"][1]["last_used_at"].is_string());

    let path = format!("{PATH}/{}", first["id"].as_str().unwrap());
    let other = server.person().await;
    other
        .delete(&path)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    person
        .delete(&path)
        .await
        .expect_status(StatusCode::NO_CONTENT);
    let refused = script.get("/api/v1/profiles").await;
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    refused.expect_problem(StatusCode::UNAUTHORIZED, "unknown-token");
    person
        .with_api_token(second["token"].as_str().unwrap())
        .get("/api/v1/profiles")
        .await
        .expect_status(StatusCode::OK);
}

#[tokio::test]
async fn an_account_is_not_changed_with_a_token() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.register("Ana", PASSWORD).await;
    let created = create(&person, "Script").await;
    let script = person.with_api_token(created["token"].as_str().unwrap());
    let passwords = json!({"current_password": PASSWORD, "new_password": "battery staple"});
    let refusals = [
        script.get(PATH).await,
        script.post(PATH, &json!({"name": "Another"})).await,
        script.put("/api/v1/account/password", &passwords).await,
        script
            .post("/api/v1/account/deletion", &json!({"password": PASSWORD}))
            .await,
        script.delete("/api/v1/session").await,
        script.delete("/api/v1/sessions").await,
    ];
    for refused in refusals {
        refused.expect_problem(StatusCode::FORBIDDEN, "session-required");
    }
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_whatever_the_cookie() {
    let server = TestServer::start().await;
    let person = server.person().await;
    for value in ["Bearer nonsense", "Bearer predilect_AAAA"] {
        let request = person
            .request(Method::GET, "/api/v1/profiles")
            .header("authorization", value);
        person
            .send(request)
            .await
            .expect_problem(StatusCode::UNAUTHORIZED, "unknown-token");
    }
    let basic = person
        .request(Method::GET, "/api/v1/profiles")
        .header("authorization", "Basic dXNlcjpwdw==");
    person.send(basic).await.expect_status(StatusCode::OK);
}

#[tokio::test]
async fn tokens_need_an_account_and_a_name() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person
        .post(PATH, &json!({"name": "Script"}))
        .await
        .expect_problem(StatusCode::CONFLICT, "not-registered");
    person.register("Ana", PASSWORD).await;
    for name in ["", "  ", "a\nb", &"x".repeat(61)] {
        person
            .post(PATH, &json!({"name": name}))
            .await
            .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "name");
    }
}
