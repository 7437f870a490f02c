// The contract of a compute backend: plain synchronous functions over descriptors and pointers.
//
// A backend is used by one thread only, its stream's; its const functions may be called from any thread. The caller allocates
// every output; no output may alias an input unless the comment says so. All tensors are row-major and contiguous unless a
// descriptor carries strides. A function reports failure by throwing std::exception (deep_rnn::Error carries a cause in words);
// it never reads or writes outside the ranges its descriptor states, which the addon has checked against the buffers' sizes
// before.
#pragma once
#include <memory>
#include <string>

#include "core/desc.h"
#include "core/rnn_explanation.h"

namespace deep_rnn {

// What a device reaches at most, measured.
struct Peak {
  double float32 = 0;   // operations a second of all threads together, a multiply-add counted as two
  double bfloat16 = 0;  // the same with operands in bfloat16 and sums in float32
  double tf32 = 0;      // the same with operands in TF32; 0 where there is no such thing
  double copy = 0;      // bytes a second that a copy from device memory to device memory reads and writes; 0: not measured
  double barrier = 0;   // seconds that all threads take to wait for each other once; on a GPU a kernel's end; 0 for one thread
};

// How steps between Backend::begin_step and end_step went.
struct GraphStatistics {
  uint64_t held = 0;      // graphs that can be replayed now
  uint64_t captured = 0;  // steps that became a graph
  uint64_t replayed = 0;  // steps that were launched as one graph
  uint64_t eager = 0;     // steps of which every operation was launched by itself
  uint64_t refused = 0;   // captures that failed
};

class Backend {
 public:
  virtual ~Backend() = default;

  // One line for people: instruction set and threads, or the GPU's name.
  virtual std::string describe() const = 0;
  virtual int threads() const = 0;
  // Keeps all threads busy for some 40 ms.
  virtual Peak measure_peak() = 0;

  // Memory of the device, at least 64-byte aligned. allocate throws std::bad_alloc when there is none left.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* data, size_t bytes) = 0;
  // What the backend holds beside that for its own use, and how often it has asked the system for it. Any thread.
  virtual size_t scratch_bytes() const { return 0; }
  virtual uint64_t scratch_allocations() const { return 0; }
  // host may be reused on return.
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  // Waits for everything before it and, like synchronize, throws what kernels before it could not.
  virtual void download(void* host, const void* device, size_t bytes) = 0;
  virtual void synchronize() = 0;
  // What comes between the two is likely to come again. A backend may put it off until the end and send it as one, with the
  // same results; end_step then throws what the functions in between could not. A step within a step is part of it.
  virtual void begin_step() {}
  virtual void end_step() {}
  // Any thread.
  virtual GraphStatistics graph_statistics() const { return {}; }

  // Generic primitives.
  virtual void fill(DType dtype, int64_t count, double value, void* out) = 0;
  // Strided copy: shape, strides[0] of src, strides[1] of dst; adds to dst when accumulating.
  virtual void copy(DType dtype, const Strided& layout, bool accumulate, const void* src, void* dst) = 0;
  virtual void cast(DType from, DType to, int64_t count, const void* x, void* y) = 0;
  // y may be x.
  virtual void unary(UnaryOp op, DType dtype, int64_t count, double scalar, const void* x, void* y) = 0;
  // strides[0] of a, strides[1] of b; out is contiguous over the shape and may be a or b where that one is contiguous too.
  virtual void binary(BinaryOp op, DType dtype, const Strided& layout, const void* a, const void* b, void* out) = 0;
  // out = condition ? a : b. strides[0] of the int32 condition, [1] of a, [2] of b; out is contiguous.
  virtual void select(DType dtype, const Strided& layout, const int32_t* condition, const void* a, const void* b,
                      void* out) = 0;
  virtual void reduce(const ReduceDesc& desc, const void* x, void* out) = 0;
  virtual void matmul(const MatmulDesc& desc, const void* a, const void* b, void* c) = 0;
  // Throws when an index lies outside the axis; where kernels run on their own, the next synchronize or download does.
  virtual void gather(const GatherDesc& desc, const void* src, const int32_t* index, void* dst) = 0;
  virtual void scatter_add(const GatherDesc& desc, const void* src, const int32_t* index, void* dst) = 0;
  virtual void random(const RandomDesc& desc, void* out) = 0;

  // Fused operations; each has a twin composed of primitives in the tests.
  virtual void softmax(const SoftmaxDesc& desc, const void* x, void* y) = 0;
  virtual void softmax_backward(const SoftmaxDesc& desc, const void* y, const void* dy, void* dx) = 0;
  // logits, probabilities [rows][columns]; targets [rows]; class_weights [columns] or null; losses, weights [rows]. The mean
  // loss is sum(losses) / sum(weights). Throws when a target is neither ignore_index nor a class.
  virtual void cross_entropy(const CrossEntropyDesc& desc, const void* logits, const int32_t* targets,
                             const void* class_weights, void* losses, void* weights, void* probabilities) = 0;
  // dlosses [rows] -> dlogits [rows][columns]; dlogits may be probabilities.
  virtual void cross_entropy_backward(const CrossEntropyDesc& desc, const void* probabilities, const int32_t* targets,
                                      const void* class_weights, const void* dlosses, void* dlogits) = 0;
  // out[0] = (accumulate ? out[0] : 0) + sum of x², summed in double in an order that the count alone fixes.
  virtual void sum_squares(DType dtype, int64_t count, bool accumulate, const void* x, void* out) = 0;
  // norm[0] = sqrt(sum_squares[0]); gradients [count] *= min(max_norm / norm[0], 1).
  virtual void clip_norm(DType dtype, int64_t count, double max_norm, const void* sum_squares, void* gradients, void* norm) = 0;
  // params, grads [count]; state1, state2 as the rule needs them (sgd: momentum; adam: first, second moment; rmsprop: square
  // average, momentum; adagrad: sum), else null. state3: rmsprop's mean gradient when centered, else null.
  virtual void optimizer_step(const OptimizerDesc& desc, const void* grads, void* params, void* state1, void* state2,
                              void* state3) = 0;

  // The recurrent stack as one operation. supports() returns an empty string, or the reason for refusing.
  virtual std::string supports(const RnnDesc& desc) const = 0;
  virtual RnnParamLayout rnn_param_layout(const RnnDesc& desc) const = 0;
  virtual size_t rnn_reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const = 0;
  virtual void rnn_forward(const RnnDesc& desc, const RnnForwardArgs& args) = 0;
  virtual void rnn_backward(const RnnDesc& desc, const RnnBackwardArgs& args) = 0;
  // How passes of this shape have been run, as far as any have. uneven: with lengths that differ from the number of steps.
  virtual std::vector<RnnPassExplanation> explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool uneven) = 0;
  virtual void generate(const RnnDesc& rnn, const GenerateDesc& desc, const GenerateArgs& args) = 0;
};

// threads 0: as many as the process may use.
std::unique_ptr<Backend> make_cpu_backend(int threads);

// The first GPU that the process may see. Throws Error with the reason where there is none, one of NVIDIA's libraries is
// missing, or this build has no CUDA backend.
std::unique_ptr<Backend> make_cuda_backend();

// How far this build and this machine are from a CUDA device: a driver says that somebody has a GPU here.
enum class CudaPresence : int32_t { not_built, no_driver, driver };
CudaPresence cuda_presence();

}  // namespace deep_rnn
