//! The built program: what it prints, and what is there after SIGKILL in the middle of its work.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use futures_util::StreamExt;
use predilect_api::{Choice, GenerationState};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Person, model_folder, write_bank};

struct Program {
    process: Child,
    /// What it prints after its address.
    output: BufReader<ChildStdout>,
    base: String,
}

impl Program {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_predilect"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--device",
                "cpu",
                "--dtype",
                "f32",
                "--threads",
                "1",
            ])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--model-dir")
            .arg(model_folder())
            .arg("--pairs-dir")
            .arg(folder.join("pairs"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let base = line
            .trim()
            .strip_prefix("Predilect is at ")
            .unwrap()
            .to_owned();
        Self {
            process,
            output,
            base,
        }
    }
}

impl Drop for Program {
    /// SIGKILL: no handler runs, nothing is flushed.
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn the_token_it_prints_makes_the_first_admin() {
    let folder = tempfile::tempdir().unwrap();
    write_bank(&folder.path().join("pairs"));
    let mut program = Program::start(folder.path());
    let mut line = String::new();
    program.output.read_line(&mut line).unwrap();
    let token = line.trim().rsplit(' ').next().unwrap();
    let body = json!({"token": token, "name": "Ana", "password": "correct horse"});
    Person::new(&program.base)
        .post("/api/v1/setup", &body)
        .await
        .expect_status(StatusCode::CREATED);
}

#[tokio::test]
async fn a_killed_generation_is_finished_once_after_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    write_bank(&folder.path().join("pairs"));
    let program = Program::start(folder.path());
    let person = Person::new(&program.base);
    person.post("/api/v1/session", &json!({})).await;
    let steps = person.get("/api/v1/model").await.json()["steps"]["max"]
        .as_f64()
        .unwrap() as u32;
    let body = json!({"prompt": "a dog", "seed": 9, "count": 2, "steps": steps});
    let generation = person.generate(&body).await;
    let waiting = person
        .generate(&json!({"prompt": "a cat", "steps": 1}))
        .await;
    let last_seen = first_step(&person, &generation.id.0).await;
    drop(program);

    let program = Program::start(folder.path());
    let person = person.moved_to(&program.base);
    let events = person.events(&generation.id.0, Some(last_seen)).await;
    assert!(
        events.iter().all(|event| event.id > last_seen),
        "numbers never go back"
    );
    assert_eq!(
        events.iter().filter(|event| event.name == "image").count(),
        2
    );
    assert_eq!(
        events.iter().filter(|event| event.name == "done").count(),
        1
    );
    let done = person.generation(&generation.id.0).await;
    assert_eq!(done.state, GenerationState::Done);
    let seeds: Vec<_> = done.images.iter().map(|image| image.seed).collect();
    assert_eq!(seeds, [9, 10]);
    for image in &done.images {
        assert!(image::load_from_memory(&person.get(&image.url).await.body).is_ok());
    }
    person.events(&waiting.id.0, None).await;
    assert_eq!(
        person.generation(&waiting.id.0).await.state,
        GenerationState::Done
    );

    drop(program);
    let program = Program::start(folder.path());
    let person = person.moved_to(&program.base);
    assert_eq!(
        person.generation(&generation.id.0).await,
        done,
        "and never again"
    );
}

#[tokio::test]
async fn an_acknowledged_set_becomes_a_profile_after_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    write_bank(&folder.path().join("pairs"));
    let program = Program::start(folder.path());
    let person = Person::new(&program.base);
    person.post("/api/v1/session", &json!({})).await;
    for _ in 0..3 {
        person.choose(Choice::Left).await;
    }
    let id = person.choose(Choice::Right).await["profile_id"]
        .as_str()
        .unwrap()
        .to_owned();
    drop(program);

    let program = Program::start(folder.path());
    let profile = person.moved_to(&program.base).ready_profile(&id).await;
    assert_eq!(profile.choices, 4);
}

#[test]
fn a_second_server_on_the_same_folder_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write_bank(&folder.path().join("pairs"));
    let _first = Program::start(folder.path());
    let second = Command::new(env!("CARGO_BIN_EXE_predilect"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        said.contains("another predilect uses the data folder"),
        "{said}"
    );
}

/// Follows a generation until its first step is told; returns that event's number.
async fn first_step(person: &Person, id: &str) -> u64 {
    let path = format!("/api/v1/generations/{id}/events");
    let mut stream = person
        .request(Method::GET, &path)
        .send()
        .await
        .unwrap()
        .bytes_stream();
    let mut text = String::new();
    while let Some(bytes) = stream.next().await {
        text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
        let step = text
            .split("\n\n")
            .find(|block| block.contains("event: step"));
        if let Some(id) = step.and_then(|block| block.lines().find_map(|l| l.strip_prefix("id: ")))
        {
            return id.parse().unwrap();
        }
    }
    panic!("the stream ended before a step: {text}");
}
