//! Every network against the reference libraries: the cases that `generate.py` wrote are read as
//! they are, and each output tensor must agree to ‖a−b‖₂/‖b‖₂ < 1e-4 in f32; in bf16 to < 2e-2 of
//! what the reference answers in bf16.
//!
//! `PREDILECT_PARITY_FIXTURES` names another folder of cases.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

mod image_processors;
mod pipelines;
mod refusals;
mod tokenizers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use predilect_model::diffusion::{DdpmWuerstchenConfig, DdpmWuerstchenScheduler};
use predilect_model::networks::clip::{ClipTextModelWithProjection, ClipVisionModelWithProjection};
use predilect_model::networks::conv_previewer::ConvPreviewer;
use predilect_model::networks::efficientnet::EfficientNetEncoder;
use predilect_model::networks::llava_onevision::{LlavaOnevision, Pictures};
use predilect_model::networks::paella_vq::PaellaVq;
use predilect_model::networks::qwen2::{GenerationLimits, Qwen2ForCausalLm};
use predilect_model::networks::siglip::{Positions, SiglipVisionModel};
use predilect_model::networks::stable_cascade_unet::{StableCascadeInput, StableCascadeUNet};
use predilect_model::run_component::{Run, RunnableComponent};
use predilect_model::weights::{Checkpoint, Params, WeightsError, read_config};
use tch::{Device, Kind, Tensor};

const LARGEST_ERROR: f64 = 1e-4;
const LARGEST_ERROR_BF16: f64 = 2e-2;

type Outputs = Vec<(&'static str, Tensor)>;

/// One case: a folder as `save_pretrained` writes it, with inputs and expected outputs.
struct Case {
    folder: PathBuf,
    inputs: Checkpoint,
}

impl Case {
    fn get(&self, name: &str) -> Option<Tensor> {
        let there = self.inputs.contains(name);
        there.then(|| {
            self.inputs
                .tensor(name, Device::Cpu)
                .expect("a readable input")
        })
    }

    fn input(&self, name: &str) -> Tensor {
        self.get(name)
            .unwrap_or_else(|| panic!("{}: no input `{name}`", self.folder.display()))
    }

    fn integer(&self, name: &str) -> Option<i64> {
        self.get(name).map(|value| value.int64_value(&[0]))
    }

    fn config<C: serde::de::DeserializeOwned>(&self, file: &str) -> C {
        read_config(&self.folder.join(file)).expect("a readable configuration")
    }

    /// The network with the case's weights, all of which it must use.
    fn network<C: serde::de::DeserializeOwned, N>(
        &self,
        stem: &str,
        build: impl FnOnce(&Params, C) -> Result<N, WeightsError>,
    ) -> N {
        let files = Checkpoint::open_in(&self.folder, stem, Kind::Float).expect("readable weights");
        let config = self.config("config.json");
        let network = files.network(config, Kind::Float, Device::Cpu, build);
        network.expect("the weights fit and all are used").0
    }
}

/// The folders of a network's cases.
fn folders(network: &str) -> Vec<PathBuf> {
    tch::set_num_threads(1);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures");
    let root = std::env::var_os("PREDILECT_PARITY_FIXTURES").map_or(here, PathBuf::from);
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root.join(network))
        .expect("a folder of cases")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no cases for {network}");
    folders
}

/// A case's safetensors file.
fn open(folder: &Path, stem: &str) -> Checkpoint {
    Checkpoint::open_in(folder, stem, Kind::Float).expect("a readable case")
}

/// Compares named tensors with those expected; says each error, and fails with all at once.
struct Comparison {
    largest: f64,
    failures: Vec<String>,
}

impl Comparison {
    fn new(largest: f64) -> Self {
        Self {
            largest,
            failures: Vec::new(),
        }
    }

    fn output(&mut self, label: &str, got: Option<&Tensor>, wanted: &Tensor) {
        let error = match got {
            None => Err("not answered".to_owned()),
            Some(got) => compare(got, wanted, self.largest),
        };
        match error {
            Ok(error) => println!("{label}: {error:.1e}"),
            Err(reason) => self.failures.push(format!("{label}: {reason}")),
        }
    }

    fn finish(self) {
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
    }
}

