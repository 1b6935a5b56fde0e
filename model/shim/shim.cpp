// What tch 0.24 does not bind. Compiles without CUDA headers.
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_fused_adamw.h>
#include <c10/core/GradMode.h>
#include <cstdint>
#include <cstring>
#include <exception>
#include <vector>

namespace {
std::vector<at::Tensor> list(at::Tensor **t, int64_t n) {
  std::vector<at::Tensor> v;
  v.reserve(n);
  for (int64_t i = 0; i < n; ++i) v.push_back(*t[i]);
  return v;
}
} // namespace

extern "C" {
// One fused AdamW step over all parameters. Returns 0, or 1 with a message in `error`.
int shim_fused_adamw(at::Tensor **params, at::Tensor **grads, at::Tensor **exp_avg,
                     at::Tensor **exp_avg_sq, at::Tensor **steps, int64_t n, double lr,
                     double beta1, double beta2, double weight_decay, double eps, char *error,
                     int64_t error_len) {
  try {
    c10::NoGradGuard no_grad;
    auto p = list(params, n), g = list(grads, n), m = list(exp_avg, n), v = list(exp_avg_sq, n),
         s = list(steps, n);
    // The kernel corrects its moments by the count after this step.
    at::_foreach_add_(s, 1);
    at::_fused_adamw_(p, g, m, v, {}, s, lr, beta1, beta2, weight_decay, eps,
                      /*amsgrad=*/false, /*maximize=*/false);
    return 0;
  } catch (const std::exception &e) {
    std::strncpy(error, e.what(), error_len - 1);
    error[error_len - 1] = 0;
    return 1;
  }
}

void shim_allow_tf32(int on) {
  at::globalContext().setAllowTF32CuBLAS(on);
  at::globalContext().setAllowTF32CuDNN(on);
}

void shim_empty_cache() {
  if (at::hasCUDA()) at::accelerator::emptyCache();
}

// Peak bytes allocated on the accelerator, or -1 without one.
int64_t shim_peak_bytes(int device) {
  if (!at::hasCUDA()) return -1;
  return at::accelerator::getDeviceStats(device).allocated_bytes[0].peak;
}
}
