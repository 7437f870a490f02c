// Questions to the CUDA backend beside its work as a device: what doctor, verify-gpu and bench ask. Each opens the GPU for
// itself on the calling thread and is done when it returns. All throw Error where this build has no CUDA backend, but those
// whose comment says otherwise.
#pragma once
#include <string>
#include <vector>

#include "core/desc.h"

namespace deep_rnn {

// What the CUDA backend finds on this machine, in lines "name: what"; one line alone where the build has none.
std::string cuda_report();

// Something that the backend takes for granted of NVIDIA's libraries, or would like to know of them.
struct Probe {
  const char* name;
  bool relied_on;     // the backend is wrong where this is refuted
  const char* claim;  // in a sentence
};
struct Verdict {
  bool confirmed;
  std::string evidence;   // what was measured
  bool left_out = false;  // not asked at all, the evidence says why
};

// Empty where the build has no CUDA backend.
std::vector<Probe> cuda_probes();
// Asks the GPU, with smaller sizes when `quick`; `probe` is an index into cuda_probes(). A library that gives up takes the
// process with it.
Verdict cuda_probe(size_t probe, bool quick);

// Every kernel of ours, and whether this process has launched it. Empty where the build has no CUDA backend.
struct KernelUse {
  std::string name;
  bool launched;
};
std::vector<KernelUse> cuda_kernels();

// cuDNN's calls of one training pass over a stack, in a bare loop without anything of this project around them.
struct BareLoop {
  RnnDesc rnn;
  int algorithm = 0;  // cudnnRNNAlgo_t
  int64_t steps = 1, batch = 1;
  int rounds = 1;  // of which the median counts
};
// Seconds; the first four between events on the stream.
struct BareTimes {
  double forward = 0, backward_data = 0, backward_weights = 0;
  double step = 0;       // the three calls, one after the other
  double wall = 0;       // of a step, on the host's clock, all rounds on their way at once
  double workspace = 0;  // bytes
  double reserve = 0;    // bytes
};
// Throws Error with cuDNN's words where it refuses.
BareTimes cuda_bare_loop(const BareLoop& loop);

}  // namespace deep_rnn
