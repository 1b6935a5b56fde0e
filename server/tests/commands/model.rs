//! `predilect model`: one network on files, and a folder of networks looked over.

use std::path::{Path, PathBuf};

use predilect_model::weights::Checkpoint;

use crate::support::{Workplace, words};

/// A case of the parity tests: a network's folder with inputs.
fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/parity/fixtures")
        .join(name)
}

/// `model run` of a case, answering into `answer.safetensors`.
fn run_of(component: &str, case: &Path, stem: &str) -> String {
    let case = case.display();
    format!(
        "model run {component} --config {case}/config.json --weights {case}/{stem}.safetensors \
         --inputs {case}/inputs.safetensors --output answer.safetensors"
    )
}

#[test]
fn model_run_writes_a_networks_answer_under_the_references_names() {
    let place = Workplace::empty();
    let stage_a = case("paella_vq/two_levels");
    let decode = run_of("stage-a-decode", &stage_a, "diffusion_pytorch_model");
    let said = place.run(&decode);
    assert!(
        said.contains("sample [") && said.contains("peak memory"),
        "{said}"
    );
    let answer = Checkpoint::open_path(&place.path("answer.safetensors")).unwrap();
    assert_eq!(answer.names().collect::<Vec<_>>(), ["sample"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |file| {
            let metadata = std::fs::metadata(place.path(file)).unwrap();
            metadata.permissions().mode()
        };
        std::fs::write(place.path("any"), "").unwrap();
        assert_eq!(
            mode("answer.safetensors"),
            mode("any"),
            "for others as well"
        );
    }

    let text = run_of("text-encoder", &case("clip/quick_gelu_eos_id"), "model");
    place.run(&format!("{text} --dtype bf16"));
    let answer = Checkpoint::open_path(&place.path("answer.safetensors")).unwrap();
    assert!(answer.contains("text_embeds") && answer.contains("hidden_states.-1"));
}

#[test]
fn model_run_says_in_one_line_what_is_wrong() {
    let place = Workplace::empty();
    let stage_a = case("paella_vq/two_levels");
    let decode = run_of("stage-a-decode", &stage_a, "diffusion_pytorch_model");
    for (arguments, named) in [
        (decode.replace("config.json", "none.json"), "none.json"),
        (decode.replace("stage-a-decode", "stage-c"), "config.json"),
        (format!("{decode} --device cuda:99"), "cuda:99"),
    ] {
        let output = place.predilect(&arguments).output().unwrap();
        let said = words(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        let one_line = said.trim_end().lines().count() == 1;
        assert!(one_line && said.contains(named), "{arguments}: {said}");
    }
    assert!(!place.path("answer.safetensors").exists());
}

#[test]
fn model_check_lists_the_networks_and_fails_on_a_damaged_one() {
    let place = Workplace::empty();
    let folder = place.path("model");
    for name in ["paella_vq/two_levels", "stable_cascade_unet/decoder"] {
        copy(&case(name), &folder.join(name));
    }
    let said = place.run("model check model");
    for part in [
        "PaellaVQModel",
        "StableCascadeUNet",
        "parameters, F32",
        "as bf16",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let weights = folder.join("paella_vq/two_levels/diffusion_pytorch_model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    let output = place.predilect("model check model").output().unwrap();
    let said = words(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no whole safetensors file"), "{said}");
}

/// A folder's files.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
