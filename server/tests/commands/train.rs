//! `predilect train` from nothing to a model that draws, and through a kill.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use predilect_model::device::{DeviceChoice, DtypeChoice};
use predilect_model::training::preset::{Preset, StageName};
use predilect_model::weights::{Checkpoint, Component, ModelFolder};
use serde_json::Value;

use crate::support::{Workplace, shipped, words};

/// A model from nothing, a step or a few of each stage.
const ALL: &str =
    "train all --minutes 0.01 --batch 4 --prompts 3 --people 2 --dtype f32 --device cpu";

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn every_stage_hands_on_to_the_next_and_the_model_draws() {
    let place = Workplace::new();
    place.run(ALL);
    let model = ModelFolder::new(place.path("models/mini"));
    assert_eq!(model.card().unwrap().name, "mini");

    for stage in StageName::ALL {
        let files = fs::read_dir(place.path("train").join(stage.as_str())).unwrap();
        let mut names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        assert!(names.any(|name| name.starts_with("sheet-") && name.ends_with(".png")));
    }

    // Once more, nothing is left to do and nothing is written.
    let weights = model.hash().unwrap();
    let again = place.run(ALL);
    for stage in StageName::ALL {
        let line = format!("{}: finished before", stage.as_str());
        assert!(again.contains(&line), "{again}");
    }
    assert_eq!(model.hash().unwrap(), weights);

    // More minutes for all: what later stages have learned from would be another thing after
    // them. That is said before the first one trains.
    let told = place.fail(&ALL.replace("0.01", "5"));
    assert!(told.contains("clip has minutes to train"), "{told}");
    for later in ["train/stage-c,", "train/vlm,", "train/preference "] {
        assert!(told.contains(later), "{told}");
    }
    assert!(!told.contains("from the seed"), "{told}");

    place.run("eval pictures --count 2 --out eval");
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("eval/pictures.json")).unwrap()).unwrap();
    assert_eq!(report["pictures"].as_array().unwrap().len(), 2);
    assert!(report["real"]["top5"].is_number(), "{report}");
    let made = &report["made"];
    assert_eq!(made["model"], model.hash().unwrap());
    let command = made["command"].as_str().unwrap();
    assert!(
        command.ends_with("eval pictures --count 2 --out eval"),
        "{command}"
    );
    assert_eq!(made["date"].as_str().unwrap().len(), "2026-11-27".len());
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
         --best-of 2 --pairs-per-user 2,5 --out eval",
    );
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("arms/manifest.json")).unwrap()).unwrap();
    assert_eq!(report["by_utility"].as_array().unwrap().len(), 3);
    assert_eq!(report["by_answers"][0]["n"], 6);
    assert_eq!(report["ceilings"]["oracle"]["n"], 6);
    let won = |who: &str| report["ceilings"][who]["rate"].as_f64().unwrap();
    assert!(won("oracle") >= won("bayes"), "{}", report["ceilings"]);
    // Every comparison of both numbers of choices has its pictures, what the judge says of them, and
    // the same base picture.
    let comparisons = report["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), 12);
    for comparison in comparisons {
        let pictures = comparison["pictures"].as_array().unwrap();
        assert_eq!(pictures.len(), 4);
        for picture in pictures {
            let file = place.path("arms").join(picture["file"].as_str().unwrap());
            assert_eq!(image::open(file).unwrap().width(), 128);
            assert!(picture["style"].is_string(), "{picture}");
        }
    }
    let (few, many) = comparisons.split_at(6);
    for (few, many) in few.iter().zip(many) {
        assert_eq!(
            (&few["pairs_per_user"], &many["pairs_per_user"]),
            (&2.into(), &5.into())
        );
        let file = |of: &Value, arm: usize| of["pictures"][arm]["file"].clone();
        assert_ne!(file(few, 0), file(many, 0));
        assert_eq!(file(few, 1), file(many, 1));
    }
    assert_eq!(report["further"][0]["pairs_per_user"], 5);
    assert_eq!(report["differences"].as_array().unwrap().len(), 3);
    assert!(report["by_axis"].as_array().unwrap().len() >= 2, "{report}");
    let mut summary: Value =
        serde_json::from_slice(&fs::read(place.path("eval/winrate.json")).unwrap()).unwrap();
    summary["comparisons"] = report["comparisons"].clone();
    assert_eq!(summary, report);

    place.run("eval blend --users users.json --pairs pairs --places 3 --prompts 2 --out eval");
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("eval/blend.json")).unwrap()).unwrap();
    assert_eq!(report["places"].as_array().unwrap().len(), 3);
    assert_eq!(report["couples"].as_array().unwrap().len(), 1);
    assert!(report["ends_differ_by"].as_u64() <= Some(1), "{report}");

    // Other weights draw other pictures, and people choose among those; what followed the old
    // weights is not left beside them.
    let anew = |stage: &str| {
        format!("train {stage} --minutes 0.01 --batch 4 --seed 2 --dtype f32 --device cpu")
    };
    let elsewhere = |stage: &str| format!("{} --work other/{stage}", anew(stage));
    let preference = ALL.replace("all", "preference");
    fs::remove_dir_all(place.path("train/stage-c")).unwrap();
    let told = place.fail(&anew("stage-c"));
    for part in ["train/vlm", "train/preference", "--work"] {
        assert!(told.contains(part), "{told}");
    }
    place.run(&elsewhere("stage-c"));
    let is_there = |component| model.components().any(|there| there == component);
    assert!(!is_there(Component::PreferenceAdapter) && is_there(Component::Vlm));
    let told = place.fail(&preference);
    assert!(
        told.contains("another prior") && told.contains("--work"),
        "{told}"
    );
    fs::remove_dir_all(place.path("train/preference")).unwrap();
    assert!(place.run(&preference).contains("drawn anew"));
    fs::remove_dir_all(place.path("train/preference")).unwrap();
    assert!(!place.run(&preference).contains("drawn anew"));

    let all: Vec<Component> = model.components().collect();
    place.run(&(elsewhere("stage-b") + " --freeze-encoder"));
    assert_eq!(model.components().collect::<Vec<_>>(), all);
    place.run(&elsewhere("stage-a"));
    assert!(!is_there(Component::Decoder) && is_there(Component::Prior));
    let told = place.fail("eval pictures --count 2 --out eval");
    assert!(told.contains("decoder"), "{told}");
    // Its checkpoint there is that of the decoder alone.
    fs::remove_dir_all(place.path("other/stage-b")).unwrap();
    place.run(&elsewhere("stage-b"));
    let of_the_old_latents = [
        Component::TextEncoder,
        Component::Prior,
        Component::PreferenceAdapter,
    ];
    assert!(is_there(Component::Decoder) && is_there(Component::Previewer));
    assert!(!of_the_old_latents.into_iter().any(is_there));
}

