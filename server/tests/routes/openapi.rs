use reqwest::StatusCode;

use crate::support::TestServer;

#[tokio::test]
async fn the_document_is_served_as_the_code_has_it() {
    let server = TestServer::start().await;
    let served = server
        .stranger()
        .get("/api/v1/openapi.json")
        .await
        .expect_status(StatusCode::OK);
    assert_eq!(
        served.json(),
        serde_json::to_value(predilect_server::http::openapi()).unwrap()
    );
}

#[test]
fn the_document_changes_only_on_purpose() {
    insta::assert_json_snapshot!("openapi", predilect_server::http::openapi());
}
