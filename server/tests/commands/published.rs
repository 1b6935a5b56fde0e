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
    rename(&place, vlm, "elsewhere");
    let said = refusal(&place, "model check model");
    let reason = "nor a LLaVA-OneVision";
    assert!(said.contains(alone) && said.contains(reason), "{said}");
    rename(&place, "elsewhere", vlm);

    let processor = format!("{vlm}/preprocessor_config.json");
    std::fs::remove_file(place.path(&processor)).unwrap();
    let said = refusal(&place, "model check model");
    let missing = format!("{processor}: it is missing");
    assert!(said.contains(&missing) && said.contains(alone), "{said}");
}

#[cfg(unix)]
#[test]
fn a_check_says_of_every_damage_what_it_is_and_what_to_do() {
    use std::os::unix::fs::symlink;

    const WEIGHTS: &str = "model/stable-cascade-prior/prior/diffusion_pytorch_model.safetensors";
    type Damage<'a> = (&'a dyn Fn(&Workplace), &'a str);
    let damages: [Damage<'_>; 6] = [
        (
            &|place| std::fs::write(place.path(WEIGHTS), b"version https://git-lfs\n").unwrap(),
            "`git lfs pull` fetches the file",
        ),
        (
            &|place| std::fs::write(place.path(WEIGHTS), b"half").unwrap(),
            "put a whole one in its place",
        ),
        (
            &|place| {
                std::fs::remove_file(place.path(WEIGHTS)).unwrap();
                symlink("nowhere", place.path(WEIGHTS)).unwrap();
            },
            "it is a link to what is not there; fetch it again",
        ),
        (
            &|place| {
                std::fs::remove_file(place.path(WEIGHTS)).unwrap();
                std::fs::create_dir(place.path(WEIGHTS)).unwrap();
            },
            "it is no file",
        ),
        (
            &|place| {
                let config = place.path(WEIGHTS).with_file_name("config.json");
                std::fs::remove_file(config).unwrap();
            },
            "there are weights, and no config.json to them; fetch it",
        ),
        (
            &|place| {
                let file = place.path("model/stable-cascade-prior/tokenizer/tokenizer.json");
                let text = std::fs::read_to_string(&file).unwrap();
                let mut text: serde_json::Value = serde_json::from_str(&text).unwrap();
                text["model"]["vocab"]["another"] = 99_999.into();
                std::fs::write(file, text.to_string()).unwrap();
            },
            "they are of different models",
        ),
    ];
    for (damage, told) in damages {
        let place = published();
        damage(&place);
        let said = refusal(&place, "model check model");
        assert!(said.contains(told), "{told}: {said}");
    }
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
    let check_lite = |variable: &str| {
        let mut command = place.predilect("model check model");
        words(&command.env("PREDILECT_LITE", variable).output().unwrap())
    };
    for said in [
        place.run("model check model --lite"),
        check_lite("1"),
        check_lite("true"),
    ] {
        assert!(
            said.contains("can be served: stable-cascade-lite"),
            "{said}"
        );
    }
    for no in ["0", "false", ""] {
        let said = check_lite(no);
        assert!(said.contains("can be served: stable-cascade\n"), "{said}");
    }

    // A configuration alone is as good as none where the other size is there.
    for (dir, unet) in [(prior, "prior"), (decoder, "decoder")] {
        let weights = format!("{dir}/{unet}/diffusion_pytorch_model.safetensors");
        std::fs::remove_file(place.path(&weights)).unwrap();
    }
    let said = place.run("model check model");
    assert!(
        said.contains("can be served: stable-cascade-lite") && said.contains("none are needed"),
        "{said}"
    );
    for lite in [
        format!("{prior}/prior_lite"),
        format!("{decoder}/decoder_lite"),
    ] {
        std::fs::remove_dir_all(place.path(&lite)).unwrap();
    }
    let said = refusal(&place, "model check model");
    assert!(
        said.contains("prior/diffusion_pytorch_model.safetensors: No such file"),
        "{said}"
    );
}

#[test]
fn lite_networks_that_are_not_there_are_missed() {
    let place = published();
    let said = refusal(&place, "model check model --lite");
    assert!(said.contains("prior_lite/config.json"), "{said}");
}

/// Puts weights of 4096 GiB into a prior's file, of which the disk holds the header alone.
fn swell(place: &Workplace) {
    let numbers = 1u64 << 40;
    let header = format!(
        r#"{{"huge":{{"dtype":"F32","shape":[{numbers}],"data_offsets":[0,{}]}}}}"#,
        4 * numbers
    );
    let file = place.path("model/stable-cascade-prior/prior/diffusion_pytorch_model.safetensors");
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(&file, [&length, header.as_bytes()].concat()).unwrap();
    let file = std::fs::File::options().write(true).open(file).unwrap();
    file.set_len(8 + header.len() as u64 + 4 * numbers).unwrap();
}

