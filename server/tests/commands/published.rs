//! The published models' repositories in small: checked, shown while they draw, and taught a taste.

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use predilect_model::device::{Device, DeviceChoice, DtypeChoice};
use predilect_model::engine::{
    CancelToken, Engine, EngineConfig, GenerateEvent, GenerateJob, Taste,
};
use predilect_model::preference::embedding::PreferenceEmbedding;
use predilect_model::weights::Checkpoint;

use crate::support::{Workplace, words};

/// A place with a copy of the repositories in the folder `model`, which draws pictures of 96 pixels.
fn published() -> Workplace {
    let place = Workplace::empty();
    let case = "../tests/parity/fixtures/pipeline/official_proportions/model";
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(case),
        &place.path("model"),
    );
    let index = place.path("model/stable-cascade/model_index.json");
    let text = std::fs::read_to_string(&index).unwrap();
    assert!(text.contains("10.67"));
    std::fs::write(index, text.replace("10.67", "2.0")).unwrap();
    place
}

/// A folder with all below it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in listed(from) {
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(std::fs::copy(&path, target).unwrap()),
        }
    }
}

fn listed(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn rename(place: &Workplace, from: &str, to: &str) {
    std::fs::rename(place.path(from), place.path(to)).unwrap();
}

/// What a command says that has to fail.
fn refusal(place: &Workplace, arguments: &str) -> String {
    let output = place.predilect(arguments).output().unwrap();
    let said = words(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_check_lists_every_file_and_says_whether_the_folder_can_be_served() {
    let place = published();
    let said = place.run("model check model");
    assert!(
        said.contains("model can be served: stable-cascade\n"),
        "{said}"
    );
    for file in ["prior/config.json", "model_index.json", "tokenizer.json"] {
        assert!(said.contains(file), "{file}: {said}");
    }
    let said = place.run("model check model/stable-cascade-prior");
    let alone = "cannot be served by itself";
    assert!(said.contains(alone) && said.contains("decoder"), "{said}");

    let vlm = "model/llava-onevision-qwen2-tiny-ov-hf";
    let processor = format!("{vlm}/preprocessor_config.json");
    std::fs::remove_file(place.path(&processor)).unwrap();
    let said = refusal(&place, "model check model");
    let missing = format!("{processor}: it is missing");
    assert!(said.contains(&missing) && said.contains(alone), "{said}");
}

#[test]
fn lite_networks_alone_are_sound_and_asked_for_beside_full_ones() {
    let place = published();
    let (prior, decoder) = ("model/stable-cascade-prior", "model/stable-cascade");
    rename(
        &place,
        &format!("{prior}/prior"),
        &format!("{prior}/prior_lite"),
    );
    rename(
        &place,
        &format!("{decoder}/decoder"),
        &format!("{decoder}/decoder_lite"),
    );
    for lite in ["", " --lite"] {
        let said = place.run(&format!("model check model{lite}"));
        assert!(
            said.contains("can be served: stable-cascade-lite"),
            "{said}"
        );
    }
    for (dir, unet) in [(prior, "prior"), (decoder, "decoder")] {
        let full = place.path(&format!("{dir}/{unet}"));
        copy(&place.path(&format!("{dir}/{unet}_lite")), &full);
    }
    let said = place.run("model check model");
    assert!(said.contains("can be served: stable-cascade\n"), "{said}");
    let said = place.run("model check model --lite");
    assert!(
        said.contains("can be served: stable-cascade-lite"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn the_hubs_own_cache_is_checked_down_to_its_networks() {
    let place = published();
    // Files of a cache are links to what their content's hash names.
    fn link(from: &Path, to: &Path, blobs: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for path in listed(from) {
            let target = to.join(path.file_name().unwrap());
            if path.is_dir() {
                link(&path, &target, blobs);
            } else {
                let blob = blobs.join(format!("{:x}", listed(blobs).len()));
                std::fs::rename(&path, &blob).unwrap();
                std::os::unix::fs::symlink(&blob, target).unwrap();
            }
        }
    }
    for repository in listed(&place.path("model")) {
        let name = repository
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let cached = place.path(&format!("cache/models--any--{name}"));
        std::fs::create_dir_all(cached.join("blobs")).unwrap();
        link(
            &repository,
            &cached.join("snapshots/0123"),
            &cached.join("blobs"),
        );
    }
    let said = place.run("model check cache");
    assert!(said.contains("can be served: stable-cascade\n"), "{said}");
    let networks = said.matches("sound").count();
    assert_eq!(networks, 5, "{said}");
}

#[test]
fn previews_are_fitted_to_the_models_own_pictures_and_fit_no_other_model() {
    let place = published();
    let said = place.run("model fit-previewer model --count 2 --dtype f32 --device cpu");
    assert!(said.contains("model/previewer"), "{said}");
    let said = place.run("model check model");
    assert!(said.contains("can be served"), "{said}");

    let config = place.path("model/previewer/config.json");
    let other = r#"{"latent_channels": 2, "patch_size": 8}"#;
    std::fs::write(config, other).unwrap();
    let weights = place.path("model/previewer/model.safetensors");
    let file = Checkpoint::open_path(&weights).unwrap();
    let weight = file.tensor("weight", Device::Cpu).unwrap().narrow(0, 0, 3);
    drop(file);
    predilect_model::weights::save(&weights, [("weight", &weight)]).unwrap();
    let said = place.run("model check model");
    let reason = "where the previewer takes 2";
    assert!(
        said.contains("cannot be served") && said.contains(reason),
        "{said}"
    );
}

#[test]
fn preference_attention_of_a_published_model_is_trained_and_draws() {
    let place = published();
    std::fs::write(place.path("prompts.txt"), "a red apple\n\na dog\n").unwrap();
    let said = refusal(&place, "train stage-c --model model");
    assert!(said.contains("only preference attention"), "{said}");
    let said = refusal(&place, "train preference --model model");
    assert!(said.contains("--prompts-file"), "{said}");
    let said = place.run(
        "train preference --model model --prompts-file prompts.txt --people 2 --minutes 0.02 \
         --batch 2 --lr 0.01 --dtype f32 --device cpu",
    );
    assert!(said.contains("an adapter of"), "{said}");
    let said = place.run("model check model");
    assert!(
        said.contains("preference_adapter") && said.contains("can be served"),
        "{said}"
    );

    let engine = Engine::start(EngineConfig {
        device: DeviceChoice::Cpu,
        dtype: DtypeChoice::F32,
        threads: Some(1),
        ..EngineConfig::new(place.path("model"))
    })
    .unwrap();
    assert!(engine.info().preference_adapter > Some(0));
    let draw = |taste| {
        let (sender, receiver) = channel();
        let job = GenerateJob {
            prompt: "a red apple".into(),
            seeds: vec![1],
            steps: 2,
            guidance: 4.0,
            taste,
            strength: 3.0,
            tells_steps: false,
            cancel: CancelToken::default(),
        };
        let on_event = Box::new(move |event| drop(sender.send(event)));
        engine.generate(job, on_event).unwrap();
        let picture = |event| match event {
            GenerateEvent::Image { picture, .. } => Some(picture),
            GenerateEvent::Failed(reason) => panic!("{reason}"),
            _ => None,
        };
        receiver.iter().find_map(picture).unwrap()
    };
    let adapter = Checkpoint::open_path(&place.path("model/preference_adapter/model.safetensors"));
    let adapter = adapter.unwrap();
    let layers = adapter.shape("population").unwrap()[0];
    let hidden = adapter.shape("projection.weight").unwrap()[1];
    let states = predilect_model::diffusion::Noise::new(1).gaussian(&[layers, hidden]);
    let taste = PreferenceEmbedding::new(&states, String::new());
    assert_ne!(draw(Taste::Blend(vec![(taste, 1.0)])), draw(Taste::Base));
}
