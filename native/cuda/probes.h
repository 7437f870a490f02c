// What the backend takes for granted of NVIDIA's libraries, each as a question to the GPU. See core/cuda_diagnostics.h.
#pragma once
#include "core/cuda_diagnostics.h"
#include "cuda/bare_stack.h"

namespace deep_rnn::cuda {

struct ProbeCode {
  Probe probe;
  Verdict (*ask)(Gpu& gpu, bool quick);
};

// In probes_weights.cpp, probes_passes.cpp, probes_limits.cpp, probes_graphs.cpp.
std::vector<ProbeCode> weight_probes();
std::vector<ProbeCode> pass_probes();
std::vector<ProbeCode> limit_probes();
std::vector<ProbeCode> graph_probes();

// max |a - b|; infinity where the sizes differ or anything is NaN.
double distance(const std::vector<double>& a, const std::vector<double>& b);
// Shortest digits that tell numbers of this size apart.
std::string number(double value);

// What a training pass over a stack leaves.
struct PassResults {
  std::vector<double> y, hy, cy, dx, dhx, dcx, dweights;
};
PassResults results_of(BareStack& stack);
// Runs forward, backward data and backward weights. Throws Error.
PassResults run_pass(BareStack& stack, bool states = true);
// The largest distance of two passes' results; all of them, or infinity where anything is NaN.
double distance(const PassResults& a, const PassResults& b);

}  // namespace deep_rnn::cuda
