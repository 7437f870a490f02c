// cuDNN's descriptors of one recurrent stack and of the data of one pass over it.
#pragma once
#include <vector>

#include "core/desc.h"
#include "cuda/api.h"

namespace deep_rnn::cuda {

// A cuDNN object that lives as long as this.
template <class T>
class Owned {
 public:
  Owned(const Api& api, cudnnStatus_t (*create)(T*), cudnnStatus_t (*destroy)(T), const char* call) : destroy_(destroy) {
    api.check(create(&object_), call);
  }
  ~Owned() { destroy_(object_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  operator T() const { return object_; }

 private:
  T object_ = nullptr;
  cudnnStatus_t (*destroy_)(T);
};

#define DEEP_RNN_OWNED(api, kind) \
  { api, (api).cudnnCreate##kind, (api).cudnnDestroy##kind, "cudnnCreate" #kind }

// The stack that really runs: dropout works between layers, while training.
inline RnnDesc effective(RnnDesc desc, bool training) {
  if (!training || desc.layers == 1) desc.dropout = 0;
  return desc;
}

// Not shared between threads.
struct RnnDescriptors {
  explicit RnnDescriptors(const Api& api) : api(api) {}

  const Api& api;
  Owned<cudnnDropoutDescriptor_t> dropout DEEP_RNN_OWNED(api, DropoutDescriptor);
  Owned<cudnnRNNDescriptor_t> rnn DEEP_RNN_OWNED(api, RNNDescriptor);
  Owned<cudnnRNNDataDescriptor_t> x DEEP_RNN_OWNED(api, RNNDataDescriptor), y DEEP_RNN_OWNED(api, RNNDataDescriptor);
  Owned<cudnnTensorDescriptor_t> h DEEP_RNN_OWNED(api, TensorDescriptor), c DEEP_RNN_OWNED(api, TensorDescriptor);

  // Throws Error in cuDNN's words where it refuses the stack. Needs no handle, so `dropout` may not be set yet.
  void set_stack(const RnnDesc& desc);
  // lengths [batch] on the host, or null: all `steps`.
  void set_data(const RnnDesc& desc, int64_t steps, int64_t batch, const int32_t* lengths);
  // As set last.
  int64_t steps() const { return steps_; }
  int64_t batch() const { return int64_t(lengths_.size()); }

 private:
  int64_t steps_ = 0;
  std::vector<int32_t> lengths_;
};

}  // namespace deep_rnn::cuda
