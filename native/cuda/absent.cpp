// Stands in for the CUDA backend where it could not be built; the build says why.
#include "core/backend.h"
#include "core/cuda_diagnostics.h"
#include "core/error.h"

namespace deep_rnn {

std::unique_ptr<Backend> make_cuda_backend() {
  throw Error("Expected a CUDA device but this build has no CUDA backend: " DEEP_RNN_CUDA_ABSENT);
}

CudaPresence cuda_presence() { return CudaPresence::not_built; }

std::string cuda_report() { return "backend: not in this build: " DEEP_RNN_CUDA_ABSENT "\n"; }
std::vector<Probe> cuda_probes() { return {}; }
Verdict cuda_probe(size_t, bool) { throw Error("this build has no CUDA backend: " DEEP_RNN_CUDA_ABSENT); }
std::vector<KernelUse> cuda_kernels() { return {}; }
BareTimes cuda_bare_loop(const BareLoop&) { throw Error("this build has no CUDA backend: " DEEP_RNN_CUDA_ABSENT); }

}  // namespace deep_rnn
