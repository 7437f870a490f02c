// The CUDA backend: recurrent stacks in cuDNN, products in cuBLAS, everything else in kernels of our own, on one stream.
#pragma once
#include "core/backend.h"
#include "cuda/gpu.h"
#include "cuda/rnn_directions.h"

namespace deep_rnn::cuda {

// Only delegates; see core/backend.h for every argument. All functions push on the stream and return, but download,
// synchronize and measure_peak, which wait for it; between begin_step and end_step they may only gather, see graphs.h.
class CudaBackend final : public Backend {
 public:
  CudaBackend();

  std::string describe() const override;
  int threads() const override;
  Peak measure_peak() override;

  void* allocate(size_t bytes) override;
  void release(void* data, size_t bytes) override;
  void upload(void* device, const void* host, size_t bytes) override;
  void download(void* host, const void* device, size_t bytes) override;
  void synchronize() override;
  void begin_step() override;
  void end_step() override;
  GraphStatistics graph_statistics() const override;

  void fill(DType dtype, int64_t count, double value, void* out) override;
  void copy(DType dtype, const Strided& layout, bool accumulate, const void* src, void* dst) override;
  void cast(DType from, DType to, int64_t count, const void* x, void* y) override;
  void unary(UnaryOp op, DType dtype, int64_t count, double scalar, const void* x, void* y) override;
  void binary(BinaryOp op, DType dtype, const Strided& layout, const void* a, const void* b, void* out) override;
  void select(DType dtype, const Strided& layout, const int32_t* condition, const void* a, const void* b, void* out) override;
  void reduce(const ReduceDesc& desc, const void* x, void* out) override;
  void matmul(const MatmulDesc& desc, const void* a, const void* b, void* c) override;
  void gather(const GatherDesc& desc, const void* src, const int32_t* index, void* dst) override;
  void scatter_add(const GatherDesc& desc, const void* src, const int32_t* index, void* dst) override;
  void random(const RandomDesc& desc, void* out) override;

  void softmax(const SoftmaxDesc& desc, const void* x, void* y) override;
  void softmax_backward(const SoftmaxDesc& desc, const void* y, const void* dy, void* dx) override;
  void cross_entropy(const CrossEntropyDesc& desc, const void* logits, const int32_t* targets, const void* class_weights,
                     void* losses, void* weights, void* probabilities) override;
  void cross_entropy_backward(const CrossEntropyDesc& desc, const void* probabilities, const int32_t* targets,
                              const void* class_weights, const void* dlosses, void* dlogits) override;
  void sum_squares(DType dtype, int64_t count, bool accumulate, const void* x, void* out) override;
  void clip_norm(DType dtype, int64_t count, double max_norm, const void* sum_squares, void* gradients, void* norm) override;
  void optimizer_step(const OptimizerDesc& desc, const void* grads, void* params, void* state1, void* state2,
                      void* state3) override;

  std::string supports(const RnnDesc& desc) const override;
  RnnParamLayout rnn_param_layout(const RnnDesc& desc) const override;
  size_t rnn_reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const override;
  void rnn_forward(const RnnDesc& desc, const RnnForwardArgs& args) override;
  void rnn_backward(const RnnDesc& desc, const RnnBackwardArgs& args) override;
  std::vector<RnnPassExplanation> explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool uneven) override;
  void generate(const RnnDesc& rnn, const GenerateDesc& desc, const GenerateArgs& args) override;

 private:
  Gpu gpu_;
  Rnn rnn_;
  RnnDirections directions_;
  DeviceMemory generation_;
};

}  // namespace deep_rnn::cuda
