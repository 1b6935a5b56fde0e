//! What a request may count on: the same picture for the same request, strength and blend
//! exactly as they are defined, and a preference branch that is nothing until it is trained.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

use std::path::Path;
use std::sync::mpsc::channel;

use image::RgbImage;
use predilect_model::device::{DeviceChoice, DtypeChoice};
use predilect_model::diffusion::Noise;
use predilect_model::engine::{
    CancelToken, Engine, EngineConfig, EngineError, GenerateEvent, GenerateJob, Taste,
};
use predilect_model::preference::embedding::PreferenceEmbedding;
use predilect_model::weights::{Checkpoint, Component, ModelFolder, mini, save};
use tch::{Device, Tensor};

/// A random mini whose output layers, which start at zero, say something.
fn model(dir: &Path, trained_adapter: bool) {
    mini::write_random(dir, 5).unwrap();
    let folder = ModelFolder::new(dir);
    stir(&folder.weights_file(Component::Prior), "clf");
    stir(&folder.weights_file(Component::Decoder), "clf");
    if trained_adapter {
        stir(&folder.weights_file(Component::PreferenceAdapter), "to_v");
    }
}

/// Adds noise to the tensors whose name contains `part`.
fn stir(file: &Path, part: &str) {
    let mut noise = Noise::new(9);
    change(file, part, |tensor| {
        tensor + noise.gaussian(&tensor.size()) * 0.5
    });
}

/// Changes the tensors whose name contains `part`.
fn change(file: &Path, part: &str, mut to: impl FnMut(&Tensor) -> Tensor) {
    let files = Checkpoint::open(&[file.to_owned()]).unwrap();
    let mut names: Vec<&str> = files.names().collect();
    names.sort_unstable();
    let tensors: Vec<(String, Tensor)> = names
        .into_iter()
        .map(|name| {
            let tensor = files.tensor(name, Device::Cpu).unwrap();
            let stirred = match name.contains(part) {
                true => to(&tensor),
                false => tensor,
            };
            (name.to_owned(), stirred)
        })
        .collect();
    drop(files);
    save(file, tensors.iter().map(|(n, t)| (n.as_str(), t))).unwrap();
}

fn config(dir: &Path) -> EngineConfig {
    EngineConfig {
        device: DeviceChoice::Cpu,
        dtype: DtypeChoice::F32,
        threads: Some(1),
        ..EngineConfig::new(dir)
    }
}

fn engine(dir: &Path) -> Engine {
    Engine::start(config(dir)).unwrap()
}

fn job(seeds: &[u64]) -> GenerateJob {
    GenerateJob {
        prompt: "a red apple".into(),
        seeds: seeds.to_vec(),
        steps: 3,
        guidance: 3.0,
        taste: Taste::Base,
        strength: 1.0,
        tells_steps: true,
        cancel: CancelToken::default(),
    }
}

fn events(engine: &Engine, job: GenerateJob) -> Vec<GenerateEvent> {
    let (sender, receiver) = channel();
    let on_event = Box::new(move |event| sender.send(event).unwrap());
    engine.generate(job, on_event).unwrap();
    receiver.iter().collect()
}

fn pictures(engine: &Engine, job: GenerateJob) -> Vec<RgbImage> {
    let picture = |event| match event {
        GenerateEvent::Image { picture, .. } => Some(picture),
        GenerateEvent::Failed(reason) => panic!("{reason}"),
        _ => None,
    };
    events(engine, job)
        .into_iter()
        .filter_map(picture)
        .collect()
}

fn taste(seed: u64) -> PreferenceEmbedding {
    // The random mini's language model has two layers of 32.
    PreferenceEmbedding::new(&Noise::new(seed).gaussian(&[3, 32]), String::new())
}

fn with(preferences: Vec<(PreferenceEmbedding, f32)>, strength: f32) -> GenerateJob {
    GenerateJob {
        taste: Taste::Blend(preferences),
        strength,
        ..job(&[1])
    }
}

