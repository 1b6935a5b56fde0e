use std::io::Cursor;

use predilect_api::{GenerationList, GenerationState, ModelCard};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn a_prompt_becomes_pictures_that_say_how_they_were_drawn() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let profile = person.profile("Calm – flat").await;
    let done = person
        .drawn(&json!({
            "prompt": "  ein Käse 🧀 ", "seed": 4_294_967_295_u32, "count": 2, "steps": 2,
            "guidance": 3.5, "strength": 1.25, "profiles": [{"id": profile.id, "weight": 2}],
        }))
        .await;
    assert_eq!(done.state, GenerationState::Done);
    assert_eq!(done.prompt, "ein Käse 🧀");
    assert_eq!(done.position, None);
    let seeds: Vec<_> = done
        .images
        .iter()
        .map(|image| (image.index, image.seed))
        .collect();
    assert_eq!(seeds, [(0, u32::MAX), (1, 0)], "seeds go round at the end");
    for image in &done.images {
        assert_eq!((image.width, image.height), (128, 128));
        let png = person
            .get(&image.url)
            .await
            .expect_status(StatusCode::OK)
            .body;
        let texts = texts(&png);
        let text = |key: &str| texts.iter().find(|(k, _)| k == key).unwrap().1.as_str();
        assert_eq!(text("prompt"), "ein Käse 🧀");
        assert_eq!(text("seed"), image.seed.to_string());
        assert_eq!(text("steps"), "2");
        assert_eq!(text("guidance"), "3.5");
        assert_eq!(text("strength"), "1.25");
        assert_eq!(text("profile"), "Calm – flat");
        let profiles: Value = serde_json::from_str(text("profiles")).unwrap();
        assert_eq!(profiles[0]["id"], json!(profile.id));
        assert_eq!(text("model_hash").len(), 64);
    }
}

#[tokio::test]
async fn what_is_left_out_takes_the_models_defaults() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let model = person.get("/api/v1/model").await.json();
    let answer = person
        .post("/api/v1/generations", &json!({"prompt": "a dog"}))
        .await
        .expect_status(StatusCode::CREATED);
    let generation = answer.json();
    let id = generation["id"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        format!("/api/v1/generations/{id}")
    );
    assert_eq!(generation["count"], 1);
    assert_eq!(generation["strength"], 1.0);
    assert_eq!(
        generation["steps"].as_f64(),
        model["steps"]["default"].as_f64()
    );
    assert_eq!(generation["guidance"], model["guidance"]["default"]);
    person
        .delete(&format!("/api/v1/generations/{id}"))
        .await
        .expect_status(StatusCode::OK);
}

#[tokio::test]
async fn numbers_and_words_out_of_range_are_refused_by_name() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let model = person.get("/api/v1/model").await.json();
    let too_long = "x".repeat(model["max_prompt_chars"].as_u64().unwrap() as usize + 1);
    let too_many_steps = model["steps"]["max"].as_f64().unwrap() as i64 + 1;
    for (field, body) in [
        ("prompt", json!({"prompt": ""})),
        ("prompt", json!({"prompt": " \n "})),
        ("prompt", json!({"prompt": too_long})),
        ("prompt", json!({"seed": 1})),
        ("prompt", json!({"prompt": 7})),
        ("seed", json!({"prompt": "a", "seed": -1})),
        ("seed", json!({"prompt": "a", "seed": 4_294_967_296_u64})),
        ("seed", json!({"prompt": "a", "seed": 1.5})),
        ("count", json!({"prompt": "a", "count": 0})),
        ("count", json!({"prompt": "a", "count": 9})),
        ("steps", json!({"prompt": "a", "steps": 0})),
        ("steps", json!({"prompt": "a", "steps": too_many_steps})),
        ("steps", json!({"prompt": "a", "steps": "ten"})),
        ("guidance", json!({"prompt": "a", "guidance": -0.1})),
        ("guidance", json!({"prompt": "a", "guidance": 20.1})),
        ("strength", json!({"prompt": "a", "strength": -1})),
        ("strength", json!({"prompt": "a", "strength": 3.5})),
        (
            "profiles[0].weight",
            json!({"prompt": "a", "profiles": [{"id": "p", "weight": -1}]}),
        ),
        (
            "profiles",
            json!({"prompt": "a", "profiles": [{"id": "p", "weight": 0}]}),
        ),
        (
            "profiles[0].weight",
            json!({"prompt": "a", "profiles": [{"id": "p"}]}),
        ),
        ("colour", json!({"prompt": "a", "colour": "red"})),
    ] {
        let message = person
            .post("/api/v1/generations", &body)
            .await
            .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", field);
        assert!(!message.is_empty(), "{body}");
    }
    let list: GenerationList = person.get("/api/v1/generations").await.read();
    assert!(list.generations.is_empty(), "nothing is half written");
}

