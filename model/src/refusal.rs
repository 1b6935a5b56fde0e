//! What libtorch refuses, as errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::shim;

/// Why libtorch did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is not enough memory.
    #[error(
        "there is not enough memory on this device: try --dtype bf16, a smaller --max-batch, \
         --offload, --lite or another smaller model, or --device cpu"
    )]
    Memory,
    /// It refused an operation, in its own words.
    #[error("libtorch refuses: {0}")]
    Operation(String),
}

thread_local! {
    /// Whether a panic of this thread is about to become an error.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`. tch reports what libtorch refuses by panicking; here that is an error like any
/// other. Shapes are checked before they get so far, this is for what no check foresees: a
/// picture smaller than a kernel, or no memory left.
///
/// # Errors
/// What libtorch refused.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Refusal> {
    let outcome = catch_panic(work).map_err(|message| explain(&message));
    if matches!(outcome, Err(Refusal::Memory)) {
        // What was taken before it ran out is in pieces of sizes that may never be asked for again.
        shim::empty_cache();
    }
    outcome
}

/// Runs `work`; a panic in it is its message, and nothing is printed of it.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = take_hook();
        set_hook(Box::new(move |panic| {
            if !CAUGHT.get() {
                told(panic);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    outcome.map_err(|payload| message(payload.as_ref()).to_owned())
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("an unknown reason")
}

/// What libtorch, and the libraries that it calls, say when there is no memory left.
const NO_MEMORY: [&str; 8] = [
    "can't allocate memory",
    "out of memory",
    "std::bad_alloc",
    "Cannot allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "HOST_ALLOCATION_FAILED",
    "DEVICE_ALLOCATION_FAILED",
];

/// What a message of libtorch's means to whoever asked.
pub fn explain(message: &str) -> Refusal {
    if NO_MEMORY.iter().any(|sign| message.contains(sign)) {
        return Refusal::Memory;
    }
    // tch quotes the C++ exception, whose first line is the reason and the rest a stack trace.
    let reason = message
        .split_once("Torch(\"")
        .map_or(message, |(_, reason)| reason);
    let first = reason.split("\\n").next().unwrap_or(reason);
    let first = first.lines().next().unwrap_or(first);
    Refusal::Operation(first.trim_end_matches("\")").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_libtorchs_becomes_its_first_line() {
        let outcome = catch(|| {
            let x = tch::Tensor::zeros([2, 3], (tch::Kind::Float, tch::Device::Cpu));
            x.matmul(&x)
        });
        let message = outcome.expect_err("2×3 times 2×3").to_string();
        assert!(message.contains("shapes cannot be multiplied"), "{message}");
        assert!(
            !message.contains("Torch(") && !message.contains('\n'),
            "{message}"
        );
    }

    #[test]
    fn a_lack_of_memory_says_what_to_lower() {
        for message in [
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried",
            "CUDA out of memory. Tried to allocate 2.00 GiB",
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)",
            "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
            "std::bad_alloc",
        ] {
            assert_eq!(explain(message), Refusal::Memory, "{message}");
        }
        let advice = Refusal::Memory.to_string();
        for flag in ["--dtype", "--max-batch", "--offload", "--lite", "--device"] {
            assert!(advice.contains(flag), "{advice}");
        }
    }
}
