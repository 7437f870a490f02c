// The shim takes exactly the descriptors that the real cuDNN takes, which checks them without a GPU: 500,000 random ones are
// shown to both. Usage: gpu_shim_descriptors_test SHIM_FOLDER. The real library is looked for in the folder that
// DEEP_RNN_REAL_CUDNN names, then where the CUDA backend looks.
#include <cudnn.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/search.h"

namespace {

// One library's descriptors and the functions that set them.
struct Library {
  explicit Library(void* handle) {
#define DEEP_RNN_FIND(member, name) member = reinterpret_cast<decltype(&::name)>(dlsym(handle, #name))
    DEEP_RNN_FIND(set_rnn, cudnnSetRNNDescriptor_v8);
    DEEP_RNN_FIND(set_clip, cudnnRNNSetClip_v9);
    DEEP_RNN_FIND(set_data, cudnnSetRNNDataDescriptor);
    DEEP_RNN_FIND(set_tensor, cudnnSetTensorNdDescriptor);
#undef DEEP_RNN_FIND
    reinterpret_cast<decltype(&::cudnnCreateRNNDescriptor)>(dlsym(handle, "cudnnCreateRNNDescriptor"))(&rnn);
    reinterpret_cast<decltype(&::cudnnCreateRNNDataDescriptor)>(dlsym(handle, "cudnnCreateRNNDataDescriptor"))(&data);
    reinterpret_cast<decltype(&::cudnnCreateTensorDescriptor)>(dlsym(handle, "cudnnCreateTensorDescriptor"))(&tensor);
    reinterpret_cast<decltype(&::cudnnCreateDropoutDescriptor)>(dlsym(handle, "cudnnCreateDropoutDescriptor"))(&dropout);
  }
  decltype(&::cudnnSetRNNDescriptor_v8) set_rnn;
  decltype(&::cudnnRNNSetClip_v9) set_clip;
  decltype(&::cudnnSetRNNDataDescriptor) set_data;
  decltype(&::cudnnSetTensorNdDescriptor) set_tensor;
  cudnnRNNDescriptor_t rnn = nullptr;
  cudnnRNNDataDescriptor_t data = nullptr;
  cudnnTensorDescriptor_t tensor = nullptr;
  cudnnDropoutDescriptor_t dropout = nullptr;
};

// Null where a part is missing: the facade would end the process.
void* open_real(const std::string& folder) {
  for (const char* part : {"libcudnn_graph.so.9", "libcudnn_ops.so.9", "libcudnn_adv.so.9"})
    if (!dlopen((folder + "/" + part).c_str(), RTLD_NOW | RTLD_LOCAL)) return nullptr;
  return dlopen((folder + "/libcudnn.so.9").c_str(), RTLD_NOW | RTLD_LOCAL);
}

class Comparison {
 public:
  Comparison(Library& real, Library& shim) : real_(real), shim_(shim) {}

  void rnn() {
    const int hidden = number(-1, 9), projection = number(0, 2) ? hidden : number(-1, 12), input = number(-1, 9);
    const int algo = mode(3), cell = mode(3), bias = mode(3), direction = mode(1), input_mode = mode(1), layers = number(0, 3);
    const int type = any_type(), math = number(0, 2) ? CUDNN_DATA_FLOAT : any_type();
    const unsigned flags = number(0, 6) ? unsigned(number(0, 1)) : unsigned(number(0, 5));
    const int math_type = number(0, 3);
    compare("RNN", {algo, cell, bias, direction, input_mode, type, math, input, hidden, projection, layers, int(flags)},
            [&](Library& library) {
              return library.set_rnn(library.rnn, cudnnRNNAlgo_t(algo), cudnnRNNMode_t(cell), cudnnRNNBiasMode_t(bias),
                                     cudnnDirectionMode_t(direction), cudnnRNNInputMode_t(input_mode), cudnnDataType_t(type),
                                     cudnnDataType_t(math), cudnnMathType_t(math_type), input, hidden, projection, layers,
                                     library.dropout, flags);
            });
  }

  void data() {
    const int steps = number(0, 6), batch = number(0, 4), width = number(0, 3), layout = mode(2), type = any_type();
    std::vector<int> lengths(8);
    for (int& length : lengths) length = number(0, 8) ? number(1, std::min(steps + 1, 6)) : number(-1, 1);
    if (number(0, 1)) std::sort(lengths.begin(), lengths.end(), [](int a, int b) { return a > b; });
    if (number(0, 3) == 0) lengths[0] = std::max(1, steps);
    double fill = 0;
    void* fills = number(0, 1) ? &fill : nullptr;
    compare("data", {type, layout, steps, batch, width, lengths[0], lengths[1], lengths[2], lengths[3]}, [&](Library& library) {
      return library.set_data(library.data, cudnnDataType_t(type), cudnnRNNDataLayout_t(layout), steps, batch, width,
                              lengths.data(), fills);
    });
  }