/// Runs every case of a network and compares every expected output.
fn check(network: &str, run: impl Fn(&Case) -> Outputs) {
    let mut comparison = Comparison::new(LARGEST_ERROR);
    for folder in folders(network) {
        let expected = open(&folder, "outputs");
        let case = Case {
            folder: folder.clone(),
            inputs: open(&folder, "inputs"),
        };
        let answered: BTreeMap<&str, Tensor> = tch::no_grad(|| run(&case)).into_iter().collect();
        let mut names: Vec<&str> = expected.names().collect();
        names.sort_unstable();
        for name in names {
            let wanted = expected
                .tensor(name, Device::Cpu)
                .expect("a readable output");
            let label = format!("{network}/{}: {name}", name_of(&folder));
            comparison.output(&label, answered.get(name), &wanted);
        }
    }
    comparison.finish();
}

fn name_of(folder: &Path) -> std::path::Display<'_> {
    Path::new(folder.file_name().expect("a name")).display()
}

/// ‖a−b‖₂/‖b‖₂, or why the tensors do not agree; integers must be the same.
fn compare(got: &Tensor, wanted: &Tensor, largest: f64) -> Result<f64, String> {
    if got.size() != wanted.size() {
        return Err(format!(
            "shape {:?}, expected {:?}",
            got.size(),
            wanted.size()
        ));
    }
    if wanted.kind() == Kind::Int64 {
        return match got == wanted {
            true => Ok(0.0),
            false => Err(format!("{got} is not {wanted}")),
        };
    }
    let wide = |x: &Tensor| x.to_kind(Kind::Double);
    let norm = |x: Tensor| x.square().sum(Kind::Double).sqrt().double_value(&[]);
    let error = norm(wide(got) - wide(wanted)) / norm(wide(wanted));
    // Not a number must fail as well.
    if error < largest {
        Ok(error)
    } else {
        Err(format!("off by {error:.1e}"))
    }
}

#[test]
fn stable_cascade_unet_answers_as_diffusers() {
    check("stable_cascade_unet", |case| {
        let unet = case.network("diffusion_pytorch_model", StableCascadeUNet::new);
        let given = |name| case.get(name);
        let (ratio, pooled) = (given("timestep_ratio"), given("clip_text_pooled"));
        let (text, image) = (given("clip_text"), given("clip_img"));
        let (effnet, pixels) = (given("effnet"), given("pixels"));
        let (sca, crp) = (given("sca"), given("crp"));
        let conditions = [("sca", sca.as_ref()), ("crp", crp.as_ref())];
        let input = StableCascadeInput {
            timestep_ratio: ratio.as_ref(),
            clip_text_pooled: pooled.as_ref(),
            clip_text: text.as_ref(),
            clip_img: image.as_ref(),
            effnet: effnet.as_ref(),
            pixels: pixels.as_ref(),
            timestep_conditions: conditions
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        };
        vec![("sample", unet.forward(&case.input("sample"), &input, None))]
    });
}

#[test]
fn paella_vq_answers_as_diffusers() {
    check("paella_vq", |case| {
        let model = case.network("diffusion_pytorch_model", PaellaVq::new);
        let latents = model.encode(&case.input("x"), false);
        vec![
            ("sample", model.decode(&latents)),
            ("quantized_sample", model.decode(&model.quantize(&latents))),
            ("latents", latents),
        ]
    });
}

#[test]
fn ddpm_wuerstchen_scheduler_answers_as_diffusers() {
    check("ddpm_wuerstchen_scheduler", |case| {
        let config: DdpmWuerstchenConfig = case.config("scheduler_config.json");
        let scheduler = DdpmWuerstchenScheduler::new(config);
        let (predicted, noise) = (case.input("predicted"), case.input("noise"));
        let steps = predicted.size()[0];
        let timesteps = scheduler.timesteps(steps);
        let at = |i: i64| timesteps.get(i).expand([2], false);
        let mut sample = case.input("sample");
        let mut walk = Vec::new();
        for i in 0..steps {
            let (now, previous) = (at(i), at(i + 1));
            sample = scheduler.step(&predicted.get(i), &now, &previous, &sample, &noise.get(i));
            walk.push(sample.shallow_clone());
        }
        let noisy = scheduler.add_noise(&case.input("clean"), &noise.get(0), &case.input("at"));
        vec![
            ("timesteps", timesteps),
            (
                "alpha_cumprod",
                scheduler.alpha_cumprod(&case.input("asked")),
            ),
            ("walk", Tensor::stack(&walk, 0)),
            ("noisy", noisy),
        ]
    });
}

