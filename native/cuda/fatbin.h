// The compiled kernels, embedded in this binary for all architectures.
#pragma once

namespace deep_rnn::cuda {

// What cuModuleLoadData takes.
const void* fatbin();

// What they are compiled for: machine code (sm_90) and the form that the driver of a later GPU compiles (compute_80).
const char* fatbin_targets();

}  // namespace deep_rnn::cuda