#[test]
fn weights_without_room_are_refused_before_they_are_loaded() {
    let place = published();
    swell(&place);
    std::fs::write(place.path("prompts.txt"), "a red apple\n").unwrap();
    for command in [
        "model fit-previewer model",
        "train preference --model model --prompts-file prompts.txt",
        "serve --listen 127.0.0.1:0 --data-dir data --model-dir model",
    ] {
        let said = refusal(&place, &format!("{command} --dtype f32 --device cpu"));
        let room =
            said.contains("the weights need 4096.") && said.contains("are free: try --dtype");
        assert!(room && said.contains("--lite"), "{command}: {said}");
    }
}

#[test]
fn a_training_says_what_is_wrong_with_a_folder_of_published_models() {
    let place = published();
    std::fs::write(place.path("prompts.txt"), "a red apple\n").unwrap();
    let train = "train preference --model model --prompts-file prompts.txt";
    let said = refusal(&place, &format!("{train} --preset gpu"));
    assert!(said.contains("--preset"), "{said}");
    let said = refusal(&place, &format!("{train} --lite"));
    assert!(said.contains("prior_lite/config.json"), "{said}");

    let vlm = "model/llava-onevision-qwen2-tiny-ov-hf";
    rename(&place, vlm, "vlm");
    let said = refusal(&place, train);
    assert!(said.contains("nor a LLaVA-OneVision"), "{said}");
    assert!(!said.contains("drew"), "{said}");
    rename(&place, "vlm", vlm);

    rename(&place, "model/stable-cascade", "elsewhere");
    for command in [
        train,
        "train preference --model model",
        "train all --model model",
    ] {
        let said = refusal(&place, command);
        let reason = "model: there is neither a model.json nor a Stable Cascade decoder";
        assert!(said.contains(reason), "{command}: {said}");
    }
    let said = refusal(&place, &train.replace("--model model", "--model nowhere"));
    assert!(said.contains("nowhere: No such file"), "{said}");
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
    let said = refusal(&place, "model check model");
    let reason = "where the previewer in model/previewer takes 2";
    assert!(
        said.contains("cannot be served") && said.contains(reason),
        "{said}"
    );
}

#[test]
fn an_official_previewer_that_does_not_fit_is_named() {
    let place = published();
    let file = "model/stable-cascade/previewer.safetensors";
    let other = place.path("model/stable-cascade/vqgan/diffusion_pytorch_model.safetensors");
    std::fs::copy(other, place.path(file)).unwrap();
    let said = refusal(&place, "model check model");
    let reason = format!("cannot be served by itself: {file}: the weights lack the tensor");
    assert!(said.contains(&reason), "{said}");
}

/// The adapter of the full prior is none of the lite one's, for which there is another place; and
/// one that is broken holds nobody up who does not need it.
fn refuses_the_adapter_of_another_size(place: &Workplace) {
    let (full, lite) = ("model/preference_adapter", "model/preference_adapter_lite");
    copy(&place.path(full), &place.path(lite));
    for unet in ["stable-cascade-prior/prior", "stable-cascade/decoder"] {
        let unet = place.path("model").join(unet);
        copy(&unet, Path::new(&format!("{}_lite", unet.display())));
    }
    let said = refusal(place, "model check model --lite");
    let reason = "was trained for stable-cascade, and the model is stable-cascade-lite";
    let named = format!("cannot be served by itself: {lite}/config.json: ");
    assert!(said.contains(reason) && said.contains(&named), "{said}");

    let config = place.path(&format!("{lite}/config.json"));
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("stable-cascade", "stable-cascade-lite"),
    )
    .unwrap();
    for (size, name) in [
        ("", "stable-cascade\n"),
        (" --lite", "stable-cascade-lite\n"),
    ] {
        let said = place.run(&format!("model check model{size}"));
        assert!(said.contains(&format!("can be served: {name}")), "{said}");
    }

    std::fs::write(&config, "{").unwrap();
    place.run("model fit-previewer model --lite --count 1 --dtype f32 --device cpu");
    for left in [
        lite,
        "model/stable-cascade-prior/prior_lite",
        "model/previewer",
    ] {
        std::fs::remove_dir_all(place.path(left)).unwrap();
    }
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
    refuses_the_adapter_of_another_size(&place);

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
