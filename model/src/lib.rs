//! Predilect's networks, diffusion, preference embedding, engine and training.
//!
//! Knows no web and no database. Every network is written once, driven by the reference
//! libraries' `config.json`, and loads their tensor names from safetensors files.

pub mod check_folder;
pub mod data;
pub mod device;
pub mod diffusion;
pub mod engine;
pub mod evaluation;
pub mod image_processor;
pub mod memory;
pub mod networks;
pub mod pipeline;
pub mod preference;
pub mod refusal;
pub mod run_component;
pub mod shim;
pub mod training;
pub mod weights;