/// Runs a training until this file is there, and kills it.
fn kill_when_there(place: &Workplace, command: &str, file: &Path) {
    let mut killed = place.predilect(command).spawn().unwrap();
    let started = Instant::now();
    while !file.exists() {
        assert!(
            started.elapsed() < PATIENCE,
            "{} was not written",
            file.display()
        );
        assert!(
            killed.try_wait().unwrap().is_none(),
            "{command} ended by itself"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // On Unix this is SIGKILL: nothing is told, nothing is tidied up.
    killed.kill().unwrap();
    killed.wait().unwrap();
}

/// Whether a tensor that ships is the one that a checkpoint keeps as fixed.
fn ships_as_kept(shipped: &Path, checkpoint: &Path, name: &str) -> bool {
    let device = DeviceChoice::Cpu.resolve().unwrap();
    let read = |file: &Path, name: &str| {
        let tensor = Checkpoint::open_path(file).unwrap().tensor(name, device);
        tensor.unwrap().to_kind(DtypeChoice::Bf16.resolve(device))
    };
    read(shipped, name) == read(checkpoint, &format!("fixed/{name}"))
}

#[test]
fn a_killed_stage_goes_on_with_all_that_it_had() {
    let place = Workplace::new();
    place.run(ALL);
    let model = ModelFolder::new(place.path("models/mini"));
    // Each with what it does not train, and so would make anew: the prior's text mappers, the
    // drawn pictures, the whitening of what choices say.
    let command = |stage: &str, minutes: &str| {
        let command = ALL.replace("all", stage).replace("0.01", minutes);
        command.replace("--prompts 3", "--prompts 12") + " --checkpoint-every 0"
    };
    let goes_on = |stage: &str| {
        let told = place.run(&command(stage, "0.01"));
        assert!(
            told.contains(&format!("{stage}: going on from step ")),
            "{told}"
        );
        told
    };
    let checkpoint = |stage: &str| place.path(&format!("train/{stage}/checkpoint.safetensors"));
    let kept = place.path("kept.safetensors");

    for stage in ["stage-c", "vlm", "preference"] {
        fs::remove_dir_all(place.path("train").join(stage)).unwrap();
    }
    kill_when_there(&place, &command("stage-c", "1"), &checkpoint("stage-c"));
    fs::copy(checkpoint("stage-c"), &kept).unwrap();
    goes_on("stage-c");
    let prior = model.weights_file(Component::Prior);
    assert!(ships_as_kept(&prior, &kept, "clip_txt_mapper.weight"));

    // Killed after the text encoder's part and before the prior's first checkpoint, it goes on at
    // another pace as well.
    fs::remove_file(checkpoint("stage-c")).unwrap();
    let slower = command("stage-c", "0.01").replace("--batch 4", "--batch 8 --lr 0.0001");
    let told = place.run(&slower);
    assert!(told.contains("stage-c-text: going on from step "), "{told}");
    assert!(told.contains("stage-c: done"), "{told}");

    let first = place.path("train/drawn/00000.safetensors");
    fs::remove_file(&first).unwrap();
    kill_when_there(&place, &command("vlm", "30"), &first);
    let drawn = fs::metadata(&first).unwrap().modified().unwrap();
    kill_when_there(&place, &command("vlm", "30"), &checkpoint("vlm"));
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), drawn);
    goes_on("vlm");

    kill_when_there(
        &place,
        &command("preference", "30"),
        &checkpoint("preference"),
    );
    fs::copy(checkpoint("preference"), &kept).unwrap();
    let told = goes_on("preference");
    assert!(!told.contains("read the choices"), "{told}");
    let adapter = model.weights_file(Component::PreferenceAdapter);
    assert!(ships_as_kept(&adapter, &kept, "projection.weight"));
}

