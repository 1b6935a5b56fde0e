use std::{
    collections::BTreeSet,
    io::{Cursor, Read},
};

use predilect_api::{
    Generation, GenerationState, ImageArchive, ImageDetails, ImageIdList, ImageList,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::support::{Answer, Person, TestServer};

async fn listed(person: &Person, query: &str) -> ImageList {
    person
        .get(&format!("/api/v1/images{query}"))
        .await
        .expect_status(StatusCode::OK)
        .read()
}

async fn prompts(person: &Person, query: &str) -> Vec<String> {
    let list = listed(person, query).await;
    assert_eq!(list.total as usize, list.images.len());
    list.images.into_iter().map(|image| image.prompt).collect()
}

/// A generation of `count` pictures, drawn in as few steps as possible.
async fn drawn(person: &Person, prompt: &str, count: u32) -> Generation {
    let body = json!({"prompt": prompt, "seed": 7, "count": count, "steps": 1});
    person.drawn(&body).await
}

fn ids(generation: &Generation) -> Vec<Value> {
    generation.images.iter().map(|i| json!(i.id)).collect()
}

async fn post(person: &Person, path: &str, ids: Vec<Value>) -> Answer {
    let body = json!({"ids": ids});
    person.post(&format!("/api/v1/images/{path}"), &body).await
}

#[tokio::test]
async fn pictures_are_listed_newest_first_with_all_it_takes_to_draw_them_again() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let profile = person.profile("Calm").await;
    let first = person
        .drawn(&json!({
            "prompt": "a fox", "seed": 7, "count": 2, "steps": 2, "guidance": 3.5,
            "strength": 1.25, "profiles": [{"id": profile.id, "weight": 2}],
        }))
        .await;
    drawn(&person, "a dog", 1).await;
    let list = listed(&person, "").await;
    assert_eq!(list.total, 3);
    let shown: Vec<_> = list
        .images
        .iter()
        .map(|found| (found.prompt.as_str(), found.image.seed))
        .collect();
    assert_eq!(shown, [("a dog", 7), ("a fox", 7), ("a fox", 8)]);
    let fox = &list.images[1];
    assert_eq!(fox.image, first.images[0]);
    assert_eq!(fox.generation_id, first.id);
    assert_eq!((fox.steps, fox.guidance, fox.strength), (2, 3.5, 1.25));
    let [part] = &fox.profiles[..] else {
        panic!("{fox:?}")
    };
    assert_eq!(
        (&part.id, part.name.as_str(), part.weight),
        (&profile.id, "Calm", 2.0)
    );
    assert_eq!(fox.model_hash.as_ref().unwrap().len(), 64);
    let details: ImageDetails = person
        .get(&format!("/api/v1/images/{}/details", fox.image.id))
        .await
        .expect_status(StatusCode::OK)
        .read();
    assert_eq!(details, *fox);
}

#[tokio::test]
async fn any_part_of_the_list_can_be_asked_for() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let generation = drawn(&person, "a fox", 5).await;
    for (query, expected) in [
        ("?limit=2", 0..2),
        ("?limit=2&offset=3", 3..5),
        ("?limit=2&offset=4", 4..5),
        ("?offset=9", 5..5),
    ] {
        let list = listed(&person, query).await;
        assert_eq!(list.total, 5, "{query}");
        let images: Vec<_> = list.images.into_iter().map(|found| found.image).collect();
        assert_eq!(images, generation.images[expected], "{query}");
    }
    for (query, field) in [
        ("?limit=0".to_owned(), "limit"),
        ("?limit=101".to_owned(), "limit"),
        ("?offset=-1".to_owned(), "offset"),
        (format!("?search={}", "x".repeat(5000)), "search"),
    ] {
        person
            .get(&format!("/api/v1/images{query}"))
            .await
            .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", field);
    }
    for (query, field, allowed) in [
        ("limit=x", "limit", "must be a whole number from 1 to 100"),
        (
            "offset=",
            "offset",
            "must be a whole number from 0 to 4294967295",
        ),
        ("favourites=1", "favourites", "must be `true` or `false`"),
    ] {
        let message = person
            .get(&format!("/api/v1/images?{query}"))
            .await
            .expect_field_error(StatusCode::BAD_REQUEST, "malformed-address", field);
        assert_eq!(message, allowed);
    }
}

#[tokio::test]
async fn pictures_are_found_by_the_words_of_their_prompt() {
    let server = TestServer::start().await;
    let person = server.person().await;
    drawn(&person, "a Red fox, 100% sly", 1).await;
    drawn(&person, "ein ÄPFEL_baum", 1).await;
    for (search, expected) in [
        ("", vec!["ein ÄPFEL_baum", "a Red fox, 100% sly"]),
        ("FOX%20red", vec!["a Red fox, 100% sly"]),
        ("100%25", vec!["a Red fox, 100% sly"]),
        ("%C3%A4pfel", vec!["ein ÄPFEL_baum"]),
        ("red%20apple", vec![]),
        ("%25", vec!["a Red fox, 100% sly"]),
        ("_", vec!["ein ÄPFEL_baum"]),
    ] {
        let found = prompts(&person, &format!("?search={search}")).await;
        assert_eq!(found, expected, "{search}");
    }
}

