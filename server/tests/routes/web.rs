use reqwest::{Method, StatusCode};

use crate::support::TestServer;

#[tokio::test]
async fn any_address_of_the_page_gives_the_page() {
    let server = TestServer::start().await;
    for path in ["/", "/create", "/profiles/some-id"] {
        let page = server
            .stranger()
            .get(path)
            .await
            .expect_status(StatusCode::OK);
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{path}"
        );
        assert_eq!(page.header("cache-control"), "no-cache");
        assert!(
            String::from_utf8(page.body)
                .unwrap()
                .contains("<title>Predilect</title>")
        );
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_sent_compressed() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let path = "/assets/app-0123456789abcdef.js";
    let plain = stranger.get(path).await.expect_status(StatusCode::OK);
    assert_eq!(plain.body, b"export default 1;");
    assert!(plain.header("cache-control").contains("immutable"));
    let request = stranger
        .request(Method::GET, path)
        .header("accept-encoding", "br");
    let packed = stranger.send(request).await;
    assert_eq!(packed.header("content-encoding"), "br");
    assert_eq!(packed.body, b"brotli");
    let missing = stranger
        .get("/assets/gone.js")
        .await
        .expect_status(StatusCode::NOT_FOUND);
    assert_eq!(missing.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = TestServer::start().await;
    for path in ["/", "/api/v1/model", "/api/v1/nothing", "/assets/gone.js"] {
        let answer = server.stranger().get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("'wasm-unsafe-eval'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe-inline"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
    let answer = server.stranger().get("/api/v1/model").await;
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_page_that_is_not_built_says_how_to_build_it() {
    let empty = tempfile::tempdir().unwrap();
    let web_dir = empty.path().join("none");
    let server = TestServer::start_with(|config| config.http.web_dir = Some(web_dir)).await;
    let page = server
        .stranger()
        .get("/")
        .await
        .expect_status(StatusCode::NOT_FOUND);
    assert!(
        String::from_utf8(page.body)
            .unwrap()
            .contains("cargo xtask run")
    );
}