#[test]
fn clip_text_encoder_answers_as_transformers() {
    check("clip", |case| {
        let model = case.network("model", ClipTextModelWithProjection::new);
        let mask = case.get("attention_mask");
        let answer = model
            .forward(&case.input("input_ids"), mask.as_ref())
            .expect("an answer");
        vec![
            ("text_embeds", answer.text_embeds),
            ("last_hidden_state", answer.last_hidden_state),
            ("hidden_states", Tensor::stack(&answer.hidden_states, 0)),
        ]
    });
}

#[test]
fn clip_vision_encoder_answers_as_transformers() {
    check("clip_vision", |case| {
        let model = case.network("model", ClipVisionModelWithProjection::new);
        let answer = model
            .forward(&case.input("pixel_values"))
            .expect("an answer");
        vec![
            ("image_embeds", answer.image_embeds),
            ("last_hidden_state", answer.last_hidden_state),
            ("hidden_states", Tensor::stack(&answer.hidden_states, 0)),
        ]
    });
}

#[test]
fn efficientnet_encoder_answers_as_torchvision() {
    check("efficientnet", |case| {
        let model = case.network("model", EfficientNetEncoder::new);
        vec![("latents", model.forward(&case.input("x")))]
    });
}

#[test]
fn previewer_answers_as_the_original() {
    check("previewer", |case| {
        let model = case.network("model", ConvPreviewer::new);
        vec![("pictures", model.forward(&case.input("latents")))]
    });
}

#[test]
fn siglip_vision_tower_answers_as_transformers() {
    check("siglip", |case| {
        let model = case.network("model", SiglipVisionModel::new);
        let positions = match case.integer("interpolate_pos_encoding") {
            Some(1) => Positions::Interpolated,
            _ => Positions::Trained,
        };
        let answer = model
            .forward(&case.input("pixel_values"), positions)
            .expect("an answer");
        let mut outputs = vec![
            ("last_hidden_state", answer.last_hidden_state),
            ("hidden_states", Tensor::stack(&answer.hidden_states, 0)),
        ];
        outputs.extend(answer.pooler_output.map(|pooled| ("pooler_output", pooled)));
        outputs
    });
}

/// The limits that a case of a language model asks for; the padding token is 0 in all of them.
fn limits(case: &Case, stop: Option<i64>) -> Option<GenerationLimits> {
    let most = case.integer("max_new_tokens")?;
    Some(GenerationLimits {
        max_new_tokens: most as usize,
        stop: stop.into_iter().collect(),
        pad: 0,
        repetition_penalty: case
            .get("repetition_penalty")
            .map_or(1.0, |penalty| penalty.double_value(&[0])),
    })
}

#[test]
fn qwen2_answers_and_generates_as_transformers() {
    check("qwen2", |case| {
        let model = case.network("model", Qwen2ForCausalLm::new);
        let mask = case.input("attention_mask");
        let inputs = model.embed(&case.input("input_ids"));
        let states = model.forward(&inputs, Some(&mask), None, None);
        let mut outputs = vec![
            ("logits", model.logits(&states[states.len() - 1])),
            ("hidden_states", Tensor::stack(&states, 0)),
        ];
        let config: serde_json::Value = case.config("config.json");
        if let Some(limits) = limits(case, config["eos_token_id"].as_i64()) {
            let generation = model.generate(&inputs, &case.input("input_ids"), &mask, &limits);
            outputs.push(("generated", generation.tokens));
            outputs.push(("generated_hidden_states", generation.hidden_states));
        }
        outputs
    });
}

#[test]
fn llava_onevision_answers_and_generates_as_transformers() {
    check("llava_onevision", |case| {
        let model = case.network("model", LlavaOnevision::new);
        let sizes = Vec::<Vec<i64>>::try_from(&case.input("image_sizes")).expect("pairs");
        // Without the counts every picture stands alone, as in the reference.
        let counts = match case.get("batch_num_images") {
            Some(counts) => Vec::<i64>::try_from(&counts).expect("counts"),
            None => vec![1; sizes.len()],
        };
        let pictures = Pictures {
            pixel_values: case.input("pixel_values"),
            image_sizes: sizes.iter().map(|size| (size[0], size[1])).collect(),
            batch_num_images: counts.iter().map(|&count| count as usize).collect(),
        };
        let features = model.image_features(&pictures).expect("features");
        let (ids, mask) = (case.input("input_ids"), case.input("attention_mask"));
        let inputs = model.embed(&ids, &features).expect("embeddings");
        let language = model.language_model();
        let states = language.forward(&inputs, Some(&mask), None, None);
        let limits = limits(case, case.integer("eos_token_id")).expect("a limit");
        let generation = model
            .generate(&ids, &mask, &features, &limits)
            .expect("an answer");
        vec![
            ("image_features", Tensor::cat(&features, 0)),
            ("logits", language.logits(&states[states.len() - 1])),
            ("hidden_states", Tensor::stack(&states, 0)),
            ("generated", generation.tokens),
            ("generated_hidden_states", generation.hidden_states),
        ]
    });
}

