#include "cuda/backend.h"

#include <algorithm>

#include "core/error.h"
#include "cuda/generate.h"
#include "cuda/primitives.h"
#include "cuda/rnn_params.h"

namespace deep_rnn {

std::unique_ptr<Backend> make_cuda_backend() {
  try {
    return std::make_unique<cuda::CudaBackend>();
  } catch (const std::exception& failure) {
    throw Error(std::string("Expected a CUDA device but none can be used: ") + failure.what());
  }
}

CudaPresence cuda_presence() { return cuda::has_driver() ? CudaPresence::driver : CudaPresence::no_driver; }

}  // namespace deep_rnn

namespace deep_rnn::cuda {

CudaBackend::CudaBackend() : rnn_(gpu_), directions_(gpu_, rnn_), generation_(gpu_) {}

std::string CudaBackend::describe() const { return gpu_.description(); }
int CudaBackend::threads() const { return gpu_.multiprocessors(); }
Peak CudaBackend::measure_peak() {
  gpu_.flush();
  return cuda::measure_peak(gpu_);
}

void* CudaBackend::allocate(size_t bytes) {
  CUdeviceptr memory = 0;
  DEEP_RNN_CALL(gpu_.api(), cuMemAlloc, &memory, std::max<size_t>(bytes, 1));
  return reinterpret_cast<void*>(memory);
}
void CudaBackend::release(void* data, size_t) {
  // Commands that use it may still be on their way. A failure here has been, or will be, reported by the next command.
  gpu_.flush();
  gpu_.api().cuStreamSynchronize(gpu_.stream());
  gpu_.api().cuMemFree(reinterpret_cast<CUdeviceptr>(data));
}
void CudaBackend::upload(void* device, const void* host, size_t bytes) { gpu_.upload(device, host, bytes); }
void CudaBackend::download(void* host, const void* device, size_t bytes) { gpu_.download(host, device, bytes); }
void CudaBackend::synchronize() { gpu_.synchronize(); }
void CudaBackend::begin_step() { gpu_.graphs().begin(); }
void CudaBackend::end_step() { gpu_.graphs().end(); }
GraphStatistics CudaBackend::graph_statistics() const { return gpu_.graphs().statistics(); }

void CudaBackend::fill(DType dtype, int64_t count, double value, void* out) { cuda::fill(gpu_, dtype, count, value, out); }
void CudaBackend::copy(DType dtype, const Strided& layout, bool accumulate, const void* src, void* dst) {
  cuda::copy(gpu_, dtype, layout, accumulate, src, dst);
}
void CudaBackend::cast(DType from, DType to, int64_t count, const void* x, void* y) { cuda::cast(gpu_, from, to, count, x, y); }
void CudaBackend::unary(UnaryOp op, DType dtype, int64_t count, double scalar, const void* x, void* y) {
  cuda::unary(gpu_, op, dtype, count, scalar, x, y);
}
void CudaBackend::binary(BinaryOp op, DType dtype, const Strided& layout, const void* a, const void* b, void* out) {
  cuda::binary(gpu_, op, dtype, layout, a, b, out);
}
void CudaBackend::select(DType dtype, const Strided& layout, const int32_t* condition, const void* a, const void* b,
                         void* out) {
  cuda::select(gpu_, dtype, layout, condition, a, b, out);
}
void CudaBackend::reduce(const ReduceDesc& desc, const void* x, void* out) { cuda::reduce(gpu_, desc, x, out); }
void CudaBackend::matmul(const MatmulDesc& desc, const void* a, const void* b, void* c) { cuda::matmul(gpu_, desc, a, b, c); }
void CudaBackend::gather(const GatherDesc& desc, const void* src, const int32_t* index, void* dst) {
  cuda::gather(gpu_, desc, src, index, dst);
}
void CudaBackend::scatter_add(const GatherDesc& desc, const void* src, const int32_t* index, void* dst) {
  cuda::scatter_add(gpu_, desc, src, index, dst);
}
void CudaBackend::random(const RandomDesc& desc, void* out) { cuda::random(gpu_, desc, out); }

void CudaBackend::softmax(const SoftmaxDesc& desc, const void* x, void* y) { cuda::softmax(gpu_, desc, x, y); }
void CudaBackend::softmax_backward(const SoftmaxDesc& desc, const void* y, const void* dy, void* dx) {
  cuda::softmax_backward(gpu_, desc, y, dy, dx);
}
void CudaBackend::cross_entropy(const CrossEntropyDesc& desc, const void* logits, const int32_t* targets,
                                const void* class_weights, void* losses, void* weights, void* probabilities) {
  cuda::cross_entropy(gpu_, desc, logits, targets, class_weights, losses, weights, probabilities);
}
void CudaBackend::cross_entropy_backward(const CrossEntropyDesc& desc, const void* probabilities, const int32_t* targets,
                                         const void* class_weights, const void* dlosses, void* dlogits) {
  cuda::cross_entropy_backward(gpu_, desc, probabilities, targets, class_weights, dlosses, dlogits);
}
void CudaBackend::sum_squares(DType dtype, int64_t count, bool accumulate, const void* x, void* out) {
  cuda::sum_squares(gpu_, dtype, count, accumulate, x, out);
}
void CudaBackend::clip_norm(DType dtype, int64_t count, double max_norm, const void* sum_squares, void* gradients, void* norm) {
  cuda::clip_norm(gpu_, dtype, count, max_norm, sum_squares, gradients, norm);
}
void CudaBackend::optimizer_step(const OptimizerDesc& desc, const void* grads, void* params, void* state1, void* state2,
                                 void* state3) {
  cuda::optimizer_step(gpu_, desc, grads, params, state1, state2, state3);
}

std::string CudaBackend::supports(const RnnDesc& desc) const { return rnn_.supports(desc); }
RnnParamLayout CudaBackend::rnn_param_layout(const RnnDesc& desc) const { return cuda::rnn_param_layout(desc); }
size_t CudaBackend::rnn_reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const {
  return directions_.reserve_bytes(desc, steps, batch);
}
void CudaBackend::rnn_forward(const RnnDesc& desc, const RnnForwardArgs& args) { directions_.forward(desc, args); }
void CudaBackend::rnn_backward(const RnnDesc& desc, const RnnBackwardArgs& args) { directions_.backward(desc, args); }
std::vector<RnnPassExplanation> CudaBackend::explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool uneven) {
  return directions_.explain(desc, steps, batch, uneven);
}
void CudaBackend::generate(const RnnDesc& rnn, const GenerateDesc& desc, const GenerateArgs& args) {
  cuda::generate(gpu_, rnn_, generation_, rnn, desc, args);
}

}  // namespace deep_rnn::cuda
