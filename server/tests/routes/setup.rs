use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use predilect_api::Choice;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::TestServer;

const PASSWORD: &str = "correct horse";

fn body(token: &Option<String>, name: &str) -> Value {
    json!({"token": token, "name": name, "password": PASSWORD})
}

#[tokio::test]
async fn the_token_makes_one_admin_who_keeps_everything() {
    let server = TestServer::start().await;
    let (first, second) = (server.person().await, server.person().await);
    first.choose(Choice::Left).await;
    let token = server.setup_token.clone();
    let account = first
        .post("/api/v1/setup", &body(&token, "Ana"))
        .await
        .expect_status(StatusCode::CREATED)
        .json();
    assert_eq!(
        (&account["name"], &account["role"]),
        (&json!("Ana"), &json!("admin"))
    );
    let session = first.post("/api/v1/session", &json!({})).await.json();
    assert_eq!(session["counted"], 1);
    first
        .get("/api/v1/admin/users")
        .await
        .expect_status(StatusCode::OK);
    second
        .post("/api/v1/setup", &body(&token, "Bo"))
        .await
        .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "token");
    let server = server.restart().await;
    assert_eq!(server.setup_token, None, "there is an admin");
}

#[tokio::test]
async fn a_start_without_an_admin_makes_the_old_token_void() {
    let server = TestServer::start().await;
    let old = server.setup_token.clone();
    let server = server.restart().await;
    let stranger = server.stranger();
    for token in [old, Some(String::new()), Some("nonsense".into())] {
        stranger
            .post("/api/v1/setup", &body(&token, "Ana"))
            .await
            .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "token");
    }
    stranger
        .post("/api/v1/setup", &body(&server.setup_token, "Ana"))
        .await
        .expect_status(StatusCode::CREATED);
}

#[tokio::test]
async fn a_token_that_could_not_be_used_stays_valid() {
    let server = TestServer::start().await;
    let (person, stranger) = (server.person().await, server.stranger());
    person.register("Ana", PASSWORD).await;
    let token = server.setup_token.clone();
    stranger
        .post("/api/v1/setup", &body(&token, "Ana"))
        .await
        .expect_field_error(StatusCode::CONFLICT, "name-taken", "name");
    person
        .post("/api/v1/setup", &body(&token, "Bo"))
        .await
        .expect_problem(StatusCode::CONFLICT, "already-registered");
    stranger
        .post("/api/v1/setup", &body(&token, "Bo"))
        .await
        .expect_status(StatusCode::CREATED);
}

/// `predilect admin create NAME` on the server's folder, while it runs.
fn create(server: &TestServer, name: &str, input: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_predilect"))
        .args(["admin", "create", name, "--data-dir"])
        .arg(server.folder.path().join("data"))
        .env_remove("DATABASE_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = program.stdin.take().unwrap();
    // A name that is refused is refused before anything is read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    program.wait_with_output().unwrap()
}

#[tokio::test]
async fn the_command_makes_an_admin_while_the_server_runs() {
    let server = TestServer::start().await;
    let created = create(&server, "Ana", &format!("{PASSWORD}\n"));
    assert!(created.status.success(), "{created:?}");
    let admin = server.stranger();
    let account = admin
        .log_in("Ana", PASSWORD)
        .await
        .expect_status(StatusCode::OK)
        .json();
    assert_eq!(account["role"], "admin");
    // The token of the start is void from then on.
    server
        .stranger()
        .post("/api/v1/setup", &body(&server.setup_token, "Bo"))
        .await
        .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "token");
}

#[tokio::test]
async fn the_command_says_what_is_not_allowed() {
    let server = TestServer::start().await;
    assert!(create(&server, "Ana", PASSWORD).status.success());
    let refusals = [
        ("ana", PASSWORD, "choose another name"),
        (
            "Bo",
            "short\n",
            "the password must have 8 to 200 characters",
        ),
        (" ", PASSWORD, "the name must have 1 to 60 characters"),
    ];
    for (name, password, said) in refusals {
        let refused = create(&server, name, password);
        assert!(!refused.status.success());
        let words = String::from_utf8(refused.stderr).unwrap();
        assert!(words.contains(said), "{words}");
    }
}
