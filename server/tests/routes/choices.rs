use predilect_api::Choice;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Person, TestServer};

async fn post(person: &Person, pair: &str, choice: &str) -> crate::support::Answer {
    person
        .post(
            "/api/v1/choices",
            &json!({"pair_id": pair, "choice": choice}),
        )
        .await
}

#[tokio::test]
async fn only_left_and_right_count() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let counted = async |choice| person.choose(choice).await["counted"].as_u64().unwrap();
    assert_eq!(counted(Choice::Left).await, 1);
    assert_eq!(counted(Choice::Tie).await, 1);
    assert_eq!(counted(Choice::Skip).await, 1);
    assert_eq!(counted(Choice::Right).await, 2);
    let pair = person.next_pair().await;
    assert_eq!((pair.position, pair.needed), (3, 4));
}

#[tokio::test]
async fn the_fourth_counted_choice_answers_with_a_profile() {
    let server = TestServer::start().await;
    let person = server.person().await;
    for _ in 0..3 {
        assert_eq!(person.choose(Choice::Left).await["profile_id"], Value::Null);
    }
    let last = person.choose(Choice::Left).await;
    assert_eq!(last["counted"], 4);
    let profile = person
        .ready_profile(last["profile_id"].as_str().unwrap())
        .await;
    assert_eq!(profile.name, None);
    assert_eq!(profile.choices, 4);
    assert!(profile.description.is_some());
}

#[tokio::test]
async fn a_pair_is_chosen_once() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let pair = person.next_pair().await;
    post(&person, &pair.id.0, "left")
        .await
        .expect_status(StatusCode::OK);
    post(&person, &pair.id.0, "right").await.expect_field_error(
        StatusCode::CONFLICT,
        "already-chosen",
        "pair_id",
    );
    assert_eq!(
        person.choose(Choice::Left).await["counted"],
        2,
        "the second one left no trace"
    );
}

#[tokio::test]
async fn an_unknown_pair_is_refused_by_name() {
    let server = TestServer::start().await;
    let person = server.person().await;
    post(&person, "none", "left").await.expect_field_error(
        StatusCode::NOT_FOUND,
        "unknown-reference",
        "pair_id",
    );
}

#[tokio::test]
async fn a_choice_is_left_right_tie_or_skip() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let pair = person.next_pair().await;
    let message = post(&person, &pair.id.0, "both").await.expect_field_error(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-request",
        "choice",
    );
    assert!(
        message.contains("`left`, `right`, `tie`, `skip`"),
        "{message}"
    );
}

#[tokio::test]
async fn a_finished_profile_is_named_before_the_next_set() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let pair = person.next_pair().await;
    person.choose_four().await;
    person
        .get("/api/v1/pairs/next")
        .await
        .expect_problem(StatusCode::CONFLICT, "profile-unnamed");
    post(&person, &pair.id.0, "left")
        .await
        .expect_problem(StatusCode::CONFLICT, "profile-unnamed");
    person
        .post("/api/v1/profiles", &json!({"name": "First"}))
        .await
        .expect_status(StatusCode::CREATED);
    assert_eq!(person.choose(Choice::Left).await["counted"], 1);
}

#[tokio::test]
async fn undo_takes_back_one_choice_after_another() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let first = person.next_pair().await;
    person.choose(Choice::Left).await;
    let second = person.next_pair().await;
    person.choose(Choice::Skip).await;
    let undone = person
        .delete("/api/v1/choices/last")
        .await
        .expect_status(StatusCode::OK)
        .json();
    assert_eq!(undone["counted"], 1);
    assert_eq!(person.next_pair().await.id, second.id);
    let undone = person.delete("/api/v1/choices/last").await.json();
    assert_eq!(undone["counted"], 0);
    assert_eq!(person.next_pair().await.id, first.id);
    person
        .delete("/api/v1/choices/last")
        .await
        .expect_problem(StatusCode::CONFLICT, "nothing-to-undo");
}

#[tokio::test]
async fn what_can_be_taken_back_is_told_ties_and_skips_included() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let told = async || -> Value {
        let session = person.post("/api/v1/session", &json!({})).await.json();
        session["undoable"].clone()
    };
    assert_eq!(told().await, 0);
    for (choice, undoable) in [(Choice::Tie, 1), (Choice::Skip, 2), (Choice::Left, 3)] {
        assert_eq!(person.choose(choice).await["undoable"], undoable);
        assert_eq!(told().await, undoable);
    }
    for undoable in [2, 1, 0] {
        let undone = person.delete("/api/v1/choices/last").await.json();
        assert_eq!(undone["undoable"], undoable);
        assert_eq!(told().await, undoable);
    }
    person.choose(Choice::Skip).await;
    person.choose_four().await;
    assert_eq!(
        told().await,
        5,
        "a profile without a name can be taken back"
    );
    person
        .post("/api/v1/profiles", &json!({"name": "Kept"}))
        .await
        .expect_status(StatusCode::CREATED);
    assert_eq!(told().await, 0);
}

