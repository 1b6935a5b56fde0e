use std::collections::HashSet;

use predilect_api::Choice;
use reqwest::StatusCode;

use crate::support::{PAIRS, TestServer};

#[tokio::test]
async fn the_next_pair_stays_until_it_is_judged() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let first = person.next_pair().await;
    assert_eq!(person.next_pair().await, first);
    assert_eq!((first.position, first.needed), (1, 4));
    person.choose(Choice::Skip).await;
    let second = person.next_pair().await;
    assert_ne!(second.id, first.id);
    assert_eq!(second.position, 1, "a skipped pair does not count");
}

#[tokio::test]
async fn every_pair_is_seen_before_any_comes_again() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let mut seen = HashSet::new();
    for _ in 0..PAIRS {
        seen.insert(person.next_pair().await.id);
        person.choose(Choice::Tie).await;
    }
    assert_eq!(seen.len(), PAIRS);
    assert!(
        seen.contains(&person.next_pair().await.id),
        "then the bank goes round"
    );
}

#[tokio::test]
async fn both_pictures_of_a_pair_are_there() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let pair = person.next_pair().await;
    let left = person.get(&pair.left).await.expect_status(StatusCode::OK);
    let right = person.get(&pair.right).await.expect_status(StatusCode::OK);
    assert_eq!(left.header("content-type"), "image/webp");
    assert!(left.header("cache-control").contains("immutable"));
    assert!(left.body.starts_with(b"RIFF"));
    assert_ne!(left.body, right.body);
    let picture = image::load_from_memory(&left.body).unwrap();
    assert_eq!((picture.width(), picture.height()), (128, 128));
}

#[tokio::test]
async fn an_unknown_pair_has_no_pictures() {
    let server = TestServer::start().await;
    for path in [
        "/api/v1/pairs/none/left",
        "/api/v1/pairs/..%2Fbank.json/right",
    ] {
        server
            .stranger()
            .get(path)
            .await
            .expect_problem(StatusCode::NOT_FOUND, "no-route");
    }
}
