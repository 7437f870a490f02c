// The one table of NVIDIA's functions that this project calls: their types come from NVIDIA's own headers, their addresses from
// the libraries that the machine has, opened at first use. Nothing of NVIDIA's is linked.
#pragma once
#include <cublas_v2.h>
#include <cuda.h>
#include <cudnn.h>

#include <string>

#include "core/error.h"

// Names are taken after macro expansion: cuda.h renames cuMemAlloc to cuMemAlloc_v2, in this table as in the library.
// clang-format off
#define DEEP_RNN_DRIVER_API(X) \
  X(cuInit) X(cuDriverGetVersion) X(cuGetErrorName) X(cuGetErrorString) X(cuDeviceGetCount) X(cuDeviceGet) \
  X(cuDeviceGetName) X(cuDeviceGetAttribute) X(cuDevicePrimaryCtxRetain) X(cuDevicePrimaryCtxRelease) \
  X(cuCtxPushCurrent) X(cuCtxPopCurrent) X(cuCtxSetCurrent) X(cuMemAlloc) X(cuMemFree) X(cuMemAllocHost) \
  X(cuMemFreeHost) X(cuMemcpyHtoDAsync) X(cuMemcpyDtoHAsync) X(cuMemcpyDtoDAsync) X(cuMemsetD32Async) X(cuStreamCreate) \
  X(cuStreamDestroy) X(cuStreamSynchronize) X(cuEventCreate) X(cuEventDestroy) X(cuEventRecord) X(cuEventSynchronize) \
  X(cuEventElapsedTime) X(cuModuleLoadData) X(cuModuleUnload) X(cuModuleGetFunction) X(cuLaunchKernel) \
  X(cuStreamBeginCapture) X(cuStreamEndCapture) X(cuGraphInstantiate) X(cuGraphLaunch) X(cuGraphExecDestroy) \
  X(cuGraphDestroy)

#define DEEP_RNN_CUBLAS_API(X) \
  X(cublasCreate) X(cublasDestroy) X(cublasGetVersion) X(cublasSetStream) X(cublasSetWorkspace) \
  X(cublasSgemmStridedBatched) X(cublasDgemmStridedBatched) X(cublasGemmEx_64)

#define DEEP_RNN_CUDNN_API(X) \
  X(cudnnGetVersion) X(cudnnAdvVersionCheck) X(cudnnGetErrorString) X(cudnnGetLastErrorString) X(cudnnCreate) \
  X(cudnnDestroy) X(cudnnSetStream) X(cudnnCreateRNNDescriptor) X(cudnnDestroyRNNDescriptor) X(cudnnSetRNNDescriptor_v8) \
  X(cudnnRNNSetClip_v9) X(cudnnBuildRNNDynamic) X(cudnnGetRNNWeightSpaceSize) X(cudnnGetRNNWeightParams) X(cudnnGetRNNTempSpaceSizes) \
  X(cudnnCreateRNNDataDescriptor) X(cudnnDestroyRNNDataDescriptor) X(cudnnSetRNNDataDescriptor) \
  X(cudnnCreateTensorDescriptor) X(cudnnDestroyTensorDescriptor) X(cudnnSetTensorNdDescriptor) \
  X(cudnnGetTensorNdDescriptor) X(cudnnCreateDropoutDescriptor) X(cudnnDestroyDropoutDescriptor) \
  X(cudnnDropoutGetStatesSize) X(cudnnSetDropoutDescriptor) X(cudnnRNNForward) X(cudnnRNNBackwardData_v8) \
  X(cudnnRNNBackwardWeights_v8) X(cudnnRestoreDropoutDescriptor)
// clang-format on

namespace deep_rnn::cuda {

// What cuDNN refuses or fails to do.
class CudnnError : public Error {
 public:
  using Error::Error;
};

struct Api {
#define DEEP_RNN_MEMBER(name) decltype(&::name) name = nullptr;
  DEEP_RNN_DRIVER_API(DEEP_RNN_MEMBER)
  DEEP_RNN_CUBLAS_API(DEEP_RNN_MEMBER)
  DEEP_RNN_CUDNN_API(DEEP_RNN_MEMBER)
#undef DEEP_RNN_MEMBER

  // Throw Error naming `call` and NVIDIA's reason unless the status is success; out of memory throws std::bad_alloc,
  // cuDNN's statuses CudnnError.
  void check(CUresult status, const char* call) const;
  void check(cublasStatus_t status, const char* call) const;
  void check(cudnnStatus_t status, const char* call) const;
};

// api.name(arguments...), checked.
#define DEEP_RNN_CALL(api, name, ...) (api).check((api).name(__VA_ARGS__), #name)

// One library as it was found, or why it was not.
struct Library {
  std::string name;     // "CUDA driver", "cuBLAS", "cuDNN"
  std::string path;     // of the file that was opened; empty: none was
  std::string failure;  // the names and folders tried and the loader's words; empty when it is in the table
};

struct Libraries {
  Api api;
  Library driver, cublas, cudnn;
  std::string failure() const;  // of all three, empty when the table is complete
};

// Opens the driver alone on the first call. Any thread.
bool has_driver();

// Opens the libraries on the first call, whatever the outcome; later calls give the same. Any thread.
const Libraries& libraries();

// The table. Throws Error with the reasons when a library is missing; without a driver the others are not even opened.
const Api& api();

}  // namespace deep_rnn::cuda
