//! What libtorch refuses, as errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::shim;

/// Why libtorch did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is not enough memory. What to lower is for whoever asked to say.
    #[error("there is not enough memory on this device")]
    Memory,
    /// It refused an operation, in its own words.
    #[error("libtorch refuses: {0}")]
    Operation(String),
}

/// The panics of a thread that are about to become errors: nothing is printed of them.
#[derive(Clone, Copy, PartialEq)]
enum Caught {
    Nothing,
    /// What tch makes of libtorch's exceptions.
    Torch,
    Everything,
}

thread_local! {
    static CAUGHT: Cell<Caught> = const { Cell::new(Caught::Nothing) };
}

/// Runs `work`. tch reports what libtorch refuses by panicking; here that is an error like any
/// other. Shapes are checked before they get so far, this is for what no check foresees: a
/// picture smaller than a kernel, or no memory left.
///
/// # Errors
/// What libtorch refused.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Refusal> {
    refused(catch_panic(work))
}

/// As [`catch`], but another panic than libtorch's is a mistake of this program's and goes on: for
/// work that nobody else's depends on, where it is better seen than called a refusal.
///
/// # Errors
/// What libtorch refused.
pub fn catch_torch<T>(work: impl FnOnce() -> T) -> Result<T, Refusal> {
    let outcome = caught(Caught::Torch, work).map_err(|panic| match is_torchs(panic.as_ref()) {
        true => message(panic.as_ref()).to_owned(),
        false => resume_unwind(panic),
    });
    refused(outcome)
}

/// What a panic's message refuses.
fn refused<T>(outcome: Result<T, String>) -> Result<T, Refusal> {
    let outcome = outcome.map_err(|message| explain(&message));
    if matches!(outcome, Err(Refusal::Memory)) {
        // What was taken before it ran out is in pieces of sizes that may never be asked for again.
        shim::empty_cache();
    }
    outcome
}

/// Runs `work`; a panic in it is its message, and nothing is printed of it.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    caught(Caught::Everything, work).map_err(|panic| message(panic.as_ref()).to_owned())
}

fn caught<T>(what: Caught, work: impl FnOnce() -> T) -> std::thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = take_hook();
        set_hook(Box::new(move |panic| {
            let silent = match CAUGHT.get() {
                Caught::Nothing => false,
                Caught::Torch => is_torchs(panic.payload()),
                Caught::Everything => true,
            };
            if !silent {
                told(panic);
            }
        }));
    });
    let outer = CAUGHT.replace(what);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    outcome
}

/// How tch's panics quote the exception of libtorch.
const QUOTED: &str = "Torch(\"";

/// Whether a panic is of libtorch's making.
fn is_torchs(panic: &(dyn Any + Send)) -> bool {
    message(panic).contains(QUOTED)
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
        .split_once(QUOTED)
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
    fn a_mistake_of_this_programs_is_no_refusal_of_libtorchs() {
        let refused = catch_torch(|| {
            let x = tch::Tensor::zeros([2, 3], (tch::Kind::Float, tch::Device::Cpu));
            x.matmul(&x)
        });
        assert!(matches!(refused, Err(Refusal::Operation(_))), "{refused:?}");
        let lacking = catch_torch(|| {
            let bytes = (tch::Kind::Uint8, tch::Device::Cpu);
            tch::Tensor::empty([1 << 60], bytes)
        });
        assert!(matches!(lacking, Err(Refusal::Memory)), "{lacking:?}");
        let mistake = catch_panic(|| catch_torch::<()>(|| panic!("a place behind the end")));
        assert_eq!(mistake.unwrap_err(), "a place behind the end");
    }

    #[test]
    fn a_lack_of_memory_is_known_by_what_libtorch_says() {
        for message in [
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried",
            "CUDA out of memory. Tried to allocate 2.00 GiB",
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)",
            "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
            "std::bad_alloc",
        ] {
            assert_eq!(explain(message), Refusal::Memory, "{message}");
        }
    }
}
