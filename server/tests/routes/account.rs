use std::io::{Cursor, Read};
use std::time::{Duration, Instant};

use predilect_api::{Choice, Generation, GenerationState, ProfileList};
use reqwest::StatusCode;
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::support::{Answer, Person, TestServer};

const PASSWORD: &str = "correct horse";

async fn account(person: &Person) -> Value {
    person
        .get("/api/v1/account")
        .await
        .expect_status(StatusCode::OK)
        .json()
}

async fn profile_names(person: &Person) -> Vec<String> {
    let list: ProfileList = person.get("/api/v1/profiles").await.read();
    list.profiles
        .into_iter()
        .filter_map(|profile| profile.name)
        .collect()
}

#[tokio::test]
async fn registering_keeps_everything_and_gives_another_cookie() {
    let server = TestServer::start().await;
    let person = server.person().await;
    assert_eq!(account(&person).await["name"], Value::Null);
    let profile = person.profile("Calm").await;
    person.choose(Choice::Left).await;
    let old_browser = person.copied();
    let answer = person
        .post(
            "/api/v1/account",
            &json!({"name": " Ana ", "password": PASSWORD}),
        )
        .await
        .expect_status(StatusCode::CREATED);
    assert!(answer.header("set-cookie").contains("HttpOnly"));
    let made = answer.json();
    assert_eq!(
        (&made["name"], &made["role"]),
        (&json!("Ana"), &json!("person"))
    );
    assert!(made["registered_at"].is_string());
    assert_eq!(account(&person).await, made);
    assert_eq!(profile_names(&person).await, ["Calm"]);
    person.ready_profile(&profile.id.0).await;
    let session = person.post("/api/v1/session", &json!({})).await.json();
    assert_eq!(session["counted"], 1);
    old_browser
        .get("/api/v1/account")
        .await
        .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
}

#[tokio::test]
async fn every_field_of_an_account_that_is_not_allowed_is_named() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let problem = person
        .post(
            "/api/v1/account",
            &json!({"name": " ", "password": "short"}),
        )
        .await
        .expect_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request");
    assert_eq!(problem["errors"][0]["field"], "name");
    assert_eq!(problem["errors"][1]["field"], "password");
    server
        .stranger()
        .post(
            "/api/v1/account",
            &json!({"name": "Ana", "password": PASSWORD}),
        )
        .await
        .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
}

#[tokio::test]
async fn a_name_is_taken_once_however_it_is_written() {
    let server = TestServer::start().await;
    let (ana, other) = (server.person().await, server.person().await);
    ana.register("Ana", PASSWORD).await;
    for name in ["Ana", "ana", " ＡＮＡ "] {
        let body = json!({"name": name, "password": PASSWORD});
        other
            .post("/api/v1/account", &body)
            .await
            .expect_field_error(StatusCode::CONFLICT, "name-taken", "name");
    }
    assert_eq!(account(&other).await["name"], Value::Null);
    let again = json!({"name": "Anna", "password": PASSWORD});
    ana.post("/api/v1/account", &again)
        .await
        .expect_problem(StatusCode::CONFLICT, "already-registered");
}

#[tokio::test]
async fn logging_in_elsewhere_finds_everything_again() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.profile("Calm").await;
    person.register("Ana", PASSWORD).await;
    let server = server.restart().await;
    let elsewhere = server.stranger();
    let answer = elsewhere
        .log_in("ANA", PASSWORD)
        .await
        .expect_status(StatusCode::OK);
    let cookie = answer.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie} lacks {attribute}");
    }
    assert_eq!(answer.json(), account(&person.at(&server)).await);
    assert_eq!(profile_names(&elsewhere).await, ["Calm"]);
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_are_answered_alike() {
    let server = TestServer::start().await;
    server.person().await.register("Ana", PASSWORD).await;
    let stranger = server.stranger();
    let refused = async |name| {
        stranger
            .log_in(name, "wrong horse")
            .await
            .expect_problem(StatusCode::UNAUTHORIZED, "wrong-credentials")
    };
    assert_eq!(refused("Ana").await, refused("Nobody").await);
    stranger.log_in("", PASSWORD).await.expect_field_error(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-request",
        "name",
    );
}

#[tokio::test]
async fn the_time_taken_does_not_tell_whether_a_name_exists() {
    let server = TestServer::start_with(|config| {
        config.limits.login_failures_per_name = 100;
        config.limits.login_failures_per_address = 100;
    })
    .await;
    server.person().await.register("Ana", PASSWORD).await;
    let stranger = server.stranger();
    let taken = async |name| {
        let started = Instant::now();
        stranger.log_in(name, "wrong horse").await;
        started.elapsed()
    };
    // The shortest of several is what the server needs when nothing else disturbs it; on a busy
    // machine it takes some more of them.
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for _ in 0..20 {
        known = known.min(taken("Ana").await);
        unknown = unknown.min(taken("Nobody").await);
        if unknown > known / 4 && known > unknown / 4 {
            return;
        }
    }
    panic!("{known:?} for a known name, {unknown:?} for an unknown one");
}