#[test]
fn an_untrained_adapter_changes_nothing_at_all() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), false);
    let engine = engine(dir.path());
    let base = pictures(&engine, job(&[1]));
    assert_eq!(pictures(&engine, with(vec![(taste(1), 1.0)], 1.0)), base);
    assert_eq!(pictures(&engine, with(vec![(taste(1), 1.0)], 2.5)), base);
}

#[test]
fn strength_and_blend_are_what_they_are_defined_to_be() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let engine = engine(dir.path());
    let base = pictures(&engine, job(&[1]));
    let a = pictures(&engine, with(vec![(taste(1), 1.0)], 1.0));
    let b = pictures(&engine, with(vec![(taste(2), 1.0)], 1.0));
    assert_ne!(a, base, "a trained preference shows");
    assert_ne!(a, b, "two people get different pictures");
    assert_eq!(
        pictures(&engine, with(vec![(taste(1), 1.0)], 0.0)),
        base,
        "strength 0 is the base"
    );
    assert_ne!(
        pictures(&engine, with(vec![(taste(1), 1.0)], 2.0)),
        a,
        "strength 2 goes further"
    );
    let one_sided = vec![(taste(1), 1.0), (taste(2), 0.0)];
    assert_eq!(
        pictures(&engine, with(one_sided, 1.0)),
        a,
        "a weight of 0 leaves no trace"
    );
    let even = pictures(&engine, with(vec![(taste(1), 1.0), (taste(2), 1.0)], 1.0));
    let doubled = pictures(&engine, with(vec![(taste(1), 2.0), (taste(2), 2.0)], 1.0));
    assert_eq!(even, doubled, "only the ratio of weights counts");
    assert!(even != a && even != b, "a blend is neither of its ends");
}

#[test]
fn a_network_that_answers_no_numbers_is_named_in_place_of_a_black_picture() {
    for (component, part, name) in [
        (Component::Prior, "clf", "the prior"),
        (Component::Decoder, "clf", "the decoder"),
        (Component::Vqgan, "out_block", "Stage A"),
        (
            Component::TextEncoder,
            "text_projection",
            "the text encoder",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        model(dir.path(), false);
        let file = ModelFolder::new(dir.path()).weights_file(component);
        change(&file, part, |tensor| tensor * f64::NAN);
        let said = match Engine::start(config(dir.path())) {
            Err(error) => error.to_string(),
            Ok(engine) => {
                let events = events(&engine, job(&[1, 2]));
                let picture = |event: &GenerateEvent| matches!(event, GenerateEvent::Image { .. });
                assert!(!events.iter().any(picture), "{name}");
                match events.last() {
                    Some(GenerateEvent::Failed(reason)) => reason.clone(),
                    _ => panic!("{name}: it does not end with a failure"),
                }
            }
        };
        assert!(
            said.starts_with(name) && said.contains("--dtype f32"),
            "{said}"
        );
    }
}

#[test]
fn the_same_request_gives_the_same_picture_alone_and_in_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let engine = engine(dir.path());
    let alone = pictures(&engine, job(&[2]));
    assert_eq!(
        pictures(&engine, job(&[2])),
        alone,
        "bit for bit when alone"
    );
    let together = pictures(&engine, job(&[1, 2, 3]));
    assert_ne!(together[0], together[1], "seeds differ");
    let largest = alone[0]
        .as_raw()
        .iter()
        .zip(together[1].as_raw())
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(
        largest <= Some(1),
        "a batch changes a picture by {largest:?} of 255"
    );
}

#[test]
fn weights_that_wait_elsewhere_and_small_batches_draw_the_same_pictures() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let engine = engine(dir.path());
    let sparing = Engine::start(EngineConfig {
        offload: true,
        max_batch: 1,
        ..config(dir.path())
    })
    .unwrap();
    for job in [with(vec![(taste(1), 1.0)], 1.0), job(&[2])] {
        assert_eq!(pictures(&sparing, job.clone()), pictures(&engine, job));
    }
    // One after the other, so each as it is alone.
    let alone = [1, 2, 3].map(|seed| pictures(&engine, job(&[seed])).remove(0));
    assert_eq!(pictures(&sparing, job(&[1, 2, 3])), alone);
}

