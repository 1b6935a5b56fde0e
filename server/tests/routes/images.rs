use reqwest::StatusCode;
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn a_picture_is_shown_to_its_owner_only() {
    let server = TestServer::start().await;
    let (owner, other) = (server.person().await, server.person().await);
    let done = owner
        .drawn(&json!({"prompt": "a red dog", "seed": 3, "steps": 1}))
        .await;
    let url = &done.images[0].url;
    let png = owner.get(url).await.expect_status(StatusCode::OK);
    assert_eq!(png.header("content-type"), "image/png");
    assert_eq!(
        png.header("content-disposition"),
        "inline; filename=\"predilect-a-red-dog-3.png\""
    );
    assert!(png.header("cache-control").starts_with("private"));
    let picture = image::load_from_memory(&png.body).unwrap();
    assert_eq!((picture.width(), picture.height()), (128, 128));
    other
        .get(url)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    server
        .stranger()
        .get(url)
        .await
        .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
}

#[tokio::test]
async fn a_picture_comes_as_webp_when_asked_for() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let done = person.drawn(&json!({"prompt": "a dog", "steps": 1})).await;
    let url = &done.images[0].url;
    let webp = person
        .get(&format!("{url}?format=webp"))
        .await
        .expect_status(StatusCode::OK);
    assert_eq!(webp.header("content-type"), "image/webp");
    assert!(webp.body.starts_with(b"RIFF"));
    let message = person
        .get(&format!("{url}?format=bmp"))
        .await
        .expect_field_error(StatusCode::BAD_REQUEST, "malformed-address", "format");
    assert_eq!(message, "must be one of `png`, `webp`, `thumbnail`");
}

#[tokio::test]
async fn an_unknown_picture_is_not_found() {
    let server = TestServer::start().await;
    let person = server.person().await;
    for id in [
        "none",
        "..%2F..%2Fpredilect.db",
        "00000000-0000-4000-8000-000000000000",
    ] {
        person
            .get(&format!("/api/v1/images/{id}"))
            .await
            .expect_problem(StatusCode::NOT_FOUND, "not-found");
    }
}
