use reqwest::StatusCode;

use crate::support::TestServer;

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