#[tokio::test]
async fn too_many_wrong_passwords_close_a_name_for_a_while() {
    let server = TestServer::start_with(|config| config.limits.login_failures_per_name = 2).await;
    server.person().await.register("Ana", PASSWORD).await;
    let stranger = server.stranger();
    for name in ["Ana", "ana"] {
        stranger
            .log_in(name, "wrong horse")
            .await
            .expect_status(StatusCode::UNAUTHORIZED);
    }
    let refused = stranger.log_in("Ana", PASSWORD).await;
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=901).contains(&seconds), "{seconds}");
    refused.expect_problem(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts");
    stranger
        .log_in("Bo", PASSWORD)
        .await
        .expect_status(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn too_many_wrong_passwords_close_an_address_for_a_while() {
    let server = TestServer::start_with(|config| {
        config.limits.login_failures_per_address = 2;
        config.http.trust_forwarded_for = true;
    })
    .await;
    server.person().await.register("Ana", PASSWORD).await;
    let from = async |address, name, password| -> Answer {
        let stranger = server.stranger();
        let request = stranger
            .request(reqwest::Method::POST, "/api/v1/session/login")
            .header("x-forwarded-for", format!("203.0.113.1, {address}"))
            .json(&json!({"name": name, "password": password}));
        stranger.send(request).await
    };
    for name in ["Bo", "Cy"] {
        from("192.0.2.1", name, "wrong horse")
            .await
            .expect_status(StatusCode::UNAUTHORIZED);
    }
    from("192.0.2.1", "Ana", PASSWORD)
        .await
        .expect_problem(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts");
    from("192.0.2.2", "Ana", PASSWORD)
        .await
        .expect_status(StatusCode::OK);
}

#[tokio::test]
async fn logging_in_brings_along_what_was_made_before() {
    let server = TestServer::start().await;
    let (here, there) = (server.person().await, server.person().await);
    here.profile("Here").await;
    here.register("Ana", PASSWORD).await;
    here.choose(Choice::Left).await;
    // There, all pairs are judged once more, one profile is named, and one waits for its name.
    there.profile("There").await;
    let drawn = there.drawn(&json!({"prompt": "a dog", "steps": 1})).await;
    let unnamed = there.choose_four().await;
    there
        .log_in("Ana", PASSWORD)
        .await
        .expect_status(StatusCode::OK);
    let mut names = profile_names(&here).await;
    names.sort();
    assert_eq!(names, ["Here", "There", "Unnamed profile"]);
    here.ready_profile(&unnamed).await;
    here.get(&drawn.images[0].url)
        .await
        .expect_status(StatusCode::OK);
    // The set that was open at the account goes on, and undoing reaches into it alone.
    assert_eq!(here.choose(Choice::Right).await["counted"], 2);
    let undone = there.delete("/api/v1/choices/last").await;
    assert_eq!(undone.expect_status(StatusCode::OK).json()["counted"], 1);
    for _ in 0..crate::support::PAIRS {
        there.choose(Choice::Tie).await;
    }
}

#[tokio::test]
async fn logging_out_ends_this_session_alone() {
    let server = TestServer::start().await;
    let (first, second) = (server.person().await, server.stranger());
    first.register("Ana", PASSWORD).await;
    second.log_in("Ana", PASSWORD).await;
    let kept_cookie = first.copied();
    let answer = first
        .delete("/api/v1/session")
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    for gone in [&first, &kept_cookie] {
        gone.get("/api/v1/account")
            .await
            .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
    }
    assert_eq!(account(&second).await["name"], "Ana");
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_session() {
    let server = TestServer::start().await;
    let (first, second) = (server.person().await, server.stranger());
    first.register("Ana", PASSWORD).await;
    second.log_in("Ana", PASSWORD).await;
    second
        .delete("/api/v1/sessions")
        .await
        .expect_status(StatusCode::NO_CONTENT);
    for gone in [&first, &second] {
        gone.get("/api/v1/account")
            .await
            .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
    }
}

#[tokio::test]
async fn an_anonymous_session_is_not_logged_out_of() {
    let server = TestServer::start().await;
    let person = server.person().await;
    for path in ["/api/v1/session", "/api/v1/sessions"] {
        person
            .delete(path)
            .await
            .expect_problem(StatusCode::CONFLICT, "not-registered");
    }
    assert_eq!(account(&person).await["name"], Value::Null);
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let server = TestServer::start().await;
    let (here, there) = (server.person().await, server.stranger());
    here.register("Ana", PASSWORD).await;
    there.log_in("Ana", PASSWORD).await;
    let change =
        |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let path = "/api/v1/account/password";
    here.put(path, &change("wrong horse", "battery staple"))
        .await
        .expect_field_error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "current_password",
        );
    here.put(path, &change(PASSWORD, "short"))
        .await
        .expect_field_error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "new_password",
        );
    here.put(path, &change(PASSWORD, "battery staple"))
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert_eq!(account(&here).await["name"], "Ana");
    there
        .get("/api/v1/account")
        .await
        .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
    there
        .log_in("Ana", PASSWORD)
        .await
        .expect_status(StatusCode::UNAUTHORIZED);
    there
        .log_in("Ana", "battery staple")
        .await
        .expect_status(StatusCode::OK);
    server
        .person()
        .await
        .put(path, &change(PASSWORD, "battery staple"))
        .await
        .expect_problem(StatusCode::CONFLICT, "not-registered");
}

#[tokio::test]
async fn all_of_a_persons_data_is_in_one_archive() {
    let server = TestServer::start().await;
    let (person, other) = (server.person().await, server.person().await);
    let profile = person.profile("Calm").await;
    let drawn = person
        .drawn(&json!({"prompt": "a dog", "steps": 1, "count": 2}))
        .await;
    other.drawn(&json!({"prompt": "a cat", "steps": 1})).await;
    person.register("Ana", PASSWORD).await;
    let answer = person
        .get("/api/v1/account/data")
        .await
        .expect_status(StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/zip");
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment")
    );
    let mut archive = ZipArchive::new(Cursor::new(&answer.body)).unwrap();
    assert_eq!(archive.len(), 3);
    let mut read = |name: &str| {
        let mut bytes = vec![];
        archive
            .by_name(name)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    };
    let data: Value = serde_json::from_slice(&read("data.json")).unwrap();
    assert_eq!(data["version"], 1);
    assert_eq!(data["account"]["name"], "Ana");
    assert_eq!(data["choices"].as_array().unwrap().len(), 4);
    assert_eq!(data["choices"][0]["choice"], "left");
    assert_eq!(data["choices"][0]["profile_id"], json!(profile.id));
    assert_eq!(data["profiles"][0]["name"], "Calm");
    assert!(data["profiles"][0]["embeddings"][0]["bytes"].is_string());
    let generations: Vec<Generation> = serde_json::from_value(data["generations"].clone()).unwrap();
    assert_eq!(generations, std::slice::from_ref(&drawn));
    for image in &drawn.images {
        let png = read(&format!("pictures/{}.png", image.id));
        assert_eq!(png, person.get(&image.url).await.body);
    }
}

#[tokio::test]
async fn data_with_a_picture_that_can_not_be_read_breaks_off() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let drawn = person.drawn(&json!({"prompt": "a dog", "steps": 1})).await;
    let id = &drawn.images[0].id.0;
    let file = format!("data/images/{}/{id}.png", &id[..2]);
    std::fs::remove_file(server.folder.path().join(file)).unwrap();
    let request = person.request(reqwest::Method::GET, "/api/v1/account/data");
    let read = async { request.send().await?.bytes().await };
    assert!(read.await.is_err());
}

#[tokio::test]
async fn deleting_everything_needs_the_password_and_leaves_nothing() {
    let server = TestServer::start().await;
    let (person, elsewhere) = (server.person().await, server.stranger());
    person.profile("Calm").await;
    let drawn = person.drawn(&json!({"prompt": "a dog", "steps": 1})).await;
    person.register("Ana", PASSWORD).await;
    elsewhere.log_in("Ana", PASSWORD).await;
    let path = "/api/v1/account/deletion";
    for body in [
        json!({}),
        json!({"confirm": true}),
        json!({"password": "wrong horse"}),
    ] {
        person.post(path, &body).await.expect_field_error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "password",
        );
    }
    let id = &drawn.images[0].id.0;
    let file = server
        .folder
        .path()
        .join(format!("data/images/{}/{id}.png", &id[..2]));
    assert!(file.exists());
    let answer = person
        .post(path, &json!({"password": PASSWORD}))
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert!(!file.exists());
    elsewhere
        .get("/api/v1/account")
        .await
        .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
    elsewhere
        .log_in("Ana", PASSWORD)
        .await
        .expect_problem(StatusCode::UNAUTHORIZED, "wrong-credentials");
    // The name is free again, and whoever takes it finds nothing.
    let next = server.person().await;
    next.register("Ana", PASSWORD).await;
    assert!(profile_names(&next).await.is_empty());
}

#[tokio::test]
async fn an_anonymous_person_deletes_everything_by_confirming_it() {
    let server = TestServer::start().await;
    let (person, other) = (server.person().await, server.person().await);
    let steps = person.get("/api/v1/model").await.json()["steps"]["max"]
        .as_f64()
        .unwrap() as u32;
    let long = person
        .generate(&json!({"prompt": "a dog", "steps": steps, "count": 2}))
        .await;
    person.begins(&long.id.0).await;
    let path = "/api/v1/account/deletion";
    for body in [json!({}), json!({"confirm": false})] {
        person.post(path, &body).await.expect_field_error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "confirm",
        );
    }
    person
        .post(path, &json!({"confirm": true}))
        .await
        .expect_status(StatusCode::NO_CONTENT);
    person
        .get("/api/v1/profiles")
        .await
        .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
    // What was being drawn is given up, and the queue goes on.
    let next = other.drawn(&json!({"prompt": "a cat", "steps": 1})).await;
    assert_eq!(next.state, GenerationState::Done);
}
