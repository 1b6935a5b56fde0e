use predilect_api::{Choice, UserList};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    documented::{operations, with_ids},
    support::TestServer,
};

/// Every operation under /api/v1/admin, from the document, with made-up ids in its path.
fn admin_operations() -> Vec<(Method, String)> {
    let id = "00000000-0000-4000-8000-000000000000";
    operations()
        .into_iter()
        .filter(|(_, template)| template.starts_with("/api/v1/admin"))
        .map(|(method, template)| (method, with_ids(template, id)))
        .collect()
}

#[tokio::test]
async fn a_page_of_people_before_nobody_is_a_problem() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin
        .get("/api/v1/admin/users?before=none")
        .await
        .expect_field_error(StatusCode::NOT_FOUND, "unknown-reference", "before");
}

#[tokio::test]
async fn every_admin_route_refuses_everybody_else() {
    let server = TestServer::start().await;
    let (anonymous, registered) = (server.person().await, server.person().await);
    registered.register("Ana", "correct horse").await;
    let created = registered
        .post("/api/v1/account/tokens", &json!({"name": "Script"}))
        .await
        .json();
    let script = registered.with_api_token(created["token"].as_str().unwrap());
    let admin = server.admin().await;
    let operations = admin_operations();
    assert!(!operations.is_empty());
    for (method, path) in operations {
        // Whatever the body: who is asking comes first.
        let body = json!({});
        let stranger = server.stranger();
        let request = stranger.request(method.clone(), &path).json(&body);
        stranger
            .send(request)
            .await
            .expect_problem(StatusCode::UNAUTHORIZED, "no-session");
        for person in [&anonymous, &registered, &script] {
            let request = person.request(method.clone(), &path).json(&body);
            person
                .send(request)
                .await
                .expect_problem(StatusCode::FORBIDDEN, "admins-only");
        }
        let request = admin.request(method.clone(), &path).json(&body);
        let status = admin.send(request).await.status;
        assert!(
            status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN,
            "{method} {path} answers an admin {status}"
        );
    }
}

#[tokio::test]
async fn an_admin_sees_who_is_there_and_how_much_but_not_what() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let person = server.person().await;
    person.choose(Choice::Left).await;
    person
        .drawn(&json!({"prompt": "a secret dog", "steps": 1}))
        .await;
    let answer = admin
        .get("/api/v1/admin/users")
        .await
        .expect_status(StatusCode::OK);
    assert!(!answer.json().to_string().contains("secret"));
    let list: UserList = answer.read();
    assert_eq!(list.next, None);
    let counts: Vec<_> = list
        .users
        .iter()
        .map(|user| (user.name.as_deref(), user.choices, user.generations))
        .collect();
    assert_eq!(counts, [(None, 1, 1), (Some("Admin"), 0, 0)]);
}

#[tokio::test]
async fn the_people_are_listed_page_by_page() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for _ in 0..4 {
        server.person().await;
    }
    let mut seen = vec![];
    let mut path = "/api/v1/admin/users?limit=2".to_owned();
    loop {
        let page: UserList = admin.get(&path).await.expect_status(StatusCode::OK).read();
        assert!(page.users.len() <= 2);
        seen.extend(page.users.into_iter().map(|user| user.id));
        match page.next {
            Some(next) => path = format!("/api/v1/admin/users?limit=2&before={next}"),
            None => break,
        }
    }
    let all: UserList = admin.get("/api/v1/admin/users").await.read();
    let ids: Vec<_> = all.users.into_iter().map(|user| user.id).collect();
    assert_eq!((seen.len(), seen), (5, ids));
    admin
        .get("/api/v1/admin/users?limit=0")
        .await
        .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "limit");
}
