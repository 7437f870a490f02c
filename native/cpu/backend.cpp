#include "cpu/backend.h"

#include <algorithm>
#include <cstring>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#endif

#include "core/error.h"
#include "cpu/gemm.h"
#include "cpu/generate.h"
#include "cpu/memory.h"
#include "cpu/peak.h"
#include "cpu/rnn.h"

namespace deep_rnn {

namespace {

// Containers and taskset leave a process fewer processors than the machine has.
int usable_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  return std::max(1, int(std::thread::hardware_concurrency()));
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  constexpr int kMaxThreads = 1024;
  if (threads < 0 || threads > kMaxThreads)
    throw Error("Expected 0.." + std::to_string(kMaxThreads) + " for threads but received " + std::to_string(threads));
  return std::make_unique<cpu::CpuBackend>(threads > 0 ? threads : std::min(usable_processors(), kMaxThreads), cpu::kernels());
}

}  // namespace deep_rnn

namespace deep_rnn::cpu {

CpuBackend::CpuBackend(int threads, const KernelSet& kernels) : team_(threads), context_{team_, kernels} {}

std::string CpuBackend::describe() const {
  const std::string threads = std::to_string(team_.size()) + (team_.size() == 1 ? " thread" : " threads");
  return std::string("CPU, ") + context_.kernels.name + ", " + threads;
}

int CpuBackend::threads() const { return team_.size(); }
Peak CpuBackend::measure_peak() { return cpu::measure_peak(context_); }

void* CpuBackend::allocate(size_t bytes) { return allocate_memory(bytes); }
void CpuBackend::release(void* data, size_t bytes) { release_memory(data, bytes); }
void CpuBackend::upload(void* device, const void* host, size_t bytes) {
  if (bytes > 0) std::memcpy(device, host, bytes);
}
void CpuBackend::download(void* host, const void* device, size_t bytes) {
  if (bytes > 0) std::memcpy(host, device, bytes);
}

void CpuBackend::fill(DType dtype, int64_t count, double value, void* out) { cpu::fill(context_, dtype, count, value, out); }
void CpuBackend::copy(DType dtype, const Strided& layout, bool accumulate, const void* src, void* dst) {
  cpu::copy(context_, dtype, layout, accumulate, src, dst);
}
void CpuBackend::cast(DType from, DType to, int64_t count, const void* x, void* y) {
  cpu::cast(context_, from, to, count, x, y);
}
void CpuBackend::unary(UnaryOp op, DType dtype, int64_t count, double scalar, const void* x, void* y) {
  cpu::unary(context_, op, dtype, count, scalar, x, y);
}
void CpuBackend::binary(BinaryOp op, DType dtype, const Strided& layout, const void* a, const void* b, void* out) {
  cpu::binary(context_, op, dtype, layout, a, b, out);
}
void CpuBackend::select(DType dtype, const Strided& layout, const int32_t* condition, const void* a, const void* b, void* out) {
  cpu::select(context_, dtype, layout, condition, a, b, out);
}
void CpuBackend::reduce(const ReduceDesc& desc, const void* x, void* out) { cpu::reduce(context_, desc, x, out); }
void CpuBackend::matmul(const MatmulDesc& desc, const void* a, const void* b, void* c) {
  cpu::matmul(team_, workspace_, context_.kernels, desc, a, b, c);
}
void CpuBackend::gather(const GatherDesc& desc, const void* src, const int32_t* index, void* dst) {
  cpu::gather(context_, desc, src, index, dst);
}
void CpuBackend::scatter_add(const GatherDesc& desc, const void* src, const int32_t* index, void* dst) {
  cpu::scatter_add(context_, desc, src, index, dst);
}
void CpuBackend::random(const RandomDesc& desc, void* out) { cpu::random(context_, desc, out); }

void CpuBackend::softmax(const SoftmaxDesc& desc, const void* x, void* y) { cpu::softmax(context_, desc, x, y); }
void CpuBackend::softmax_backward(const SoftmaxDesc& desc, const void* y, const void* dy, void* dx) {
  cpu::softmax_backward(context_, desc, y, dy, dx);
}
void CpuBackend::cross_entropy(const CrossEntropyDesc& desc, const void* logits, const int32_t* targets,
                               const void* class_weights, void* losses, void* weights, void* probabilities) {
  cpu::cross_entropy(context_, desc, logits, targets, class_weights, losses, weights, probabilities);
}
void CpuBackend::cross_entropy_backward(const CrossEntropyDesc& desc, const void* probabilities, const int32_t* targets,
                                        const void* class_weights, const void* dlosses, void* dlogits) {
  cpu::cross_entropy_backward(context_, desc, probabilities, targets, class_weights, dlosses, dlogits);
}
void CpuBackend::sum_squares(DType dtype, int64_t count, bool accumulate, const void* x, void* out) {
  cpu::sum_squares(context_, dtype, count, accumulate, x, out);
}
void CpuBackend::clip_norm(DType dtype, int64_t count, double max_norm, const void* sum_squares, void* gradients, void* norm) {
  cpu::clip_norm(context_, dtype, count, max_norm, sum_squares, gradients, norm);
}
void CpuBackend::optimizer_step(const OptimizerDesc& desc, const void* grads, void* params, void* state1, void* state2,
                                void* state3) {
  cpu::optimizer_step(context_, desc, grads, params, state1, state2, state3);
}

std::string CpuBackend::supports(const RnnDesc& desc) const { return rnn_supports(desc); }
RnnParamLayout CpuBackend::rnn_param_layout(const RnnDesc& desc) const { return cpu::rnn_param_layout(desc); }
size_t CpuBackend::rnn_reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const {
  return cpu::rnn_reserve_bytes(desc, steps, batch);
}
void CpuBackend::rnn_forward(const RnnDesc& desc, const RnnForwardArgs& args) {
  cpu::rnn_forward({team_, workspace_, tuner_, context_.kernels}, desc, args);
}
void CpuBackend::rnn_backward(const RnnDesc& desc, const RnnBackwardArgs& args) {
  cpu::rnn_backward({team_, workspace_, tuner_, context_.kernels}, desc, args);
}
std::vector<RnnPassExplanation> CpuBackend::explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool) {
  return cpu::explain_rnn(tuner_, desc, batch, steps * batch);
}
void CpuBackend::generate(const RnnDesc& rnn, const GenerateDesc& desc, const GenerateArgs& args) {
  cpu::generate({team_, workspace_, tuner_, context_.kernels}, rnn, desc, args);
}

}  // namespace deep_rnn::cpu
