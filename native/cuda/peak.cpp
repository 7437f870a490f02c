#include <algorithm>

#include "cuda/launch.h"
#include "cuda/primitives.h"
#include "cuda/timer.h"

namespace deep_rnn::cuda {

namespace {

constexpr int kTimes = 9;
constexpr double kSeconds = 0.002;

// Operations a second of `run(size)`, which takes operations(size): the best of some runs at the first size, from `size`
// upwards by `factor`, that takes a good part of 2 ms, or at `most`.
template <class Run, class Operations>
double best_rate(int64_t size, int64_t most, int64_t factor, Run run, Operations operations) {
  double seconds = run(size);
  while (seconds < kSeconds / 4 && size < most) seconds = run(size *= factor);
  double rate = 0;
  for (int i = 0; i < kTimes; i++) rate = std::max(rate, operations(size) / std::max(run(size), 1e-9));
  return rate;
}

// Of square products in cuBLAS, with sums in float32.
double product_rate(Gpu& gpu, Timer& timer, cudaDataType_t type, size_t element, cublasComputeType_t compute) {
  constexpr int64_t kMost = 8192;
  DeviceMemory a(gpu), c(gpu);
  const auto run = [&](int64_t size) {
    const int64_t count = size * size;
    void* out = c.take(size_t(count) * sizeof(float));
    // Not zeros: a GPU that has nothing to switch runs faster than it ever does at work.
    random(gpu, {RandomKind::normal, DType::float32, count, 1, 0, 0, 1}, out);
    a.take(size_t(count) * element);
    if (type == CUDA_R_16BF) DEEP_RNN_LAUNCH(gpu, gpu.over_elements(count), cast_float32_bfloat16, count, out, a.data());
    if (type == CUDA_R_32F) gpu.copy(a.data(), out, size_t(count) * element);
    const float one = 1, zero = 0;
    return timer.seconds([&] {
      DEEP_RNN_CALL(gpu.api(), cublasGemmEx_64, gpu.cublas(), CUBLAS_OP_N, CUBLAS_OP_N, size, size, size, &one, a.data(), type,
                    size, a.data(), type, size, &zero, out, CUDA_R_32F, size, compute, CUBLAS_GEMM_DEFAULT);
    });
  };
  return best_rate(128, kMost, 2, run, [](int64_t size) { return 2.0 * double(size) * double(size) * double(size); });
}

double copy_rate(Gpu& gpu, Timer& timer) {
  constexpr int64_t kMost = int64_t(1) << 29;
  DeviceMemory from(gpu), to(gpu);
  const auto run = [&](int64_t bytes) {
    gpu.zero(from.take(size_t(bytes)), size_t(bytes));
    to.take(size_t(bytes));
    return timer.seconds([&] { gpu.copy(to.data(), from.data(), size_t(bytes)); });
  };
  return best_rate(int64_t(1) << 20, kMost, 4, run, [](int64_t bytes) { return 2.0 * double(bytes); });
}

// Seconds from one kernel to the next that does nothing but depend on it.
double seconds_between_kernels(Gpu& gpu, Timer& timer) {
  constexpr int kLaunches = 256;
  void* out = gpu.scratch(sizeof(float));
  double best = 1;
  for (int i = 0; i < kTimes; i++) {
    const double seconds = timer.seconds([&] {
      for (int launch = 0; launch < kLaunches; launch++) DEEP_RNN_LAUNCH(gpu, Launch{1}, fill_bits32, 1, 0u, out);
    });
    best = std::min(best, seconds / kLaunches);
  }
  return best;
}

}  // namespace

Peak measure_peak(Gpu& gpu) {
  const Launch shape = {unsigned(gpu.multiprocessors()) * 8};
  const int64_t threads = int64_t(shape.grid_x) * shape.block_x;
  auto* out = static_cast<float*>(gpu.scratch(size_t(threads) * sizeof(float)));
  Timer timer(gpu);
  const auto run = [&](int64_t rounds) {
    return timer.seconds([&] { DEEP_RNN_LAUNCH(gpu, shape, peak_float32, rounds, 1.0f, out); });
  };
  const auto operations = [&](int64_t rounds) { return double(rounds) * double(threads) * double(kPeakOperations); };
  Peak peak;
  peak.float32 = best_rate(1, int64_t(1) << 30, 4, run, operations);
  peak.bfloat16 = product_rate(gpu, timer, CUDA_R_16BF, 2, CUBLAS_COMPUTE_32F);
  peak.tf32 = product_rate(gpu, timer, CUDA_R_32F, 4, CUBLAS_COMPUTE_32F_FAST_TF32);
  peak.copy = copy_rate(gpu, timer);
  peak.barrier = seconds_between_kernels(gpu, timer);
  return peak;
}

}  // namespace deep_rnn::cuda
