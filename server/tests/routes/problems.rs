use reqwest::{Method, StatusCode};

use crate::support::{Person, TestServer};

async fn post_text(person: &Person, content_type: &str, body: String) -> crate::support::Answer {
    let request = person
        .request(Method::POST, "/api/v1/generations")
        .header("content-type", content_type)
        .body(body);
    person.send(request).await
}

#[tokio::test]
async fn an_unknown_address_of_the_api_is_a_problem() {
    let server = TestServer::start().await;
    for path in ["/api", "/api/v1", "/api/v1/nothing", "/api/v2/session"] {
        server
            .stranger()
            .get(path)
            .await
            .expect_problem(StatusCode::NOT_FOUND, "no-route");
    }
}

#[tokio::test]
async fn another_method_is_a_problem_that_names_those_allowed() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let answer = stranger
        .send(stranger.request(Method::PUT, "/api/v1/profiles"))
        .await;
    let allowed = answer.header("allow").to_owned();
    assert!(
        allowed.contains("GET") && allowed.contains("POST"),
        "{allowed}"
    );
    answer.expect_problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_problem() {
    let server = TestServer::start().await;
    let person = server.person().await;
    for body in ["", "{", "prompt=dog", "{\"prompt\": \"a\",}", "\u{0}"] {
        post_text(&person, "application/json", body.into())
            .await
            .expect_problem(StatusCode::BAD_REQUEST, "malformed-json");
    }
    for body in ["[]", "7", "\"a dog\"", "null"] {
        post_text(&person, "application/json; charset=utf-8", body.into())
            .await
            .expect_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request");
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_a_problem() {
    let server = TestServer::start().await;
    let person = server.person().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        post_text(&person, content_type, "{\"prompt\":\"a\"}".into())
            .await
            .expect_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_a_problem() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let body = format!("{{\"prompt\":\"{}\"}}", "x".repeat(64 * 1024));
    let problem = post_text(&person, "application/json", body)
        .await
        .expect_problem(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("16384 bytes"), "{detail}");
    let import = person
        .request(Method::POST, "/api/v1/profiles/import")
        .json(&serde_json::json!({"name": "a", "code": "x".repeat(9 * 1024 * 1024)}));
    let problem = person
        .send(import)
        .await
        .expect_problem(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("8388608 bytes"), "{detail}");
}

#[tokio::test]
async fn a_parameter_that_is_not_allowed_is_named() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let asked = async |limit: &str| {
        let path = format!("/api/v1/generations?limit={limit}");
        person.get(&path).await
    };
    for limit in ["-1", "0", "101"] {
        let message = asked(limit).await.expect_field_error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "limit",
        );
        assert!(message.contains("from 1 to 100"), "{message}");
    }
    for limit in ["x", "", "1.5", "99999999999999999999", "%20", "1&limit=2"] {
        let message = asked(limit).await.expect_field_error(
            StatusCode::BAD_REQUEST,
            "malformed-address",
            "limit",
        );
        let expected = match limit.contains('&') {
            true => "must be given once",
            false => "must be a whole number from 1 to 100",
        };
        assert_eq!(message, expected, "{limit}");
    }
}
