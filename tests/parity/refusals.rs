//! Wrong use of a component, and files that are not whole: each gets a sentence that names what
//! is wrong. Sharded weights and variants answer as one file does.

use std::path::{Path, PathBuf};

use predilect_model::check_folder::check;
use predilect_model::run_component::{Answer, Run, RunError, RunnableComponent};
use predilect_model::weights::{Checkpoint, UNetSize, save};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::folders;

const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// A copy of one case of the U-Net, free to be damaged.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let case = folders("stable_cascade_unet")
            .into_iter()
            .find(|folder| folder.ends_with("prior"))
            .expect("the case");
        for entry in std::fs::read_dir(case).expect("a folder") {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_owned();
            std::fs::copy(&path, dir.path().join(name)).expect("copied");
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run_as(&self, component: RunnableComponent, weights: &str) -> Result<Answer, RunError> {
        Run {
            component,
            config: &self.path("config.json"),
            weights: Some(&self.path(weights)),
            inputs: &self.path("inputs.safetensors"),
            kind: Kind::Float,
            device: Device::Cpu,
        }
        .answer()
    }

    fn run(&self) -> Result<Answer, RunError> {
        self.run_as(RunnableComponent::StageC, WEIGHTS)
    }

    /// What the run is refused with, which must be one line.
    fn refusal(&self) -> String {
        let message = self.run().expect_err("a refusal").to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }

    fn tensors(&self, name: &str) -> Vec<(String, Tensor)> {
        read(&self.path(name))
    }

    fn write(&self, name: &str, tensors: &[(String, Tensor)]) {
        let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
        save(&self.path(name), tensors).expect("written");
    }

    /// Changes the inputs and writes them back.
    fn with_inputs(self, change: impl FnOnce(&mut Vec<(String, Tensor)>)) -> Self {
        let mut inputs = self.tensors("inputs.safetensors");
        change(&mut inputs);
        self.write("inputs.safetensors", &inputs);
        self
    }

    fn with_config(self, field: &str, value: Value) -> Self {
        let path = self.path("config.json");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config[field] = value;
        std::fs::write(path, config.to_string()).expect("written");
        self
    }

    fn with_weights(self, bytes: &[u8]) -> Self {
        std::fs::write(self.path(WEIGHTS), bytes).expect("written");
        self
    }
}

fn read(path: &Path) -> Vec<(String, Tensor)> {
    let file = Checkpoint::open_path(path).expect("a whole file");
    let mut names: Vec<String> = file.names().map(str::to_owned).collect();
    names.sort_unstable();
    let tensor = |name: String| {
        let tensor = file.tensor(&name, Device::Cpu).expect("readable");
        (name, tensor)
    };
    names.into_iter().map(tensor).collect()
}

#[test]
fn an_input_that_is_missing_or_of_another_shape_is_named() {
    let scratch =
        Scratch::new().with_inputs(|inputs| inputs.retain(|(n, _)| n != "timestep_ratio"));
    let message = scratch.refusal();
    assert!(message.contains("`timestep_ratio`"), "{message}");

    let scratch = Scratch::new().with_inputs(|inputs| {
        for (name, tensor) in inputs {
            if name == "sample" {
                *tensor = tensor.narrow(1, 0, 3);
            }
        }
    });
    let message = scratch.refusal();
    assert!(
        message.contains("`sample`") && message.contains("[2, 3, 5, 7]"),
        "{message}"
    );
}

#[test]
fn an_input_that_nobody_reads_is_told() {
    let extra = |inputs: &mut Vec<_>| {
        inputs.push((
            "clip_txt".to_owned(),
            Tensor::zeros([1], (Kind::Float, Device::Cpu)),
        ));
    };
    let answer = Scratch::new().with_inputs(extra).run().expect("an answer");
    assert_eq!(answer.unread, ["clip_txt"]);
}

#[test]
fn a_configuration_that_is_not_supported_is_refused_by_its_field() {
    for (field, value) in [
        ("controlnet_blocks", json!([0, 4])),
        ("kernel_size", json!(4)),
        ("in_channels", json!("four")),
        (
            "block_types_per_layer",
            json!([["CrossAttn"], ["CrossAttn"]]),
        ),
        ("num_attention_heads", json!([5, 3])),
        ("_class_name", json!("UNet2DConditionModel")),
    ] {
        let scratch = Scratch::new().with_config(field, value);
        let message = scratch.refusal();
        let file = scratch.path("config.json").display().to_string();
        assert!(
            message.contains(field) && message.contains(&file),
            "{field}: {message}"
        );
    }
}

