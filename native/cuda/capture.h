// Work of the GPU's stream as a CUDA graph.
#pragma once
#include <functional>
#include <string>

#include "cuda/gpu.h"

namespace deep_rnn::cuda {

// What `push` puts on the stream, without running it. Null where the driver or a library refuses, whose words go to `refusal`.
// The caller destroys it.
CUgraphExec capture(Gpu& gpu, const std::function<void()>& push, std::string* refusal = nullptr);

}  // namespace deep_rnn::cuda
