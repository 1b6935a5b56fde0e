use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn a_session_comes_with_a_cookie_no_script_can_read() {
    let server = TestServer::start().await;
    let answer = server.stranger().post("/api/v1/session", &json!({})).await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("predilect_session="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie} lacks {attribute}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
    let session = answer.expect_status(StatusCode::OK).json();
    assert_eq!(session["counted"], 0);
    assert_eq!(session["needed"], 4);
    assert_eq!(session["pending_profile_id"], json!(null));
}

#[tokio::test]
async fn cookies_are_for_https_only_where_that_is_asked() {
    let server = TestServer::start_with(|config| config.http.secure_cookies = true).await;
    let answer = server.stranger().post("/api/v1/session", &json!({})).await;
    assert!(answer.header("set-cookie").contains("Secure"));
}

#[tokio::test]
async fn a_session_needs_no_body() {
    let server = TestServer::start().await;
    let person = server.stranger();
    person
        .send(person.request(Method::POST, "/api/v1/session"))
        .await
        .expect_status(StatusCode::OK);
}

#[tokio::test]
async fn starting_again_returns_the_same_session() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let before = person.next_pair().await;
    person
        .post("/api/v1/session", &json!({}))
        .await
        .expect_status(StatusCode::OK);
    assert_eq!(person.next_pair().await, before);
}

#[tokio::test]
async fn a_session_outlives_the_server() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let session = person.post("/api/v1/session", &json!({})).await.json();
    let server = server.restart().await;
    assert_eq!(
        person
            .at(&server)
            .post("/api/v1/session", &json!({}))
            .await
            .json(),
        session
    );
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_see() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    for path in [
        "/api/v1/pairs/next",
        "/api/v1/profiles",
        "/api/v1/generations",
    ] {
        let problem = stranger
            .get(path)
            .await
            .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("/api/v1/session")
        );
    }
    let made_up = "predilect_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let request = stranger
        .request(Method::GET, "/api/v1/profiles")
        .header("cookie", made_up);
    stranger
        .send(request)
        .await
        .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
}
