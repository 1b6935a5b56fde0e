//! Whole pipelines in the hub's layout, as they are: what diffusers draws with them from the same
//! noise, after every step and at the end, and what transformers says about a person's choices. The
//! cases are made by `generate_pipelines.py`.

use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

use image::RgbImage;
use predilect_model::data::tokenizer::Tokenizer;
use predilect_model::engine::{Engine, EngineConfig};
use predilect_model::pipeline::{
    Drawing, DrawingRequest, LatentScale, NoiseSource, Pipeline, View, advance,
};
use predilect_model::preference::conversation::PreferencePair;
use predilect_model::preference::embedding::PreferenceEmbedder;
use predilect_model::weights::{Checkpoint, ModelFolder, UNetSize, read_config};
use tch::{Device, Kind, Tensor};

use super::{LARGEST_ERROR, compare, folders};

/// Of numbers that the case has in half precision.
const LARGEST_ERROR_HALF: f64 = 1e-3;
/// Of a picture's bytes.
const LARGEST_BYTE: u8 = 2;

#[derive(serde::Deserialize)]
struct Request {
    prompts: Vec<String>,
    height: i64,
    width: i64,
    steps: i64,
    decoder_steps: i64,
    guidance: f64,
}

/// A drawing's tensors as f32, or as the integers that they are.
struct Expected(Checkpoint);

impl Expected {
    fn open(file: &Path) -> Self {
        Self(Checkpoint::open_path(file).expect("a readable case"))
    }

    fn get(&self, name: &str) -> Tensor {
        let tensor = self.0.tensor(name, Device::Cpu).expect("a tensor");
        match tensor.is_floating_point() {
            true => tensor.to_kind(Kind::Float),
            false => tensor,
        }
    }

    /// What the picture of this number is drawn from. The last step of a diffusion asks for noise
    /// as well, and multiplies it by zero.
    fn noise(&self, picture: i64) -> NoiseSource {
        let mut given = VecDeque::new();
        for diffusion in ["prior.noise", "decoder.noise"] {
            let noise = self.get(diffusion).narrow(1, picture, 1);
            given.extend(noise.unbind(0));
            given.push_back(noise.get(0).zeros_like());
        }
        Box::new(move |shape| {
            let noise = given.pop_front().expect("as much noise as steps");
            assert_eq!(noise.size(), shape, "as large as diffusers' latents");
            noise
        })
    }

    /// The latents `[pictures, c, h, w]` after this step of all.
    fn latents(&self, step: i64, request: &Request) -> (Tensor, f64) {
        match step <= request.steps {
            true => (self.get("prior.steps").get(step - 1), LARGEST_ERROR),
            false => {
                let steps = self.get("decoder.steps");
                (steps.get(step - request.steps - 1), LARGEST_ERROR_HALF)
            }
        }
    }
}

/// The latent after `step` steps, as the scheduler left it.
fn latent(drawing: &Drawing, step: i64, request: &Request) -> Tensor {
    let latent = match drawing.view() {
        View::Prior(finished) if step == request.steps => finished,
        _ => drawing.latent().expect("it is under way"),
    };
    latent.shallow_clone()
}

fn check(pipeline: &Pipeline, request: &Request, expected: &Expected, label: &str) {
    let texts = pipeline.encode_texts(&[""]).expect("an encoded prompt");
    let no_text = Rc::new(texts);
    let drawing = |(i, prompt): (usize, &String)| {
        let request = DrawingRequest {
            text: Rc::new(pipeline.encode_texts(&[prompt]).expect("an encoded prompt")),
            no_text: no_text.clone(),
            preference: None,
            strength: 0.0,
            guidance: request.guidance,
            steps: request.steps,
            decoder_steps: request.decoder_steps,
            seed: 0,
        };
        Drawing::start_from(pipeline, request, expected.noise(i as i64))
    };
    let mut drawings: Vec<Drawing> = request.prompts.iter().enumerate().map(drawing).collect();
    for step in 1..request.steps + request.decoder_steps {
        advance(pipeline, &mut drawings.iter_mut().collect::<Vec<_>>());
        let latents: Vec<Tensor> = drawings.iter().map(|d| latent(d, step, request)).collect();
        let (wanted, largest) = expected.latents(step, request);
        match compare(&Tensor::cat(&latents, 0), &wanted, largest) {
            Ok(error) => println!("{label}: step {step}: {error:.1e}"),
            Err(reason) => panic!("{label}: step {step}: {reason}"),
        }
    }
    advance(pipeline, &mut drawings.iter_mut().collect::<Vec<_>>());
    for (i, drawing) in drawings.into_iter().enumerate() {
        let picture = drawing.into_finished().expect("it is finished").picture;
        let wanted = picture_of(&expected.get("pictures").get(i as i64));
        assert_eq!(picture.dimensions(), wanted.dimensions(), "{label}");
        let bytes = picture.as_raw().iter().zip(wanted.as_raw());
        let largest = bytes.map(|(a, b)| a.abs_diff(*b)).max();
        println!("{label}: picture {i}: {largest:?} of 255");
        assert!(largest <= Some(LARGEST_BYTE), "{label}: {largest:?} of 255");
    }
}

