//! What loading takes, by the operating system's own figure. Alone in its program: the figure is
//! of a process.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

use std::fs::File;
use std::io::Write;
use std::path::Path;

use predilect_model::memory::peak_resident_bytes;
use predilect_model::weights::{Checkpoint, Init, Params};
use tch::{Device, Kind};

const TENSORS: u64 = 16;
const SIDE: u64 = 2896;
/// Two bytes a number, about 16 MiB.
const TENSOR_BYTES: u64 = 2 * SIDE * SIDE;

/// A file of zeros in bf16, written without having them in memory.
fn write_weights(path: &Path) {
    let tensors: serde_json::Map<String, serde_json::Value> = (0..TENSORS)
        .map(|i| {
            let place = [i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES];
            let info = serde_json::json!(
                {"dtype": "BF16", "shape": [SIDE, SIDE], "data_offsets": place}
            );
            (i.to_string(), info)
        })
        .collect();
    let header = serde_json::to_vec(&tensors).unwrap();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(&header).unwrap();
    let data = TENSORS * TENSOR_BYTES;
    file.set_len(8 + header.len() as u64 + data).unwrap();
}

#[test]
fn weights_are_in_memory_once_while_they_are_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    write_weights(&path);
    // What libtorch takes for itself is not the weights'.
    drop(tch::Tensor::zeros([1], (Kind::BFloat16, Device::Cpu)) + 1.0);
    let before = peak_resident_bytes().unwrap();
    let files = Checkpoint::open_path(&path).unwrap();
    let params = Params::load(files, Kind::BFloat16, Device::Cpu);
    let shape = [SIDE as i64; 2];
    let loaded: Vec<_> = (0..TENSORS)
        .map(|i| {
            let name = i.to_string();
            params.tensor(&name, &shape, Init::Const(0.0)).unwrap()
        })
        .collect();
    let taken = peak_resident_bytes().unwrap() - before;
    assert_eq!(loaded.len() as u64, TENSORS);
    let (weights, most) = (TENSORS * TENSOR_BYTES, (TENSORS + 3) * TENSOR_BYTES);
    assert!(
        (weights..most).contains(&taken),
        "{taken} bytes for {weights} of weights"
    );
}
