use predilect_api::{MAX_NAME_CHARS, MAX_PASSWORD_CHARS};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    documented::{document, openapi, operations, violations, with_ids},
    support::{Answer, Person, TestServer},
};

#[tokio::test]
async fn the_document_is_served_as_the_code_has_it() {
    let server = TestServer::start().await;
    let served = server
        .stranger()
        .get("/api/v1/openapi.json")
        .await
        .expect_status(StatusCode::OK);
    assert_eq!(served.json(), *document());
}

#[test]
fn the_document_changes_only_on_purpose() {
    insta::assert_json_snapshot!("openapi", openapi());
}

#[test]
fn every_operation_tells_of_what_any_of_them_may_answer() {
    for (method, template) in operations() {
        let operation = &document()["paths"][template][method.as_str().to_lowercase()];
        let mut expected = vec!["405", "500"];
        if !operation["requestBody"].is_null() {
            expected.extend(["400", "413", "415", "422"]);
        }
        if template.contains('{') {
            expected.push("400");
        }
        let responses = operation["responses"].as_object().unwrap();
        for status in expected {
            assert!(
                responses.contains_key(status),
                "{method} {template}: {status}"
            );
        }
        for (status, response) in responses {
            let problem = &response["content"]["application/problem+json"];
            let description = response["description"].as_str();
            assert!(
                description.is_some_and(|text| !text.is_empty()),
                "{method} {template}: {status} has no description"
            );
            let is_error = status.as_str() >= "400";
            assert_eq!(
                is_error,
                !problem.is_null(),
                "{method} {template}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn whoever_may_ask_is_documented() {
    let server = TestServer::start().await;
    for (method, template) in operations() {
        let operation = &document()["paths"][template][method.as_str().to_lowercase()];
        let schemes = operation.get("security").unwrap_or(&document()["security"]);
        let stranger = server.stranger();
        let request = stranger.request(method.clone(), &with_ids(template, "none"));
        let answer = stranger.send(request.json(&json!({}))).await;
        let is_refused = answer.status == StatusCode::UNAUTHORIZED;
        assert_eq!(is_refused, *schemes != json!([{}]), "{method} {template}");
    }
}

/// Requests that nobody means, to every operation. What is answered is looked up in the
/// document by whoever sends a request in these tests.
#[tokio::test]
async fn whatever_is_sent_the_answer_is_documented() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let token = admin
        .post("/api/v1/account/tokens", &json!({"name": "Script"}))
        .await
        .json();
    let script = admin.with_api_token(token["token"].as_str().unwrap());
    for (method, template) in operations() {
        let anonymous = server.person().await;
        for person in [&anonymous, &script] {
            for id in ["-1", "0", "%00", "%FF", "%F0%9F%A6%8A"] {
                send_nonsense(person, &method, &with_ids(template, id)).await;
            }
        }
    }
}

async fn send_nonsense(person: &Person, method: &Method, path: &str) {
    for query in ["", "?limit=-1", "?limit=x", "?before=none", "?format=gif"] {
        let request = person.request(method.clone(), &format!("{path}{query}"));
        assert!(
            !person.send(request).await.status.is_server_error(),
            "{path}"
        );
    }
    for body in [
        "",
        "null",
        "[]",
        "{\"nothing\": -1}",
        "{\"name\": \"\\u0000\"}",
    ] {
        let request = person
            .request(method.clone(), path)
            .header("content-type", "application/json")
            .body(body);
        assert!(
            !person.send(request).await.status.is_server_error(),
            "{path}"
        );
    }
}

/// A generation that is refused at last: no profile has this id.
fn generation(change: Value) -> Value {
    let mut body = json!({"prompt": "a dog", "profiles": [{"id": "none", "weight": 1}]});
    for (field, value) in change.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

#[tokio::test]
async fn the_bounds_of_the_document_are_those_of_the_server() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let schema = &document()["components"]["schemas"]["NewGeneration"];
    for field in ["seed", "count", "steps", "guidance", "strength"] {
        let bounds = &schema["properties"][field];
        let number = |value: f64| match bounds["type"][0].as_str() {
            Some("integer") => json!(value as i64),
            _ => json!(value),
        };
        for (bound, beyond) in [("minimum", -1.0), ("maximum", 1.0)] {
            let bound = bounds[bound].as_f64().unwrap();
            let allowed = generation(json!({field: number(bound)}));
            person
                .post("/api/v1/generations", &allowed)
                .await
                .expect_problem(StatusCode::NOT_FOUND, "unknown-reference");
            let refused = generation(json!({field: number(bound + beyond)}));
            assert!(!violations(schema, &refused, "").is_empty(), "{refused}");
            person
                .post("/api/v1/generations", &refused)
                .await
                .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", field);
        }
    }
}

#[tokio::test]
async fn the_lengths_of_the_document_are_those_of_the_server() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let schemas = &document()["components"]["schemas"];
    let longest = |name: &str| schemas[name]["maxLength"].as_u64().unwrap() as usize;
    assert_eq!(longest("NameText"), MAX_NAME_CHARS);
    assert_eq!(longest("LineText"), MAX_NAME_CHARS);
    assert_eq!(longest("NewPasswordText"), MAX_PASSWORD_CHARS);
    let prompt = longest("PromptText");
    let asked = async |length: usize| -> Answer {
        let body = generation(json!({"prompt": "x".repeat(length)}));
        person.post("/api/v1/generations", &body).await
    };
    asked(prompt)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "unknown-reference");
    for length in [0, prompt + 1] {
        asked(length).await.expect_field_error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "prompt",
        );
    }
    let named = async |length: usize| -> Answer {
        let body = json!({"name": "x".repeat(length)});
        person.post("/api/v1/profiles", &body).await
    };
    named(MAX_NAME_CHARS)
        .await
        .expect_problem(StatusCode::CONFLICT, "choices-missing");
    named(MAX_NAME_CHARS + 1)
        .await
        .expect_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request");
}
