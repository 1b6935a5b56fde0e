//! Safe wrappers over `shim/shim.cpp`: what tch lacks of libtorch.

use std::ffi::{CStr, c_char};

use tch::Tensor;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn shim_fused_adamw(
        params: *const *mut C_tensor,
        grads: *const *mut C_tensor,
        exp_avg: *const *mut C_tensor,
        exp_avg_sq: *const *mut C_tensor,
        steps: *const *mut C_tensor,
        n: i64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
        error: *mut c_char,
        error_len: i64,
    ) -> i32;
    fn shim_allow_tf32(on: i32);
    fn shim_empty_cache();
    fn shim_peak_bytes(device: i32) -> i64;
}

/// Numbers of one AdamW step (Loshchilov and Hutter, 2019).
#[derive(Debug, Clone, Copy)]
pub struct AdamW {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Added to the denominator.
    pub eps: f64,
}

/// The state of one group of parameters in an AdamW step; all f32 and of one length.
pub struct AdamWState<'a> {
    /// Parameters, updated in place.
    pub params: &'a [Tensor],
    /// Their gradients.
    pub grads: &'a [Tensor],
    /// First moments, updated in place.
    pub exp_avg: &'a [Tensor],
    /// Second moments, updated in place.
    pub exp_avg_sq: &'a [Tensor],
    /// Steps done, one scalar a parameter, updated in place.
    pub steps: &'a [Tensor],
}

/// One fused AdamW step over a group.
///
/// # Panics
/// When libtorch refuses the tensors: different shapes, dtypes or devices in one group.
pub fn fused_adamw(state: &AdamWState, options: AdamW) {
    let pointers =
        |tensors: &[Tensor]| -> Vec<_> { tensors.iter().map(|t| t.as_ptr().cast_mut()).collect() };
    let mut error = [0 as c_char; 512];
    // SAFETY: every pointer comes from a live Tensor borrowed for the whole call, the five
    // lists have one length (checked below), and the shim catches C++ exceptions.
    let status = unsafe {
        let n = state.params.len();
        let lists = [state.grads, state.exp_avg, state.exp_avg_sq, state.steps];
        assert!(
            lists.iter().all(|l| l.len() == n),
            "AdamW lists differ in length"
        );
        shim_fused_adamw(
            pointers(state.params).as_ptr(),
            pointers(state.grads).as_ptr(),
            pointers(state.exp_avg).as_ptr(),
            pointers(state.exp_avg_sq).as_ptr(),
            pointers(state.steps).as_ptr(),
            n as i64,
            options.lr,
            options.beta1,
            options.beta2,
            options.weight_decay,
            options.eps,
            error.as_mut_ptr(),
            error.len() as i64,
        )
    };
    // SAFETY: the shim ends the message with a zero within the buffer.
    let message = unsafe { CStr::from_ptr(error.as_ptr()) };
    assert!(
        status == 0,
        "libtorch refused the AdamW step: {}",
        message.to_string_lossy()
    );
}

/// Lets f32 matrix products and convolutions on CUDA use TF32.
pub fn allow_tf32(on: bool) {
    // SAFETY: sets two flags of libtorch's global context.
    unsafe { shim_allow_tf32(i32::from(on)) }
}

/// Gives cached device memory back; does nothing without CUDA.
pub fn empty_cache() {
    // SAFETY: takes no argument; a no-op without CUDA.
    unsafe { shim_empty_cache() }
}

/// The most device memory allocated so far, in bytes; `None` without CUDA.
pub fn peak_device_bytes(device: usize) -> Option<u64> {
    // SAFETY: reads libtorch's own statistics.
    let bytes = unsafe { shim_peak_bytes(device as i32) };
    u64::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn the_first_adamw_step_goes_one_learning_rate_against_the_gradient() {
        let zeros = || vec![Tensor::zeros([2], (Kind::Float, Device::Cpu))];
        let params = vec![Tensor::from_slice(&[1.0f32, -2.0])];
        let steps = vec![Tensor::zeros([] as [i64; 0], (Kind::Float, Device::Cpu))];
        let state = AdamWState {
            params: &params,
            grads: &[Tensor::from_slice(&[0.5f32, -3.0])],
            exp_avg: &zeros(),
            exp_avg_sq: &zeros(),
            steps: &steps,
        };
        let options = AdamW {
            lr: 0.1,
            beta1: 0.9,
            beta2: 0.95,
            weight_decay: 0.0,
            eps: 1e-8,
        };
        fused_adamw(&state, options);
        let stepped = Vec::<f32>::try_from(&params[0]).unwrap();
        assert!(
            (stepped[0] - 0.9).abs() < 1e-5 && (stepped[1] + 1.9).abs() < 1e-5,
            "{stepped:?}"
        );
        assert_eq!(steps[0].double_value(&[]), 1.0);
    }
}
