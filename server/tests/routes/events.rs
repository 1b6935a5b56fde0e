use futures_util::StreamExt;
use predilect_api::GenerationState;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn a_stream_goes_from_queued_over_steps_and_images_to_done() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let generation = person
        .generate(&json!({"prompt": "a dog", "count": 2, "steps": 3}))
        .await;
    let events = person.events(&generation.id.0, None).await;
    assert_eq!(events[0].name, "queued");
    assert!(events[0].data["position"].is_u64());
    assert_eq!(events.last().unwrap().name, "done");
    assert!(
        events.windows(2).all(|pair| pair[0].id < pair[1].id),
        "numbers rise"
    );
    for event in &events {
        assert_eq!(event.data["type"], event.name);
    }
    for image in 0..2 {
        let at = |name: &str, found: &dyn Fn(&serde_json::Value) -> bool| {
            events
                .iter()
                .rposition(|event| event.name == name && found(&event.data))
                .unwrap()
        };
        let finished = at("image", &|data| data["image"]["index"] == image);
        assert_eq!(events[finished].data["image"]["width"], 128);
        // The stream may be joined late, when a finished picture's previews are gone.
        if let Some(step) = events
            .iter()
            .find(|event| event.name == "step" && event.data["image"] == image)
        {
            assert!(
                step.data["steps"].as_u64() >= Some(3),
                "the decoder's steps count as well"
            );
            assert!(step.data["eta_ms"].is_u64());
            let preview = step.data["preview"].as_str().unwrap();
            assert!(preview.starts_with("data:image/png;base64,"));
        }
    }
}

#[tokio::test]
async fn a_replay_starts_after_the_last_event_seen() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let done = person
        .drawn(&json!({"prompt": "a dog", "count": 2, "steps": 1}))
        .await;
    let all = person.events(&done.id.0, None).await;
    let names: Vec<_> = all.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(
        names,
        ["image", "image", "done"],
        "of what is over, only what stays is told"
    );
    let rest = person.events(&done.id.0, Some(all[0].id)).await;
    let ids: Vec<_> = rest.iter().map(|event| event.id).collect();
    assert_eq!(ids, [all[1].id, all[2].id]);
    let path = format!("/api/v1/generations/{}/events", done.id);
    let request = person
        .request(Method::GET, &path)
        .header("Last-Event-ID", all[2].id);
    person
        .send(request)
        .await
        .expect_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_dropped_stream_cancels_nothing() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let generation = person
        .generate(&json!({"prompt": "a dog", "steps": 4}))
        .await;
    let path = format!("/api/v1/generations/{}/events", generation.id);
    let response = person.request(Method::GET, &path).send().await.unwrap();
    let mut stream = response.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    person.events(&generation.id.0, None).await;
    assert_eq!(
        person.generation(&generation.id.0).await.state,
        GenerationState::Done
    );
}

#[tokio::test]
async fn two_followers_hear_the_same_end() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let generation = person
        .generate(&json!({"prompt": "a dog", "steps": 3}))
        .await;
    let id = &generation.id.0;
    let (one, two) = tokio::join!(person.events(id, None), person.events(id, None));
    assert_eq!(one.last().unwrap().id, two.last().unwrap().id);
}

#[tokio::test]
async fn what_waits_hears_its_position() {
    let server = TestServer::start_with(|config| config.limits.concurrency = 1).await;
    let person = server.person().await;
    let steps = person.get("/api/v1/model").await.json()["steps"]["max"]
        .as_f64()
        .unwrap() as u32;
    let running = person
        .generate(&json!({"prompt": "a", "count": 8, "steps": steps}))
        .await;
    person.begins(&running.id.0).await;
    let next = person.generate(&json!({"prompt": "b", "steps": 1})).await;
    let last = person.generate(&json!({"prompt": "c", "steps": 1})).await;
    assert_eq!((next.position, last.position), (Some(0), Some(1)));
    let path = format!("/api/v1/generations/{}", running.id);
    person.delete(&path).await.expect_status(StatusCode::OK);
    for waiting in [next, last] {
        let events = person.events(&waiting.id.0, None).await;
        assert_eq!(events.last().unwrap().name, "done");
    }
}

#[tokio::test]
async fn a_clean_stop_puts_what_is_drawn_back_into_the_queue() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let generation = person
        .generate(&json!({"prompt": "a dog", "count": 2, "steps": 6}))
        .await;
    let server = server.restart().await;
    let person = person.at(&server);
    person.events(&generation.id.0, None).await;
    let done = person.generation(&generation.id.0).await;
    assert_eq!(done.state, GenerationState::Done);
    assert_eq!(done.images.len(), 2);
}