#[tokio::test]
async fn prompts_from_before_there_was_a_search_are_found_after_a_start() {
    let server = TestServer::start().await;
    let person = server.person().await;
    drawn(&person, "ein ÄPFELbaum", 1).await;
    let file = server.folder.path().join("data/predilect.db");
    let database = format!("sqlite:{}", file.display());
    let database = sqlx::SqlitePool::connect(&database).await.unwrap();
    let forget = sqlx::query("UPDATE generations SET prompt_key = NULL");
    forget.execute(&database).await.unwrap();
    database.close().await;
    let server = server.restart().await;
    let person = person.at(&server);
    let found = prompts(&person, "?search=%C3%A4pfel").await;
    assert_eq!(found, ["ein ÄPFELbaum"]);
    assert!(prompts(&person, "?search=birne").await.is_empty());
}

#[tokio::test]
async fn pictures_are_found_by_whom_they_were_drawn_for() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let (calm, loud) = (
        person.profile("Calm").await.id,
        person.profile("Loud").await.id,
    );
    for (prompt, profiles) in [
        ("base", json!([])),
        ("calm", json!([{"id": calm, "weight": 1}])),
        (
            "both",
            json!([{"id": calm, "weight": 1}, {"id": loud, "weight": 3}]),
        ),
        (
            "calm alone",
            json!([{"id": calm, "weight": 1}, {"id": loud, "weight": 0}]),
        ),
    ] {
        person
            .drawn(&json!({"prompt": prompt, "steps": 1, "profiles": profiles}))
            .await;
    }
    for (profile, expected) in [
        (calm.0.as_str(), vec!["calm alone", "both", "calm"]),
        (loud.0.as_str(), vec!["both"]),
        ("none", vec!["base"]),
        ("00000000-0000-4000-8000-000000000000", vec![]),
    ] {
        let found = prompts(&person, &format!("?profile={profile}")).await;
        assert_eq!(found, expected, "{profile}");
    }
    // A picture outlives the profile, and is still found by it.
    let gone = format!("/api/v1/profiles/{loud}");
    person
        .delete(&gone)
        .await
        .expect_status(StatusCode::NO_CONTENT);
    let list = listed(&person, &format!("?profile={loud}")).await;
    assert_eq!(list.images[0].profiles[1].name, "Loud");
}

#[tokio::test]
async fn favourites_stay_marked_until_the_mark_is_taken_off() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let generation = drawn(&person, "a fox", 2).await;
    let url = &generation.images[1].url;
    let mark = async |favourite: bool| -> ImageDetails {
        person
            .patch(url, &json!({"favourite": favourite}))
            .await
            .expect_status(StatusCode::OK)
            .read()
    };
    assert!(mark(true).await.image.favourite);
    assert!(mark(true).await.image.favourite);
    let favourites = listed(&person, "?favourites=true").await;
    assert_eq!(favourites.total, 1);
    assert_eq!(favourites.images[0].image.id, generation.images[1].id);
    assert!(person.generation(&generation.id.0).await.images[1].favourite);
    assert!(!mark(false).await.image.favourite);
    assert_eq!(listed(&person, "?favourites=true").await.total, 0);
    person.patch(url, &json!({})).await.expect_field_error(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-request",
        "favourite",
    );
}

#[tokio::test]
async fn a_deleted_picture_is_gone_with_its_file_and_at_last_with_its_generation() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let generation = drawn(&person, "a fox", 2).await;
    let of_generation = format!("/api/v1/generations/{}", generation.id);
    let files = || {
        let shelves = std::fs::read_dir(server.folder.path().join("data/images")).unwrap();
        shelves
            .flat_map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap())
            .count()
    };
    assert_eq!(files(), 2);
    person
        .delete(&generation.images[0].url)
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert_eq!(files(), 1);
    for gone in [
        generation.images[0].url.clone(),
        format!("{}/details", generation.images[0].url),
    ] {
        person
            .get(&gone)
            .await
            .expect_problem(StatusCode::NOT_FOUND, "not-found");
    }
    let left = person.generation(&generation.id.0).await;
    assert_eq!(left.images, generation.images[1..]);
    post(&person, "deletion", ids(&left))
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert_eq!(files(), 0);
    person
        .get(&of_generation)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    person
        .delete(&generation.images[1].url)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn many_pictures_are_deleted_all_or_none() {
    let server = TestServer::start().await;
    let (person, other) = (server.person().await, server.person().await);
    let own = drawn(&person, "a fox", 3).await;
    let theirs = drawn(&other, "a dog", 1).await;
    let mixed = [ids(&own), ids(&theirs)].concat();
    post(&person, "deletion", mixed).await.expect_field_error(
        StatusCode::NOT_FOUND,
        "unknown-reference",
        "ids[3]",
    );
    assert_eq!(listed(&person, "").await.total, 3);
    assert_eq!(listed(&other, "").await.total, 1);
    let twice = [ids(&own), ids(&own)].concat();
    post(&person, "deletion", twice)
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert_eq!(listed(&person, "").await.total, 0);
    post(&person, "deletion", vec![]).await.expect_field_error(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-request",
        "ids",
    );
}

