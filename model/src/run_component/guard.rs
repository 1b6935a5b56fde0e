//! libtorch's refusals as errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use super::RunError;

/// Runs `work`. tch reports what libtorch refuses by panicking; here that is an error like any
/// other. Shapes are checked before they get so far, this is for what no check foresees: a
/// picture smaller than a kernel, or no memory left.
pub(super) fn refusals<T>(work: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    set_hook(hook);
    outcome.unwrap_or_else(|payload| Err(explain(message(payload.as_ref()))))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("an unknown reason")
}

/// What a message of libtorch's means to whoever asked.
pub(super) fn explain(message: &str) -> RunError {
    if ["can't allocate memory", "out of memory"]
        .iter()
        .any(|sign| message.contains(sign))
    {
        return RunError::Memory;
    }
    // tch quotes the C++ exception, whose first line is the reason and the rest a stack trace.
    let reason = message
        .split_once("Torch(\"")
        .map_or(message, |(_, reason)| reason);
    let first = reason.split("\\n").next().unwrap_or(reason);
    let first = first.lines().next().unwrap_or(first);
    RunError::Refused(first.trim_end_matches("\")").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_libtorchs_becomes_its_first_line() {
        let outcome = refusals(|| {
            let x = tch::Tensor::zeros([2, 3], (tch::Kind::Float, tch::Device::Cpu));
            Ok(x.matmul(&x))
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
        let error = explain("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried");
        assert!(matches!(error, RunError::Memory));
    }
}
