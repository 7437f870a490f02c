// What doctor, verify-gpu and bench ask of the backend, but for the probes.
#include <algorithm>
#include <chrono>

#include "core/cuda_diagnostics.h"
#include "cuda/bare_stack.h"
#include "cuda/fatbin.h"
#include "cuda/kernels/kernels.h"
#include "cuda/timer.h"

namespace deep_rnn {

std::string cuda_report() {
  const cuda::Libraries& libraries = cuda::libraries();
  std::string report = std::string("kernels: ") + cuda::fatbin_targets() + "\n";
  const auto add = [&](const cuda::Library& library, const std::string& version) {
    report += library.name + ": ";
    report += library.failure.empty() ? (version.empty() ? "" : version + ", ") + library.path : "missing: " + library.failure;
    report += "\n";
  };
  const auto text = [](int version, int major, int minor) {
    return std::to_string(version / major) + "." + std::to_string(version % major / minor);
  };
  int driver = 0, cublas = 0;
  if (libraries.driver.failure.empty()) libraries.api.cuDriverGetVersion(&driver);
  add(libraries.driver, driver > 0 ? "for CUDA " + text(driver, 1000, 10) : "");
  if (libraries.cublas.failure.empty()) libraries.api.cublasGetVersion(nullptr, &cublas);
  add(libraries.cublas, cublas > 0 ? text(cublas, 10000, 100) : "");
  // The facade of cuDNN answers only when all its parts are there.
  const size_t cudnn = libraries.cudnn.failure.empty() ? libraries.api.cudnnGetVersion() : 0;
  add(libraries.cudnn, cudnn > 0 ? text(int(cudnn), 10000, 100) + "." + std::to_string(cudnn % 100) : "");
  try {
    report += "GPU: " + cuda::Gpu().description() + "\n";
  } catch (const std::exception& failure) {
    report += std::string("GPU: none: ") + failure.what() + "\n";
  }
  return report;
}

std::vector<KernelUse> cuda_kernels() {
  std::vector<KernelUse> uses;
#undef DEEP_RNN_KERNEL
#define DEEP_RNN_KERNEL(name, parameters) uses.push_back({#name, cuda::has_kernel_number(#name)});
#include "cuda/kernels/kernel_list.h"
  return uses;
}

BareTimes cuda_bare_loop(const BareLoop& loop) {
  using cuda::BareStack;
  cuda::Gpu gpu;
  const cuda::Api& api = gpu.api();
  cuda::BareConfig config = cuda::bare_config(loop.rnn, loop.steps, loop.batch);
  config.algorithm = cudnnRNNAlgo_t(loop.algorithm);
  BareStack stack(gpu, config);
  cuda::Timer timer(gpu);
  const auto forward = [&] { api.check(stack.forward(false), "cudnnRNNForward"); };
  const auto backward_data = [&] { api.check(stack.backward_data(false), "cudnnRNNBackwardData_v8"); };
  const auto backward_weights = [&] { api.check(stack.backward_weights(false), "cudnnRNNBackwardWeights_v8"); };
  const auto step = [&] { forward(), backward_data(), backward_weights(); };
  const auto median = [](std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  };
  const int rounds = std::max(loop.rounds, 1);
  // The first steps choose and load kernels, and the clock of a GPU rises with its work.
  for (int i = 0; i < (rounds + 3) / 4; i++) step();
  gpu.synchronize();

  std::vector<double> forwards, data, weights, steps;
  for (int i = 0; i < rounds; i++) {
    forwards.push_back(timer.seconds(forward));
    data.push_back(timer.seconds(backward_data));
    weights.push_back(timer.seconds(backward_weights));
  }
  for (int i = 0; i < rounds; i++) steps.push_back(timer.seconds(step));
  gpu.synchronize();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; i++) step();
  gpu.synchronize();
  BareTimes times;
  times.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / rounds;
  times.forward = median(forwards);
  times.backward_data = median(data);
  times.backward_weights = median(weights);
  times.step = median(steps);
  times.workspace = double(stack.workspace_bytes());
  times.reserve = double(stack.reserve_bytes());
  return times;
}

}  // namespace deep_rnn
