// The compiled kernels, embedded in this binary for all architectures.
#pragma once

namespace deep_rnn::cuda {

// What cuModuleLoadData takes.
const void* fatbin();

}  // namespace deep_rnn::cuda