/// `[h, w, 3]` u8 as a picture.
fn picture_of(pixels: &Tensor) -> RgbImage {
    let size = pixels.size();
    let mut bytes = vec![0u8; pixels.numel()];
    let count = bytes.len();
    pixels.contiguous().copy_data_u8(&mut bytes, count);
    RgbImage::from_raw(size[1] as u32, size[0] as u32, bytes).expect("three bytes a pixel")
}

#[test]
fn a_pipeline_draws_as_diffusers_from_the_same_noise() {
    for folder in folders("pipeline") {
        let model =
            ModelFolder::open(folder.join("model"), UNetSize::Largest).expect("the hub's layout");
        let card = model.card().expect("a card");
        let mut pipeline =
            Pipeline::load(&model, &card, Kind::Float, Device::Cpu).expect("a pipeline");
        let mut drawings: Vec<_> = std::fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("a readable folder").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .filter(|path| !path.ends_with("reading.json"))
            .collect();
        drawings.sort();
        assert!(!drawings.is_empty());
        for path in drawings {
            let request: Request = read_config(&path).expect("a request");
            let scale = model.hub().expect("the hub's layout").scale();
            let scale: LatentScale = scale.expect("readable settings");
            pipeline.sizes = scale.latents(request.height, request.width);
            let expected = Expected::open(&path.with_extension("safetensors"));
            check(&pipeline, &request, &expected, &path.display().to_string());
        }
    }
}

#[test]
fn guidance_below_one_is_none_as_in_diffusers() {
    let folder = &folders("pipeline")[0];
    let model = ModelFolder::open(folder.join("model"), UNetSize::Largest).expect("a layout");
    let card = model.card().expect("a card");
    let pipeline = Pipeline::load(&model, &card, Kind::Float, Device::Cpu).expect("a pipeline");
    let text = |prompt| Rc::new(pipeline.encode_texts(&[prompt]).expect("an encoded prompt"));
    let after_a_step = |guidance| {
        let request = DrawingRequest {
            text: text("a red apple"),
            no_text: text(""),
            preference: None,
            strength: 0.0,
            guidance,
            steps: 2,
            decoder_steps: 1,
            seed: 3,
        };
        let mut drawing = Drawing::start(&pipeline, request);
        advance(&pipeline, &mut [&mut drawing]);
        latent_of(&drawing)
    };
    let without = after_a_step(1.0);
    assert_eq!(after_a_step(0.0), without);
    assert_eq!(after_a_step(0.5), without);
    assert_ne!(after_a_step(1.5), without);
}

/// The latent of a drawing under way.
fn latent_of(drawing: &Drawing) -> Tensor {
    drawing.latent().expect("it is under way").shallow_clone()
}

#[test]
fn a_folder_that_cannot_read_choices_says_what_is_missing() {
    let folder = folders("pipeline")
        .into_iter()
        .find(|folder| !folder.join("reading.json").exists())
        .expect("a case without a vision-language model");
    let started = Engine::start(EngineConfig::new(folder.join("model")));
    let error = started.map(drop).expect_err("nothing reads").to_string();
    assert!(error.contains("LLaVA-OneVision"), "{error}");
}

#[test]
fn choices_are_read_as_transformers_reads_them() {
    #[derive(serde::Deserialize)]
    struct Reading {
        captions: Vec<String>,
    }
    let folder = folders("pipeline")
        .into_iter()
        .find(|folder| folder.join("reading.json").exists())
        .expect("a case with a vision-language model");
    let model =
        ModelFolder::open(folder.join("model"), UNetSize::Largest).expect("the hub's layout");
    let embedder = PreferenceEmbedder::load(&model, Kind::Float, Device::Cpu).expect("a reader");
    let reading: Reading = read_config(&folder.join("reading.json")).expect("captions");
    let expected = Expected::open(&folder.join("reading.safetensors"));
    let pictures = expected.get("pairs");
    let pair = |(i, caption): (usize, String)| {
        let picture = |side| picture_of(&pictures.get(i as i64).get(side));
        PreferencePair {
            caption,
            preferred: picture(0),
            rejected: picture(1),
        }
    };
    let pairs: Vec<_> = reading.captions.into_iter().enumerate().map(pair).collect();
    let embedding = embedder.embed(&pairs).expect("an embedding");

    let vlm = model
        .hub()
        .and_then(|hub| hub.vlm().ok())
        .expect("a folder");
    let tokenizer = Tokenizer::open(&vlm.join("tokenizer.json")).expect("a tokenizer");
    let tokens: Vec<i64> = Vec::try_from(&expected.get("tokens")).expect("integers");
    let said = tokenizer.decode(&tokens).expect("a text");
    assert_eq!(embedding.description, said.trim());
    let error = compare(
        &embedding.hidden(),
        &expected.get("hidden_states"),
        LARGEST_ERROR,
    );
    println!("hidden states: {:.1e}", error.expect("the same states"));
}
