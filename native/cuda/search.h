// Where NVIDIA's libraries may lie.
#pragma once
#include <string>
#include <vector>

namespace deep_rnn::cuda {

// The folders to look in, the first one first: those of DEEP_RNN_CUDA_PATH, then "" for the loader's own paths, CUDA_HOME and
// CUDA_PATH, /usr/local/cuda, and nvidia/*/lib of the Python packages of VIRTUAL_ENV, CONDA_PREFIX, the user and the system.
// Only folders that exist.
std::vector<std::string> library_folders();

}  // namespace deep_rnn::cuda