#[test]
fn a_killed_training_goes_on_from_its_checkpoint() {
    let place = Workplace::new();
    let command =
        "train judge --minutes 30 --batch 4 --checkpoint-every 1 --dtype f32 --device cpu";
    let checkpoint = place.path("train/judge/checkpoint.safetensors");
    kill_when_there(&place, command, &checkpoint);

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
    let said = place.fail("train vlm --minutes 0.01");
    assert!(said.contains("tokenizer.json"), "{said}");
    assert!(said.contains("predilect train stage-c"), "{said}");

    let nowhere = tempfile::tempdir().unwrap();
    let mut command = place.predilect("train judge");
    let output = command
        .env("PREDILECT_CACHE_DIR", nowhere.path())
        .output()
        .unwrap();
    let said = words(&output);
    assert!(said.contains("predilect data build"), "{said}");
}

#[test]
fn a_training_with_another_seed_is_not_taken_for_the_one_that_is_there() {
    let place = Workplace::new();
    let command = "train judge --minutes 0.01 --batch 4 --dtype f32 --device cpu";
    place.run(command);
    let told = place.fail(&format!("{command} --seed 5"));
    assert!(told.contains("--seed was 0 and is 5"), "{told}");
    assert!(told.contains("--work"), "{told}");
    let other = place.run(&format!("{command} --seed 5 --work other"));
    assert!(other.contains("judge: done"), "{other}");
    // Another model lies in the folder now.
    let back = place.run(command);
    assert!(back.contains("judge: done"), "{back}");
    let again = place.run(command);
    assert!(again.contains("judge: finished before"), "{again}");
}

#[test]
fn weights_to_start_from_are_there_and_each_network_says_whether_they_are() {
    let place = Workplace::new();
    let command = "train judge --minutes 0.01 --batch 4 --dtype f32 --device cpu";
    let told = place.fail(&format!("{command} --init-from nowhere"));
    assert!(
        told.contains("--init-from") && told.contains("model.json"),
        "{told}"
    );

    assert!(place.run(command).contains("judge: from the seed"));
    fs::copy(
        shipped().join("model.json"),
        place.path("models/mini/model.json"),
    )
    .unwrap();
    let told = place.fail(&format!("{command} --init-from ./models/../models/mini"));
    assert!(
        told.contains("one folder") && told.contains("--model"),
        "{told}"
    );
    let from = "--init-from models/mini --work other --model other-model";
    let told = place.run(&format!("{command} {from}"));
    assert!(told.contains("judge: from models/mini"), "{told}");

    // The shipped text tower brings its words along, and the judge knows other subjects.
    let from = format!(
        "--init-from {} --work third --model third",
        shipped().display()
    );
    let told = place.run(&format!("{} {from}", command.replace("judge", "clip")));
    assert!(told.contains("text_encoder: from /"), "{told}");
    assert!(told.contains("image_encoder: from the seed"), "{told}");
    let words = fs::read(place.path("third/clip/tokenizer/tokenizer.json")).unwrap();
    assert_eq!(
        words,
        fs::read(shipped().join("tokenizer/tokenizer.json")).unwrap()
    );
    let told = place.fail(&format!("{command} {from}"));
    assert!(told.contains("other subjects"), "{told}");
}

#[test]
fn numbers_that_make_no_training_are_refused_in_words() {
    let place = Workplace::new();
    for bad in [
        "--batch 0",
        "--prompts 0",
        "--people 0",
        "--threads 0",
        "--minutes 0",
        "--minutes=-1",
        "--minutes NaN",
        "--lr inf",
        "--budget=-5",
        "--budget 5 --minutes 5",
    ] {
        let told = place.fail(&format!("train judge {bad}"));
        assert!(told.contains("error: "), "{bad}: {told}");
        assert!(!told.contains("panicked"), "{bad}: {told}");
    }
    let told = place.fail("train judge --minutes 0.01 --batch 1 --dtype f32 --device cpu");
    assert!(told.contains("--batch of 2 or more"), "{told}");
}

#[test]
fn a_budget_is_shared_as_the_preset_shares_its_own() {
    let place = Workplace::new();
    place.run("train judge --budget 0.5 --batch 4 --dtype f32 --device cpu");
    let finished = fs::read(place.path("train/judge/finished.json")).unwrap();
    let finished: Value = serde_json::from_slice(&finished).unwrap();
    let minutes = finished["minutes"].as_f64().unwrap();
    let share = Preset::Cpu.settings(StageName::Judge).minutes / Preset::Cpu.minutes();
    assert!((minutes - 0.5 * share).abs() < 1e-9, "{minutes}");
}