/// What the reference answered, under a component's name for it.
fn expected(outputs: &Checkpoint, name: &str) -> Option<Tensor> {
    let stored = |name| {
        let there = outputs.contains(name);
        there.then(|| {
            outputs
                .tensor(name, Device::Cpu)
                .expect("a readable output")
        })
    };
    match name {
        "hidden_states.-1" => stored("hidden_states").map(|states| states.get(-1)),
        "hidden_states_last_token" => stored("hidden_states")
            .map(|states| states.select(2, -1))
            .map(|last| {
                if last.size()[1] == 1 {
                    last.squeeze_dim(1)
                } else {
                    last
                }
            }),
        _ => stored(name),
    }
}

/// Runs a component on a network's cases from their files, as `predilect model run` does.
fn check_component(network: &str, component: RunnableComponent, kind: Kind) {
    let (answers, largest) = match kind {
        Kind::Float => ("outputs", LARGEST_ERROR),
        _ => ("outputs-bf16", LARGEST_ERROR_BF16),
    };
    let mut comparison = Comparison::new(largest);
    for folder in folders(network) {
        let weights = ["diffusion_pytorch_model", "model"]
            .map(|stem| folder.join(format!("{stem}.safetensors")))
            .into_iter()
            .find(|path| path.exists());
        let run = Run {
            component,
            config: &folder.join("config.json"),
            weights: weights.as_deref(),
            inputs: &folder.join("inputs.safetensors"),
            kind,
            device: Device::Cpu,
        };
        let answer = run.answer().expect("an answer");
        let outputs = open(&folder, answers);
        for (name, got) in &answer.outputs {
            let label = format!("{component} {kind:?} {}: {name}", name_of(&folder));
            let wanted = expected(&outputs, name).expect("an expected output");
            comparison.output(&label, Some(got), &wanted);
        }
    }
    comparison.finish();
}

#[test]
fn several_pictures_of_a_tile_each_are_of_one_conversation_without_being_counted() {
    let folder = folders("llava_onevision")
        .into_iter()
        .find(|folder| folder.ends_with("several_pictures"))
        .expect("the case");
    let given = open(&folder, "inputs");
    let names: Vec<&str> = given.names().filter(|&n| n != "batch_num_images").collect();
    assert!(given.contains("batch_num_images"));
    let tensor = |name| given.tensor(name, Device::Cpu).expect("an input");
    let tensors: Vec<Tensor> = names.iter().map(|name| tensor(name)).collect();
    let dir = tempfile::tempdir().expect("a folder");
    let inputs = dir.path().join("inputs.safetensors");
    let uncounted = names.iter().copied().zip(&tensors);
    predilect_model::weights::save(&inputs, uncounted).expect("written");
    let run = Run {
        component: RunnableComponent::Vlm,
        config: &folder.join("config.json"),
        weights: Some(&folder.join("model.safetensors")),
        inputs: &inputs,
        kind: Kind::Float,
        device: Device::Cpu,
    };
    let answer = run.answer().expect("an answer");
    let outputs = open(&folder, "outputs");
    let mut comparison = Comparison::new(LARGEST_ERROR);
    for (name, got) in &answer.outputs {
        let wanted = expected(&outputs, name).expect("an expected output");
        comparison.output(name, Some(got), &wanted);
    }
    comparison.finish();
}

#[test]
fn every_component_answers_from_files_as_its_reference() {
    for (network, component) in [
        ("stable_cascade_unet", RunnableComponent::StageC),
        ("stable_cascade_unet", RunnableComponent::StageB),
        ("paella_vq", RunnableComponent::StageAEncode),
        ("paella_vq", RunnableComponent::StageADecode),
        ("clip", RunnableComponent::TextEncoder),
        ("clip_vision", RunnableComponent::ImageEncoder),
        ("efficientnet", RunnableComponent::Effnet),
        ("llava_onevision", RunnableComponent::Vlm),
        ("scheduler", RunnableComponent::Scheduler),
    ] {
        check_component(network, component, Kind::Float);
        check_component(network, component, Kind::BFloat16);
    }
}
