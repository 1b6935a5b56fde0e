use std::time::Duration;

use reqwest::StatusCode;

use crate::support::{TestServer, model_folder, start_engine};

#[tokio::test]
async fn a_server_that_runs_is_healthy_and_ready() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/readyz"] {
        server
            .stranger()
            .get(path)
            .await
            .expect_status(StatusCode::OK);
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_raw_path() {
    let server = TestServer::start().await;
    let person = server.person().await;
    person.get("/api/v1/profiles/made-up-id").await;
    let text = String::from_utf8(person.get("/metrics").await.body).unwrap();
    assert!(text.contains("predilect_requests_total"), "{text}");
    assert!(text.contains("route=\"/api/v1/profiles/{id}\""), "{text}");
    assert!(!text.contains("made-up-id"), "{text}");
}

#[tokio::test]
async fn a_server_whose_model_has_died_is_healthy_and_not_ready() {
    let engine = start_engine(&model_folder());
    let server = TestServer::start_with_engine(engine.clone()).await;
    let stranger = server.stranger();
    stranger.get("/readyz").await.expect_status(StatusCode::OK);
    engine
        .embed(
            vec![],
            Box::new(|_| panic!("this ends the engine's thread")),
        )
        .unwrap();
    let ended = async {
        while engine.is_running() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended)
        .await
        .unwrap();
    let answer = stranger
        .get("/readyz")
        .await
        .expect_status(StatusCode::SERVICE_UNAVAILABLE);
    let said = String::from_utf8(answer.body).unwrap();
    assert!(said.contains("model"), "{said}");
    stranger.get("/healthz").await.expect_status(StatusCode::OK);
}