#[test]
fn weights_of_another_architecture_are_refused() {
    let other = &folders("paella_vq")[0];
    let bytes = std::fs::read(other.join(WEIGHTS)).expect("weights");
    let message = Scratch::new().with_weights(&bytes).refusal();
    assert!(message.contains("another architecture"), "{message}");

    let scratch = Scratch::new();
    let error = scratch
        .run_as(RunnableComponent::TextEncoder, WEIGHTS)
        .expect_err("a configuration of another network");
    assert!(error.to_string().contains("config.json"), "{error}");
}

#[test]
fn damaged_weights_are_refused() {
    let whole = std::fs::read(Scratch::new().path(WEIGHTS)).expect("weights");
    let mut header = whole.clone();
    header[8..16].fill(b'?');
    let mut longer = whole.clone();
    longer.extend([0; 9]);
    let damaged: [&[u8]; 6] = [
        &[],
        &whole[..5],
        &whole[..40],
        &whole[..whole.len() - 3],
        &header,
        &longer,
    ];
    for bytes in damaged {
        let scratch = Scratch::new().with_weights(bytes);
        let message = scratch.refusal();
        assert!(
            message.contains(WEIGHTS),
            "{} bytes: {message}",
            bytes.len()
        );
        let report = check(scratch.0.path(), UNetSize::Largest).expect("a report");
        let problem = report.networks[0].problem.as_deref();
        assert!(problem.is_some_and(|p| p.contains(WEIGHTS)), "{report:?}");
    }
    // Whole numbers are no weights, even of the right names and shapes.
    let scratch = Scratch::new();
    let mut tensors = scratch.tensors(WEIGHTS);
    tensors[0].1 = tensors[0].1.to_kind(Kind::Int64);
    scratch.write(WEIGHTS, &tensors);
    let message = scratch.refusal();
    let name = &tensors[0].0;
    assert!(
        message.contains(name) && message.contains("Int64"),
        "{message}"
    );
    let report = check(scratch.0.path(), UNetSize::Largest).expect("a report");
    let problem = report.networks[0].problem.as_deref();
    assert!(problem.is_some_and(|p| p.contains(name)), "{report:?}");
    let huge = u64::MAX.to_le_bytes();
    assert!(
        Scratch::new()
            .with_weights(&huge)
            .refusal()
            .contains(WEIGHTS)
    );
}

#[test]
fn sharded_weights_answer_as_one_file() {
    let scratch = Scratch::new();
    let wanted = scratch.run().expect("an answer");
    let tensors = scratch.tensors(WEIGHTS);
    let (first, second) = tensors.split_at(tensors.len() / 2);
    let mut map = serde_json::Map::new();
    for (shard, tensors) in [("a.safetensors", first), ("b.safetensors", second)] {
        scratch.write(shard, tensors);
        map.extend(tensors.iter().map(|(name, _)| (name.clone(), json!(shard))));
    }
    let index = "diffusion_pytorch_model.safetensors.index.json";
    let text = json!({"metadata": {"total_size": 1}, "weight_map": map}).to_string();
    std::fs::write(scratch.path(index), text).expect("written");
    std::fs::remove_file(scratch.path(WEIGHTS)).expect("removed");

    let answer = scratch
        .run_as(RunnableComponent::StageC, index)
        .expect("an answer");
    assert_eq!(answer.outputs[0].1, wanted.outputs[0].1);
    let report = check(scratch.0.path(), UNetSize::Largest).expect("a report");
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.networks[0].files.len(), 2);

    std::fs::remove_file(scratch.path("b.safetensors")).expect("removed");
    let report = check(scratch.0.path(), UNetSize::Largest).expect("a report");
    let problem = report.networks[0].problem.as_deref();
    assert!(
        problem.is_some_and(|p| p.contains("b.safetensors")),
        "{report:?}"
    );
}

#[test]
fn of_two_variants_the_one_nearest_to_the_dtype_is_read() {
    let scratch = Scratch::new();
    let narrow: Vec<_> = scratch
        .tensors(WEIGHTS)
        .into_iter()
        .map(|(name, tensor)| (name, tensor.to_kind(Kind::BFloat16)))
        .collect();
    scratch.write("diffusion_pytorch_model.bf16.safetensors", &narrow);
    let kind_of = |kind| {
        let files = Checkpoint::open_in(scratch.0.path(), "diffusion_pytorch_model", kind);
        files
            .expect("weights")
            .kind("clf.1.weight")
            .expect("a tensor")
    };
    assert_eq!(kind_of(Kind::Float), Kind::Float);
    assert_eq!(kind_of(Kind::BFloat16), Kind::BFloat16);
    let report = check(scratch.0.path(), UNetSize::Largest).expect("a report");
    assert!(
        report.is_sound() && report.networks.len() == 2,
        "{report:?}"
    );
}