  void clip() {
    const int clip_mode = number(0, 1);
    const double low = number(-3, 3), high = number(-3, 3);
    compare("clip", {clip_mode, int(low), int(high)}, [&](Library& library) {
      // Clipping is set on a stack that is set.
      library.set_rnn(library.rnn, CUDNN_RNN_ALGO_STANDARD, CUDNN_LSTM, CUDNN_RNN_DOUBLE_BIAS, CUDNN_UNIDIRECTIONAL,
                      CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, CUDNN_FMA_MATH, 3, 4, 4, 1, library.dropout, 0);
      return library.set_clip(library.rnn, cudnnRNNClipMode_t(clip_mode), low, high);
    });
  }

  void tensor() {
    const int rank = number(3, 5);
    std::vector<int> shape, strides(8, 1);
    for (int i = 0; i < 8; i++) shape.push_back(number(0, 9) ? number(1, 5) : number(-1, 0));
    for (int i = rank - 2; i >= 0; i--) strides[size_t(i)] = std::max(1, strides[size_t(i + 1)] * shape[size_t(i + 1)]);
    compare("tensor", {rank, shape[0], shape[1], shape[2]}, [&](Library& library) {
      return library.set_tensor(library.tensor, CUDNN_DATA_FLOAT, rank, shape.data(), strides.data());
    });
  }

  long compared = 0, accepted = 0, mismatches = 0;

 private:
  int number(int low, int high) { return low + int(random_() % uint64_t(high - low + 1)); }
  int mode(int last) { return number(0, 12) ? number(0, last) : number(-1, last + 2); }
  int any_type() {
    const int types[] = {CUDNN_DATA_FLOAT,    CUDNN_DATA_FLOAT, CUDNN_DATA_DOUBLE, CUDNN_DATA_HALF,
                         CUDNN_DATA_BFLOAT16, CUDNN_DATA_INT8,  CUDNN_DATA_INT32};
    return types[number(0, 6)];
  }

  template <class Call>
  void compare(const char* what, const std::vector<int>& numbers, Call call) {
    const cudnnStatus_t by_real = call(real_), by_shim = call(shim_);
    compared++;
    accepted += by_real == CUDNN_STATUS_SUCCESS;
    if ((by_real == CUDNN_STATUS_SUCCESS) == (by_shim == CUDNN_STATUS_SUCCESS)) return;
    if (mismatches++ >= 10) return;
    std::fprintf(stderr, "%s: cuDNN %d, shim %d:", what, int(by_real), int(by_shim));
    for (int value : numbers) std::fprintf(stderr, " %d", value);
    std::fprintf(stderr, "\n");
  }

  Library& real_;
  Library& shim_;
  std::mt19937_64 random_{1};
};

}  // namespace

int main(int count, char** arguments) {
  CHECK_EQUAL(count, 2);
  void* shim_handle = dlopen((std::string(arguments[1]) + "/libgpu_shim.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!shim_handle) std::fprintf(stderr, "%s\n", dlerror());
  CHECK(shim_handle != nullptr);
  std::vector<std::string> folders = deep_rnn::cuda::library_folders();
  if (const char* own = std::getenv("DEEP_RNN_REAL_CUDNN")) folders.insert(folders.begin(), own);
  void* real_handle = nullptr;
  for (const std::string& folder : folders)
    if (!real_handle && !folder.empty() && folder != arguments[1]) real_handle = open_real(folder);
  if (!real_handle) {
    std::fprintf(stderr,
                 "The comparison with the real cuDNN is LEFT OUT: it was not found (DEEP_RNN_REAL_CUDNN names its folder)\n");
    return std::getenv("CI") ? 1 : 0;
  }
  Library real(real_handle), shim(shim_handle);
  Comparison comparison(real, shim);
  for (int i = 0; i < 250000; i++) comparison.rnn();
  for (int i = 0; i < 200000; i++) comparison.data();
  for (int i = 0; i < 25000; i++) comparison.clip();
  for (int i = 0; i < 25000; i++) comparison.tensor();
  std::printf("%ld descriptors shown to the real cuDNN, which took %ld, and to the shim: %ld answers differ\n",
              comparison.compared, comparison.accepted, comparison.mismatches);
  CHECK_EQUAL(comparison.mismatches, 0L);
  CHECK(comparison.accepted > 20000);
}