#[test]
fn with_weights_that_wait_elsewhere_pictures_of_all_jobs_are_told_step_by_step() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let sparing = Engine::start(EngineConfig {
        offload: true,
        ..config(dir.path())
    })
    .unwrap();
    let (sender, receiver) = channel();
    for number in 0..2 {
        let sender = sender.clone();
        let on_event = Box::new(move |event| sender.send((number, event)).unwrap());
        let longer = GenerateJob {
            steps: 3 + 2 * number,
            ..job(&[1, 2])
        };
        sparing.generate(longer, on_event).unwrap();
    }
    drop(sender);
    let told: Vec<(u32, GenerateEvent)> = receiver.iter().collect();
    for number in 0..2 {
        let mut done = [0, 0];
        for (_, event) in told.iter().filter(|(of, _)| *of == number) {
            if let GenerateEvent::Step { image, step, .. } = event {
                assert_eq!(*step, done[*image] + 1, "each step is told once, in order");
                done[*image] = *step;
            }
        }
        // Two of the decoder follow.
        assert_eq!(done, [5 + 2 * number; 2]);
    }
}

#[test]
fn a_job_reports_every_step_and_ends_once() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let engine = engine(dir.path());
    let events = events(&engine, job(&[1, 2]));
    let steps: Vec<(usize, u32, u32)> = events
        .iter()
        .filter_map(|event| match event {
            GenerateEvent::Step {
                image,
                step,
                steps,
                preview,
            } => {
                assert!(preview.width() > 0 && preview.height() > 0);
                Some((*image, *step, *steps))
            }
            _ => None,
        })
        .collect();
    let total = steps[0].2;
    for image in [0, 1] {
        let seen: Vec<u32> = steps.iter().filter(|s| s.0 == image).map(|s| s.1).collect();
        assert_eq!(seen, (1..=total).collect::<Vec<_>>());
    }
    let ends = events
        .iter()
        .filter(|e| matches!(e, GenerateEvent::Done))
        .count();
    assert_eq!(ends, 1);
    assert!(matches!(events.last(), Some(GenerateEvent::Done)));
}

#[test]
fn a_job_that_does_not_ask_for_its_steps_draws_the_same_and_tells_none() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let engine = engine(dir.path());
    let quiet = GenerateJob {
        tells_steps: false,
        ..job(&[1])
    };
    let events = events(&engine, quiet.clone());
    assert!(matches!(
        events[..],
        [GenerateEvent::Image { .. }, GenerateEvent::Done]
    ));
    assert_eq!(pictures(&engine, quiet), pictures(&engine, job(&[1])));
}

#[test]
fn a_cancelled_job_says_so_and_draws_no_picture() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let engine = engine(dir.path());
    let job = job(&[1]);
    job.cancel.cancel();
    let events = events(&engine, job);
    assert!(
        matches!(events.as_slice(), [GenerateEvent::Cancelled]),
        "{events:?}"
    );
}

#[test]
fn an_embedding_of_another_model_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let engine = engine(dir.path());
    let foreign = PreferenceEmbedding::new(&Noise::new(1).gaussian(&[5, 8]), String::new());
    let events = events(&engine, with(vec![(foreign, 1.0)], 1.0));
    let [GenerateEvent::Failed(reason)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(reason.contains("[5, 8]"), "{reason}");
}

#[test]
fn a_damaged_or_foreign_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path(), true);
    let folder = ModelFolder::new(dir.path());
    let file = folder.weights_file(Component::Decoder);
    let whole = std::fs::read(&file).unwrap();

    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let start = || {
        Engine::start(EngineConfig {
            device: DeviceChoice::Cpu,
            ..EngineConfig::new(dir.path())
        })
    };
    let error = start().map(drop).unwrap_err().to_string();
    assert!(
        error.contains("decoder") && error.contains("whole safetensors"),
        "{error}"
    );

    std::fs::copy(folder.weights_file(Component::Prior), &file).unwrap();
    let error = start().map(drop).unwrap_err();
    assert!(matches!(error, EngineError::Pipeline(_)), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("tensor") && error.contains("decoder"),
        "{error}"
    );
}
