use predilect_api::{Choice, Profile, ProfileList, ProfileState};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn naming_too_early_says_how_many_choices_are_missing() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.choose(Choice::Left).await;
    let problem = person
        .post("/api/v1/profiles", &json!({"name": "Early"}))
        .await
        .expect_problem(StatusCode::CONFLICT, "choices-missing");
    assert_eq!(problem["missing"], 3);
    assert!(problem["detail"].as_str().unwrap().contains("3 more"));
}

#[tokio::test]
async fn a_named_profile_becomes_ready_with_a_description() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let id = person.choose_four().await;
    let answer = person
        .post("/api/v1/profiles", &json!({"name": "  Calm and flat "}))
        .await
        .expect_status(StatusCode::CREATED);
    assert_eq!(answer.header("location"), format!("/api/v1/profiles/{id}"));
    let named: Profile = answer.read();
    assert_eq!(named.name.as_deref(), Some("Calm and flat"));
    assert_eq!(named.id.0, id);
    let ready = person.ready_profile(&id).await;
    assert!(ready.description.is_some());
    let session = person.post("/api/v1/session", &json!({})).await.json();
    assert_eq!(
        (&session["counted"], &session["pending_profile_id"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn a_name_has_1_to_60_characters() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.choose_four().await;
    for name in ["", "   ", &"x".repeat(61), "a\u{7}b"] {
        person
            .post("/api/v1/profiles", &json!({"name": name}))
            .await
            .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "name");
    }
    let longest = "ü".repeat(60);
    person
        .post("/api/v1/profiles", &json!({"name": longest}))
        .await
        .expect_status(StatusCode::CREATED);
}

#[tokio::test]
async fn profiles_are_listed_renamed_and_deleted() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let first = person.profile("First").await;
    let second = person.profile("Second").await;
    let path = format!("/api/v1/profiles/{}", first.id);
    let renamed: Profile = person
        .patch(&path, &json!({"name": "Renamed"}))
        .await
        .expect_status(StatusCode::OK)
        .read();
    assert_eq!(renamed.name.as_deref(), Some("Renamed"));
    let list: ProfileList = person.get("/api/v1/profiles").await.read();
    assert_eq!(list.profiles, [second.clone(), renamed]);
    person
        .delete(&path)
        .await
        .expect_status(StatusCode::NO_CONTENT);
    person
        .get(&path)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    person
        .delete(&path)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    let list: ProfileList = person.get("/api/v1/profiles").await.read();
    assert_eq!(list.profiles, [second]);
}

#[tokio::test]
async fn deleting_an_unnamed_profile_opens_a_new_set() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let id = person.choose_four().await;
    person
        .delete(&format!("/api/v1/profiles/{id}"))
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert_eq!(person.choose(Choice::Left).await["counted"], 1);
}

#[tokio::test]
async fn another_persons_profile_is_not_there() {
    let server = TestServer::start().await;
    let (owner, other) = (server.person().await, server.person().await);
    let profile = owner.profile("Mine").await;
    let path = format!("/api/v1/profiles/{}", profile.id);
    let not_found = |answer: crate::support::Answer| {
        answer.expect_problem(StatusCode::NOT_FOUND, "not-found");
    };
    not_found(other.get(&path).await);
    not_found(other.patch(&path, &json!({"name": "Yours"})).await);
    not_found(other.delete(&path).await);
    not_found(other.get(&format!("{path}/code")).await);
    let pair = other.next_pair().await;
    let sharpen = json!({"pair_id": pair.id, "choice": "left", "sharpen": profile.id});
    other
        .post("/api/v1/choices", &sharpen)
        .await
        .expect_field_error(StatusCode::NOT_FOUND, "unknown-reference", "sharpen");
    assert_eq!(owner.get(&path).await.read::<Profile>(), profile);
}

#[tokio::test]
async fn four_more_choices_sharpen_a_profile() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let profile = person.profile("Sharper").await;
    for counted in 1..=4 {
        let pair = person.next_pair().await;
        let body = json!({"pair_id": pair.id, "choice": "right", "sharpen": profile.id});
        let answer = person
            .post("/api/v1/choices", &body)
            .await
            .expect_status(StatusCode::OK)
            .json();
        assert_eq!(answer["counted"], counted);
        let done = if counted == 4 {
            json!(profile.id)
        } else {
            Value::Null
        };
        assert_eq!(answer["profile_id"], done);
    }
    let sharper = person.ready_profile(&profile.id.0).await;
    assert_eq!(sharper.choices, 8);
    assert_eq!(sharper.name, profile.name);
    assert_eq!(
        person.next_pair().await.position,
        1,
        "nothing waits for a name"
    );
    let body =
        json!({"prompt": "a dog", "steps": 1, "profiles": [{"id": profile.id, "weight": 1}]});
    assert_eq!(person.drawn(&body).await.images.len(), 1);
}

#[tokio::test]
async fn sharpening_waits_until_the_open_set_is_done() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let profile = person.profile("One").await;
    person.choose(Choice::Left).await;
    let pair = person.next_pair().await;
    let body = json!({"pair_id": pair.id, "choice": "left", "sharpen": profile.id});
    person
        .post("/api/v1/choices", &body)
        .await
        .expect_problem(StatusCode::CONFLICT, "another-set-open");
    person
        .delete("/api/v1/choices/last")
        .await
        .expect_status(StatusCode::OK);
    person
        .post("/api/v1/choices", &body)
        .await
        .expect_status(StatusCode::OK);
}

#[tokio::test]
async fn a_code_carries_a_profile_to_another_person() {
    let server = TestServer::start().await;
    let (giver, taker) = (server.person().await, server.person().await);
    let given = giver.profile("Mine").await;
    let code = giver
        .get(&format!("/api/v1/profiles/{}/code", given.id))
        .await
        .json()["code"]
        .clone();
    let taken: Profile = taker
        .post(
            "/api/v1/profiles/import",
            &json!({"code": code, "name": "From a friend"}),
        )
        .await
        .expect_status(StatusCode::CREATED)
        .read();
    assert_eq!(taken.state, ProfileState::Ready);
    assert_eq!(taken.description, given.description);
    assert_eq!(taken.choices, 4);
    assert_ne!(taken.id, given.id);
    let draw = |id| json!({"prompt": "a dog", "seed": 5, "steps": 2, "profiles": [{"id": id, "weight": 1}]});
    let mine = giver.drawn(&draw(given.id)).await;
    let theirs = taker.drawn(&draw(taken.id)).await;
    let picture =
        |answer: crate::support::Answer| image::load_from_memory(&answer.body).unwrap().into_rgb8();
    assert!(
        picture(giver.get(&mine.images[0].url).await)
            == picture(taker.get(&theirs.images[0].url).await),
        "the same embedding draws the same picture"
    );
}

#[tokio::test]
async fn a_bad_code_is_refused_in_words() {
    let server = TestServer::start().await;
    let person = server.person().await;
    for code in ["", "hello", "predilect1.AAAA"] {
        person
            .post(
                "/api/v1/profiles/import",
                &json!({"code": code, "name": "Friend"}),
            )
            .await
            .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "code");
    }
}
