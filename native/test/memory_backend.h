// A backend with memory, limited at will, and no arithmetic beyond fill: what tests of allocator and stream need.
#pragma once
#include <atomic>
#include <cstring>
#include <map>
#include <new>
#include <string>

#include "core/backend.h"
#include "core/error.h"

namespace deep_rnn::test {

class MemoryBackend : public Backend {
 public:
  // `capacity` bytes; what is still allocated when the backend dies is reported through `leaked`.
  explicit MemoryBackend(size_t capacity, size_t* leaked = nullptr) : capacity_(capacity), leaked_(leaked) {}
  ~MemoryBackend() override {
    if (leaked_) *leaked_ = used_;
  }

  size_t used() const { return used_; }
  int allocations() const { return allocations_; }

  std::string describe() const override { return "memory only"; }
  int threads() const override { return 1; }
  Peak measure_peak() override { refuse(); }
  void* allocate(size_t bytes) override {
    if (bytes > capacity_ - used_) throw std::bad_alloc();
    used_ += bytes;
    allocations_++;
    return ::operator new(bytes, std::align_val_t(64));
  }
  void release(void* data, size_t bytes) override {
    used_ -= bytes;
    ::operator delete(data, std::align_val_t(64));
  }
  void upload(void* device, const void* host, size_t bytes) override { std::memcpy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) override { std::memcpy(host, device, bytes); }
  void synchronize() override {}
  void fill(DType dtype, int64_t count, double value, void* out) override {
    if (dtype != DType::int32) refuse();
    for (int64_t i = 0; i < count; i++) static_cast<int32_t*>(out)[i] = int32_t(value);
  }

  void copy(DType, const Strided&, bool, const void*, void*) override { refuse(); }
  void cast(DType, DType, int64_t, const void*, void*) override { refuse(); }
  void unary(UnaryOp, DType, int64_t, double, const void*, void*) override { refuse(); }
  void binary(BinaryOp, DType, const Strided&, const void*, const void*, void*) override { refuse(); }
  void select(DType, const Strided&, const int32_t*, const void*, const void*, void*) override { refuse(); }
  void reduce(const ReduceDesc&, const void*, void*) override { refuse(); }
  void matmul(const MatmulDesc&, const void*, const void*, void*) override { refuse(); }
  void gather(const GatherDesc&, const void*, const int32_t*, void*) override { refuse(); }
  void scatter_add(const GatherDesc&, const void*, const int32_t*, void*) override { refuse(); }
  void random(const RandomDesc&, void*) override { refuse(); }
  void softmax(const SoftmaxDesc&, const void*, void*) override { refuse(); }
  void softmax_backward(const SoftmaxDesc&, const void*, const void*, void*) override { refuse(); }
  void cross_entropy(const CrossEntropyDesc&, const void*, const int32_t*, const void*, void*, void*, void*) override {
    refuse();
  }
  void cross_entropy_backward(const CrossEntropyDesc&, const void*, const int32_t*, const void*, const void*, void*) override {
    refuse();
  }
  void sum_squares(DType, int64_t, bool, const void*, void*) override { refuse(); }
  void clip_norm(DType, int64_t, double, const void*, void*, void*) override { refuse(); }
  void optimizer_step(const OptimizerDesc&, const void*, void*, void*, void*, void*) override { refuse(); }
  std::string supports(const RnnDesc&) const override { return "the memory backend has no arithmetic"; }
  RnnParamLayout rnn_param_layout(const RnnDesc&) const override { refuse(); }
  size_t rnn_reserve_bytes(const RnnDesc&, int64_t, int64_t) const override { refuse(); }
  void rnn_forward(const RnnDesc&, const RnnForwardArgs&) override { refuse(); }
  void rnn_backward(const RnnDesc&, const RnnBackwardArgs&) override { refuse(); }
  std::vector<RnnPassExplanation> explain(const RnnDesc&, int64_t, int64_t, bool) override { refuse(); }
  void generate(const RnnDesc&, const GenerateDesc&, const GenerateArgs&) override { refuse(); }

 private:
  [[noreturn]] static void refuse() { throw Error("the memory backend has no arithmetic"); }

  const size_t capacity_;
  size_t* leaked_;
  size_t used_ = 0;
  int allocations_ = 0;
};

}  // namespace deep_rnn::test