#[tokio::test]
async fn undoing_the_fourth_choice_takes_its_profile_back() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let before = person.choose_four().await;
    let undone = person
        .delete("/api/v1/choices/last")
        .await
        .expect_status(StatusCode::OK)
        .json();
    assert_eq!(undone["counted"], 3);
    person
        .get(&format!("/api/v1/profiles/{before}"))
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    let again = person.choose(Choice::Left).await;
    let after = again["profile_id"].as_str().unwrap();
    assert_ne!(after, before);
    assert_eq!(person.ready_profile(after).await.choices, 4);
}

/// The choice that an undo would take back now.
async fn last_choice(person: &Person) -> Value {
    let session = person.post("/api/v1/session", &json!({})).await.json();
    session["last_choice_id"].clone()
}

/// Asks to take back the choice of this name.
async fn undo(person: &Person, choice: &Value) -> crate::support::Answer {
    let id = choice.as_str().unwrap();
    person
        .delete(&format!("/api/v1/choices/last?choice_id={id}"))
        .await
}

#[tokio::test]
async fn an_undo_that_names_its_choice_can_be_sent_again_and_takes_one_back() {
    let server = TestServer::start().await;
    let person = server.person().await;
    assert_eq!(last_choice(&person).await, Value::Null);
    let first = person.choose(Choice::Left).await["last_choice_id"].clone();
    let second = person.choose(Choice::Right).await["last_choice_id"].clone();
    assert_eq!(last_choice(&person).await, second);
    let answer = undo(&person, &second).await.json();
    assert_eq!(
        (&answer["counted"], &answer["undoable"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(answer["last_choice_id"], first);
    for _ in 0..3 {
        let again = undo(&person, &second).await;
        assert_eq!(again.expect_status(StatusCode::OK).json(), answer);
    }
    // The same pair is chosen in once more: that is another choice, out of the old name's reach.
    let third = person.choose(Choice::Right).await["last_choice_id"].clone();
    assert_ne!(third, second);
    let again = undo(&person, &second).await.json();
    assert_eq!(
        (&again["counted"], &again["last_choice_id"]),
        (&json!(2), &third)
    );
    undo(&person, &third).await.expect_status(StatusCode::OK);
    undo(&person, &first).await.expect_status(StatusCode::OK);
    let none = undo(&person, &first)
        .await
        .expect_status(StatusCode::OK)
        .json();
    assert_eq!(
        (&none["undoable"], &none["last_choice_id"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn undos_of_one_choice_at_the_same_time_take_back_that_one() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.choose(Choice::Left).await;
    person.choose(Choice::Left).await;
    let last = last_choice(&person).await;
    let answers = futures_util::future::join_all((0..6).map(|_| undo(&person, &last))).await;
    for answer in answers {
        assert_eq!(answer.expect_status(StatusCode::OK).json()["counted"], 1);
    }
    assert_eq!(person.next_pair().await.position, 2);
}

#[tokio::test]
async fn a_choice_is_taken_back_by_its_person_and_after_those_behind_it() {
    let server = TestServer::start().await;
    let (person, other) = (server.person().await, server.person().await);
    person.choose(Choice::Left).await;
    let first = last_choice(&person).await;
    person.choose(Choice::Skip).await;
    undo(&person, &first).await.expect_field_error(
        StatusCode::CONFLICT,
        "not-last-choice",
        "choice_id",
    );
    other.choose(Choice::Left).await;
    let nothing = undo(&other, &first)
        .await
        .expect_status(StatusCode::OK)
        .json();
    assert_eq!(nothing["undoable"], 1);
    let session = person.post("/api/v1/session", &json!({})).await.json();
    assert_eq!(session["undoable"], 2, "nobody else reaches them");
}

#[tokio::test]
async fn the_fourth_choice_is_taken_back_once_with_its_profile() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.choose_four().await;
    let fourth = last_choice(&person).await;
    for _ in 0..2 {
        let undone = undo(&person, &fourth)
            .await
            .expect_status(StatusCode::OK)
            .json();
        assert_eq!(
            (&undone["counted"], &undone["profile_id"]),
            (&json!(3), &Value::Null)
        );
    }
    let last = person.choose(Choice::Left).await["last_choice_id"].clone();
    person
        .post("/api/v1/profiles", &json!({"name": "Kept"}))
        .await
        .expect_status(StatusCode::CREATED);
    undo(&person, &last)
        .await
        .expect_problem(StatusCode::CONFLICT, "nothing-to-undo");
}

#[tokio::test]
async fn a_named_profile_is_out_of_reach_of_undo() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.profile("Kept").await;
    person
        .delete("/api/v1/choices/last")
        .await
        .expect_problem(StatusCode::CONFLICT, "nothing-to-undo");
}

#[tokio::test]
async fn choices_at_the_same_time_are_each_counted_once() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let pair = person.next_pair().await;
    let answers =
        futures_util::future::join_all((0..6).map(|_| post(&person, &pair.id.0, "left"))).await;
    let taken = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    assert_eq!(taken, 1);
    assert_eq!(person.next_pair().await.position, 2);
}

#[tokio::test]
async fn choices_outlive_the_server() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.choose(Choice::Left).await;
    let next = person.next_pair().await;
    let server = server.restart().await;
    assert_eq!(person.at(&server).next_pair().await, next);
}
