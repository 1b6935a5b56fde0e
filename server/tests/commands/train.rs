//! `predilect train` from nothing to a model that draws, and through a kill.

use std::fs;
use std::time::{Duration, Instant};

use predilect_model::weights::ModelFolder;
use serde_json::Value;

use crate::support::{Workplace, words};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn every_stage_hands_on_to_the_next_and_the_model_draws() {
    let place = Workplace::new();
    place.run("train all --minutes 0.01 --batch 4 --prompts 3 --people 2 --dtype f32 --device cpu");
    let model = ModelFolder::new(place.path("models/mini"));
    assert_eq!(model.card().unwrap().name, "mini");

    place.run("eval pictures --count 2 --out eval");
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("eval/pictures.json")).unwrap()).unwrap();
    assert_eq!(report["pictures"].as_array().unwrap().len(), 2);
    assert!(report["real"]["top5"].is_number(), "{report}");
    let sheet = image::open(place.path("eval/pictures.png")).unwrap();
    assert!(sheet.width() >= 128);

    place.run("eval variety --prompts 2 --seeds 3 --pictures 4 --out eval");
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("eval/variety.json")).unwrap()).unwrap();
    let of_prompt = |prompt: &Value| -> u64 {
        let counts = prompt["counts"].as_array().unwrap();
        counts.iter().map(|count| count.as_u64().unwrap()).sum()
    };
    let styles = report["styles"].as_array().unwrap();
    assert_eq!(styles.iter().map(of_prompt).collect::<Vec<_>>(), [3, 3]);
    let compared = ["drawn", "held_out"].map(|count| report[count].as_u64());
    assert_eq!(compared, [Some(4), Some(4)]);
    assert!(
        report["kid"].is_number() && report["nearest"]["drawn"].is_number(),
        "{report}"
    );

    place.run("pairs build --prompts 4 --seeds 3 --least-difference 0 --out pairs");
    place.run("eval mirror --people 1 --seeds 2 --pairs pairs --out eval");
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("eval/mirror.json")).unwrap()).unwrap();
    assert_eq!(report["pictures"], 2);
    assert_eq!(
        report["people"][0]["descriptions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    place.run("users sample --count 3 --out users.json");
    fs::write(
        place.path("prompts.txt"),
        "a first form\n\nthe second shape\n",
    )
    .unwrap();
    place.run(
        "eval winrate --users users.json --prompts prompts.txt --pairs pairs --save arms \
         --best-of 2",
    );
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("arms/manifest.json")).unwrap()).unwrap();
    assert_eq!(report["by_utility"].as_array().unwrap().len(), 3);
    assert_eq!(report["by_answers"][0]["n"], 6);
    assert_eq!(report["ceilings"]["oracle"]["n"], 6);
    let won = |who: &str| report["ceilings"][who]["rate"].as_f64().unwrap();
    assert!(won("oracle") >= won("bayes"), "{}", report["ceilings"]);
    for comparison in report["comparisons"].as_array().unwrap() {
        let pictures = comparison["pictures"].as_array().unwrap();
        assert_eq!(pictures.len(), 4);
        for picture in pictures {
            let file = place.path("arms").join(picture["file"].as_str().unwrap());
            assert_eq!(image::open(file).unwrap().width(), 128);
        }
    }

    place.run("eval blend --users users.json --pairs pairs --places 3 --prompts 2 --out eval");
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("eval/blend.json")).unwrap()).unwrap();
    assert_eq!(report["places"].as_array().unwrap().len(), 3);
    assert_eq!(report["couples"].as_array().unwrap().len(), 1);
    assert!(report["ends_differ_by"].as_u64() <= Some(1), "{report}");

    // Other weights draw other pictures, and people choose among those.
    let work = place.path("train/preference");
    fs::remove_file(work.join("checkpoint.safetensors")).unwrap();
    fs::remove_dir_all(place.path("train/stage-c")).unwrap();
    place.run("train stage-c --minutes 0.01 --batch 4 --seed 2 --dtype f32 --device cpu");
    let again =
        "train preference --minutes 0.01 --batch 4 --prompts 3 --people 2 --dtype f32 --device cpu";
    assert!(place.run(again).contains("drawn anew"));
    fs::remove_file(work.join("checkpoint.safetensors")).unwrap();
    assert!(!place.run(again).contains("drawn anew"));
}

#[test]
fn a_killed_training_goes_on_from_its_checkpoint() {
    let place = Workplace::new();
    let command =
        "train judge --minutes 30 --batch 4 --checkpoint-every 1 --dtype f32 --device cpu";
    let checkpoint = place.path("train/judge/checkpoint.safetensors");
    let mut killed = place.predilect(command).spawn().unwrap();
    let started = Instant::now();
    while !checkpoint.exists() {
        assert!(started.elapsed() < PATIENCE, "no checkpoint was written");
        std::thread::sleep(Duration::from_millis(50));
    }
    // On Unix this is SIGKILL: nothing is told, nothing is tidied up.
    killed.kill().unwrap();
    killed.wait().unwrap();

    let continued = place.run(&command.replace("--minutes 30", "--minutes 0.2"));
    let from = continued.split("going on from step ").nth(1).unwrap();
    let from: u64 = from.split_whitespace().next().unwrap().parse().unwrap();
    assert!(from > 0);
    let metrics = fs::read_to_string(place.path("train/judge/metrics.jsonl")).unwrap();
    let steps: Vec<u64> = metrics
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["step"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert!(steps.is_sorted(), "{steps:?}");
    assert!(steps.last() > Some(&from), "{steps:?}");
}

#[test]
fn a_stage_whose_forerunner_is_missing_says_which() {
    let place = Workplace::new();
    let output = place
        .predilect("train stage-b --minutes 0.01")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = words(&output);
    assert!(said.contains("predilect train stage-a"), "{said}");

    let nowhere = tempfile::tempdir().unwrap();
    let mut command = place.predilect("train judge");
    let output = command
        .env("PREDILECT_CACHE_DIR", nowhere.path())
        .output()
        .unwrap();
    let said = words(&output);
    assert!(said.contains("predilect data build"), "{said}");
}