#[tokio::test]
async fn a_generation_that_goes_on_keeps_its_pictures() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let model = person.get("/api/v1/model").await.json();
    let steps = model["steps"]["max"].as_f64().unwrap() as u32;
    // Alone in its batch the first picture is finished; the others are still drawn then.
    let running = person
        .generate(&json!({"prompt": "a fox", "count": 8, "steps": steps}))
        .await;
    let find = format!("/api/v1/generations/{}", running.id);
    loop {
        let now: Generation = person.get(&find).await.read();
        if now.state != GenerationState::Queued && !now.images.is_empty() {
            if now.state == GenerationState::Running {
                person
                    .delete(&now.images[0].url)
                    .await
                    .expect_problem(StatusCode::CONFLICT, "generation-unfinished");
            }
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    person.delete(&find).await.expect_status(StatusCode::OK);
    let ended = person.generation(&running.id.0).await;
    post(&person, "deletion", ids(&ended))
        .await
        .expect_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_selection_is_downloaded_as_one_archive() {
    let server = TestServer::start().await;
    let (person, other) = (server.person().await, server.person().await);
    let generation = drawn(&person, "a fox", 2).await;
    let again = drawn(&person, "A fox!", 1).await;
    let selected = [ids(&generation), ids(&again)].concat();
    let answer = post(&person, "archives", selected)
        .await
        .expect_status(StatusCode::CREATED);
    let archive: ImageArchive = answer.read();
    assert_eq!(answer.header("location"), archive.url);
    other
        .get(&archive.url)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");

    let names = async || {
        let zip = person.get(&archive.url).await.expect_status(StatusCode::OK);
        assert_eq!(zip.header("content-type"), "application/zip");
        assert_eq!(
            zip.header("content-disposition"),
            "attachment; filename=\"predilect-pictures.zip\""
        );
        let mut zip = ZipArchive::new(Cursor::new(zip.body)).unwrap();
        let names: BTreeSet<_> = zip
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        let mut png = vec![];
        let mut first = zip.by_name("predilect-a-fox-7.png").unwrap();
        first.read_to_end(&mut png).unwrap();
        assert_eq!(png, person.get(&generation.images[0].url).await.body);
        names.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(
        names().await,
        [
            "predilect-a-fox-7.2.png",
            "predilect-a-fox-7.png",
            "predilect-a-fox-8.png"
        ]
    );
    // What is deleted before the download is not in it.
    post(&person, "deletion", ids(&again))
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert_eq!(
        names().await,
        ["predilect-a-fox-7.png", "predilect-a-fox-8.png"]
    );
}

#[tokio::test]
async fn everything_that_fits_can_be_selected() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let foxes = drawn(&person, "a fox", 2).await;
    drawn(&person, "a dog", 1).await;
    let list: ImageIdList = person
        .get("/api/v1/images/ids?search=fox")
        .await
        .expect_status(StatusCode::OK)
        .read();
    let expected: Vec<_> = foxes.images.iter().map(|image| image.id.clone()).collect();
    assert_eq!(list.ids, expected);
    let many = vec![json!("none"); 10_000];
    post(&person, "archives", many).await.expect_field_error(
        StatusCode::NOT_FOUND,
        "unknown-reference",
        "ids[0]",
    );
    post(&person, "archives", vec![json!("none"); 10_001])
        .await
        .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "ids");
}

#[tokio::test]
async fn one_persons_pictures_are_not_there_for_another() {
    let server = TestServer::start().await;
    let (owner, other) = (server.person().await, server.person().await);
    let generation = drawn(&owner, "a fox", 1).await;
    let url = &generation.images[0].url;
    let not_found = |answer: Answer| {
        answer.expect_problem(StatusCode::NOT_FOUND, "not-found");
    };
    not_found(other.get(&format!("{url}/details")).await);
    not_found(other.patch(url, &json!({"favourite": true})).await);
    not_found(other.delete(url).await);
    post(&other, "archives", ids(&generation))
        .await
        .expect_field_error(StatusCode::NOT_FOUND, "unknown-reference", "ids[0]");
    assert_eq!(listed(&other, "").await.total, 0);
    let kept = &listed(&owner, "").await.images[0];
    assert!(!kept.image.favourite);
}

#[tokio::test]
async fn a_thumbnail_is_a_small_webp() {
    let server = TestServer::start().await;
    let person = server.person().await;
    let generation = drawn(&person, "a fox", 1).await;
    let thumbnail = person
        .get(&format!("{}?format=thumbnail", generation.images[0].url))
        .await
        .expect_status(StatusCode::OK);
    assert_eq!(thumbnail.header("content-type"), "image/webp");
    let picture = image::load_from_memory(&thumbnail.body).unwrap();
    assert!(picture.width() <= 256 && picture.height() <= 256);
}