#[tokio::test]
async fn all_mistakes_are_said_at_once() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let problem = person
        .post(
            "/api/v1/generations",
            &json!({"prompt": "", "count": 9, "strength": 4}),
        )
        .await
        .expect_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request");
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["prompt", "count", "strength"]);
}

#[tokio::test]
async fn only_own_profiles_can_be_drawn_for() {
    let server = TestServer::start().await;
    let (owner, other) = (server.person().await, server.person().await);
    let profile = owner.profile("Mine").await;
    for id in [profile.id.0.as_str(), "no-such-profile"] {
        let body = json!({"prompt": "a", "profiles": [{"id": id, "weight": 1}]});
        other
            .post("/api/v1/generations", &body)
            .await
            .expect_field_error(StatusCode::NOT_FOUND, "unknown-reference", "profiles[0].id");
    }
}

#[tokio::test]
async fn another_persons_generation_is_not_there() {
    let server = TestServer::start().await;
    let (owner, other) = (server.person().await, server.person().await);
    let generation = owner
        .generate(&json!({"prompt": "a dog", "steps": 1}))
        .await;
    let path = format!("/api/v1/generations/{}", generation.id);
    other
        .get(&path)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    other
        .delete(&path)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    let events = other.get(&format!("{path}/events")).await;
    events.expect_problem(StatusCode::NOT_FOUND, "not-found");
    owner.events(&generation.id.0, None).await;
    assert_eq!(
        owner.generation(&generation.id.0).await.state,
        GenerationState::Done
    );
}

#[tokio::test]
async fn a_running_generation_stops_when_it_is_cancelled() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let steps = person.get("/api/v1/model").await.json()["steps"]["max"]
        .as_f64()
        .unwrap() as u32;
    let body = json!({"prompt": "a dog", "count": 8, "steps": steps});
    let generation = person.generate(&body).await;
    person.begins(&generation.id.0).await;
    let path = format!("/api/v1/generations/{}", generation.id);
    let cancelled = person
        .delete(&path)
        .await
        .expect_status(StatusCode::OK)
        .json();
    assert_eq!(cancelled["state"], "cancelled");
    let events = person.events(&generation.id.0, None).await;
    assert_eq!(events.last().unwrap().name, "cancelled");
    let again = person
        .delete(&path)
        .await
        .expect_status(StatusCode::OK)
        .json();
    assert_eq!(again["state"], "cancelled");
    let next = person.drawn(&json!({"prompt": "a cat", "steps": 1})).await;
    assert_eq!(
        next.state,
        GenerationState::Done,
        "the next one gets its turn"
    );
}

#[tokio::test]
async fn a_finished_generation_stays_as_it_is() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let done = person.drawn(&json!({"prompt": "a dog", "steps": 1})).await;
    let answer = person
        .delete(&format!("/api/v1/generations/{}", done.id))
        .await;
    assert_eq!(answer.expect_status(StatusCode::OK).json()["state"], "done");
}

#[tokio::test]
async fn a_person_has_a_bounded_number_of_unfinished_generations() {
    let server = TestServer::start_with(|config| {
        config.limits.queue_per_person = 2;
        config.limits.concurrency = 1;
    })
    .await;
    let (person, other) = (server.person().await, server.person().await);
    let steps = person.get("/api/v1/model").await.json()["steps"]["max"]
        .as_f64()
        .unwrap() as u32;
    let long = json!({"prompt": "a dog", "count": 8, "steps": steps});
    let first = person.generate(&long).await;
    let second = person.generate(&long).await;
    let refused = person.post("/api/v1/generations", &long).await;
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    refused.expect_problem(StatusCode::TOO_MANY_REQUESTS, "queue-full");
    let others = other
        .generate(&json!({"prompt": "a cat", "steps": 1}))
        .await;
    for id in [second.id, first.id] {
        person
            .delete(&format!("/api/v1/generations/{id}"))
            .await
            .expect_status(StatusCode::OK);
    }
    other.events(&others.id.0, None).await;
    person.drawn(&json!({"prompt": "a dog", "steps": 1})).await;
}

