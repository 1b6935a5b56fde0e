//! What ships in `assets/`: whole, small enough, drawn from itself, and reading choices by
//! what is seen alone.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{RgbImage, imageops};
use predilect_model::device::{DeviceChoice, DtypeChoice};
use predilect_model::engine::{
    CancelToken, Engine, EngineConfig, GenerateEvent, GenerateJob, Taste,
};
use predilect_model::preference::conversation::PreferencePair;
use predilect_model::preference::embedding::{PreferenceEmbedder, PreferenceEmbedding};
use predilect_model::preference::pair_bank::{PairBank, PairBankWriter, Side};
use predilect_model::weights::ModelFolder;
use tch::{Device, Kind};

/// All networks together, in bytes.
const LARGEST: u64 = 48_000_000;

fn assets(name: &str) -> PathBuf {
    let model = Path::new(env!("CARGO_MANIFEST_DIR"));
    model.join("../assets").join(name)
}

fn bank() -> PairBank {
    PairBank::load(&assets("pairs")).unwrap()
}

/// Four pairs of a bank, the left picture chosen where `left` says so.
fn choices(bank: &PairBank, left: [bool; 4]) -> Vec<PreferencePair> {
    let chosen = |(pair, left)| {
        let (preferred, rejected) = match left {
            true => (Side::Left, Side::Right),
            false => (Side::Right, Side::Left),
        };
        let picture = |side| bank.read_picture(pair, side).unwrap();
        PreferencePair {
            caption: pair.prompt.clone(),
            preferred: picture(preferred),
            rejected: picture(rejected),
        }
    };
    bank.pairs().iter().zip(left).map(chosen).collect()
}

/// ‖a−b‖₂/‖b‖₂ of the hidden states.
fn distance(a: &PreferenceEmbedding, b: &PreferenceEmbedding) -> f64 {
    let norm = |x: tch::Tensor| x.square().sum(Kind::Double).sqrt().double_value(&[]);
    norm(a.hidden() - b.hidden()) / norm(b.hidden())
}

/// The picture after a JPEG of high quality.
fn photographed(picture: &RgbImage) -> RgbImage {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.encode_image(picture).unwrap();
    image::load_from_memory(&bytes).unwrap().into_rgb8()
}

#[test]
fn copies_under_new_ids_are_read_as_the_same_choices() {
    tch::set_num_threads(1);
    let folder = ModelFolder::new(assets("mini"));
    let embedder = PreferenceEmbedder::load(&folder, Kind::Float, Device::Cpu).unwrap();
    let bank = bank();
    // Another order, another bank, another encoding: ids come from all of them.
    let copies = tempfile::tempdir().unwrap();
    let mut writer = PairBankWriter::create(copies.path(), "copies").unwrap();
    for pair in bank.pairs().iter().take(4) {
        let copy = |side| photographed(&bank.read_picture(pair, side).unwrap());
        writer
            .add(&pair.prompt, &copy(Side::Left), &copy(Side::Right))
            .unwrap();
    }
    let copies = writer.finish().unwrap();
    for (copy, pair) in copies.pairs().iter().zip(bank.pairs()) {
        assert_ne!(copy.id, pair.id);
    }

    let mut least_moved = f64::INFINITY;
    for answers in [
        [true; 4],
        [true, false, true, true],
        [false, true, false, false],
    ] {
        let embedding = embedder.embed(&choices(&bank, answers)).unwrap();
        let copy = embedder.embed(&choices(&copies, answers)).unwrap();
        let opposite = embedder
            .embed(&choices(&bank, answers.map(|left| !left)))
            .unwrap();
        let (same, moved) = (distance(&copy, &embedding), distance(&opposite, &embedding));
        println!("copies {same:.4}, opposite choices {moved:.4}");
        assert!(same < 0.05, "copies are read differently by {same}");
        least_moved = least_moved.min(moved / same);
    }
    assert!(
        least_moved > 3.0,
        "choices move it only {least_moved} times as far as copies"
    );
}

#[test]
fn the_pairs_were_drawn_by_the_model_that_ships_and_it_draws() {
    let engine = Engine::start(EngineConfig {
        device: DeviceChoice::Cpu,
        dtype: DtypeChoice::F32,
        threads: Some(1),
        ..EngineConfig::new(assets("mini"))
    })
    .unwrap();
    let info = engine.info();
    assert_eq!(bank().model_hash(), info.drawing_hash);

    let (sender, events) = channel();
    let job = GenerateJob {
        prompt: "a red apple".into(),
        seeds: vec![1],
        steps: info.default_steps,
        guidance: info.default_guidance,
        taste: Taste::Base,
        strength: 0.0,
        tells_steps: false,
        cancel: CancelToken::default(),
    };
    let send = move |event| drop(sender.send(event));
    engine.generate(job, Box::new(send)).unwrap();
    let picture = events.into_iter().find_map(|event| match event {
        GenerateEvent::Image { picture, .. } => Some(picture),
        GenerateEvent::Failed(reason) => panic!("{reason}"),
        _ => None,
    });
    // Not noise and not a blank: neighbouring pixels are alike, far ones are not.
    let picture = picture.expect("the job ends with a picture");
    let smooth = imageops::resize(&picture, 32, 32, FilterType::Triangle);
    let smooth = imageops::resize(&smooth, 128, 128, FilterType::Triangle);
    let mean = |a: &RgbImage, b: &dyn Fn(usize) -> f64| {
        let values = a.as_raw().iter().enumerate();
        let sum: f64 = values.map(|(i, &v)| (f64::from(v) - b(i)).powi(2)).sum();
        (sum / a.as_raw().len() as f64).sqrt()
    };
    let average =
        picture.as_raw().iter().map(|&v| f64::from(v)).sum::<f64>() / picture.as_raw().len() as f64;
    let contrast = mean(&picture, &|_| average);
    let grain = mean(&picture, &|i| f64::from(smooth.as_raw()[i]));
    assert!(contrast > 10.0, "a blank: contrast {contrast}");
    assert!(grain < 0.6 * contrast, "noise: {grain} of {contrast}");
}

#[test]
fn all_networks_together_are_small_enough_to_ship() {
    fn bytes(dir: &Path) -> u64 {
        let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        let size = |path: PathBuf| match path.extension().is_some_and(|e| e == "safetensors") {
            true => path.metadata().unwrap().len(),
            false if path.is_dir() => bytes(&path),
            false => 0,
        };
        entries.map(size).sum()
    }
    let size = bytes(&assets("mini"));
    assert!(size <= LARGEST, "{size} bytes of {LARGEST}");
}
