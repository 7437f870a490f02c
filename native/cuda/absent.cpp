// Stands in for the CUDA backend where it could not be built; the build says why.
#include "core/backend.h"
#include "core/error.h"

namespace deep_rnn {

std::unique_ptr<Backend> make_cuda_backend() {
  throw Error("Expected a CUDA device but this build has no CUDA backend: " DEEP_RNN_CUDA_ABSENT);
}

std::string cuda_report() { return "backend: not in this build: " DEEP_RNN_CUDA_ABSENT "\n"; }

}  // namespace deep_rnn