#[tokio::test]
async fn generations_are_listed_newest_first_page_by_page() {
    let server = TestServer::start().await;
    let person = server.person().await;
    for n in 0..3 {
        person
            .drawn(&json!({"prompt": format!("dog {n}"), "steps": 1}))
            .await;
    }
    let prompts = |list: &GenerationList| -> Vec<_> {
        list.generations
            .iter()
            .map(|generation| generation.prompt.clone())
            .collect()
    };
    let first: GenerationList = person.get("/api/v1/generations?limit=2").await.read();
    assert_eq!(prompts(&first), ["dog 2", "dog 1"]);
    let path = format!("/api/v1/generations?limit=2&before={}", first.next.unwrap());
    let last: GenerationList = person.get(&path).await.read();
    assert_eq!(prompts(&last), ["dog 0"]);
    assert_eq!(last.next, None);
    person
        .get("/api/v1/generations?limit=0")
        .await
        .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "limit");
    person
        .get("/api/v1/generations?limit=all")
        .await
        .expect_problem(StatusCode::BAD_REQUEST, "malformed-address");
}

#[tokio::test]
async fn the_same_request_gives_the_same_picture() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let body = json!({"prompt": "a dog", "seed": 11, "steps": 2});
    let mut pictures = vec![];
    for _ in 0..2 {
        let done = person.drawn(&body).await;
        let png = person.get(&done.images[0].url).await.body;
        pictures.push(image::load_from_memory(&png).unwrap().into_rgb8());
    }
    // Other tests' pictures share the engine's batch, and its size decides how sums are rounded.
    let values = pictures[0].as_raw().iter().zip(pictures[1].as_raw());
    let worst = values.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= 1, "{worst}/255 apart");
}

fn texts(png: &[u8]) -> Vec<(String, String)> {
    let reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
    let info = reader.info();
    let latin = info
        .uncompressed_latin1_text
        .iter()
        .map(|t| (t.keyword.clone(), t.text.clone()));
    let utf8 = info
        .utf8_text
        .iter()
        .map(|t| (t.keyword.clone(), t.get_text().unwrap()));
    latin.chain(utf8).collect()
}

#[tokio::test]
async fn a_page_before_nothing_is_a_problem() {
    let server = TestServer::start().await;
    let (person, other) = (server.person().await, server.person().await);
    let foreign = other.generate(&json!({"prompt": "a", "steps": 1})).await.id;
    for before in ["none", "-1", &foreign.0] {
        person
            .get(&format!("/api/v1/generations?before={before}"))
            .await
            .expect_field_error(StatusCode::NOT_FOUND, "unknown-reference", "before");
    }
}

#[tokio::test]
async fn what_is_read_of_a_long_prompt_is_told() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let asked = async |prompt: &str| -> Option<String> {
        let body = json!({"prompt": prompt, "steps": 1});
        person.generate(&body).await.prompt_read
    };
    assert_eq!(asked("a red apple").await, None);
    let card: ModelCard = person.get("/api/v1/model").await.read();
    let tokens = card.max_prompt_tokens as usize;
    // Each of these words is a token of its own.
    let words = |count: usize| vec!["apple"; count].join(" ");
    assert_eq!(asked(&words(tokens)).await, None);
    let long = words(tokens + 3);
    assert_eq!(asked(&long).await, Some(words(tokens)));
    let list: GenerationList = person.get("/api/v1/generations").await.read();
    assert_eq!(list.generations[0].prompt, long);
    assert_eq!(list.generations[0].prompt_read, Some(words(tokens)));
}

#[tokio::test]
async fn all_that_a_person_waits_for_is_cancelled_at_once() {
    let server = TestServer::start().await;
    let (person, other) = (server.person().await, server.person().await);
    let steps = person.get("/api/v1/model").await.json()["steps"]["max"]
        .as_f64()
        .unwrap() as u32;
    let long = json!({"prompt": "a dog", "count": 8, "steps": steps});
    let running = person.generate(&long).await;
    let queued = person.generate(&long).await;
    let theirs = other
        .generate(&json!({"prompt": "a cat", "steps": 1}))
        .await;
    person.begins(&running.id.0).await;
    let all = "/api/v1/generations";
    person
        .delete(all)
        .await
        .expect_status(StatusCode::NO_CONTENT);
    for generation in [running, queued] {
        let ended = person.generation(&generation.id.0).await;
        assert_eq!(ended.state, GenerationState::Cancelled);
    }
    let events = other.events(&theirs.id.0, None).await;
    assert_eq!(events.last().unwrap().name, "done");
    // Nothing is left to cancel, which is what was asked for.
    person
        .delete(all)
        .await
        .expect_status(StatusCode::NO_CONTENT);
}
