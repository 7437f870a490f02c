// Descriptors: the plain values that say what an operation does. They hold no pointers and cross the stream by copy.
//
// Dimension letters, here and everywhere else in this project:
//   T steps · B batch · I input · H hidden · P projection · G gates · L layers · D directions · V vocabulary
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace deep_rnn {

enum class DType : int32_t { float32 = 0, float64 = 1, int32 = 2 };

inline size_t size_of(DType dtype) { return dtype == DType::float64 ? 8 : 4; }

constexpr int kMaxRank = 8;

// Element strides of up to three operands over one index space; a stride of 0 broadcasts.
struct Strided {
  int rank = 0;
  int64_t shape[kMaxRank] = {};
  int64_t strides[3][kMaxRank] = {};
  int64_t count() const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    return n;
  }
};

// y = op(x), with one scalar parameter where the operation needs one. NaN propagates through all of them.
enum class UnaryOp : int32_t {
  negative,
  absolute,
  exp,
  log,
  sqrt,
  reciprocal,
  square,
  sign,
  sigmoid,
  tanh,
  relu,
  add_scalar,
  multiply_scalar,
  power_scalar,
  minimum_scalar,
  maximum_scalar,
  count  // the number of operations, for range checks
};

// out = op(a, b). Comparisons write int32 0 or 1. The gradient operations take a = dy first: sigmoid_grad and tanh_grad
// take b = y, relu_grad and absolute_grad take b = x.
enum class BinaryOp : int32_t {
  add,
  subtract,
  multiply,
  divide,
  power,
  minimum,
  maximum,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  sigmoid_grad,
  tanh_grad,
  relu_grad,
  absolute_grad,
  count
};

inline bool is_comparison(BinaryOp op) { return op >= BinaryOp::equal && op <= BinaryOp::greater_equal; }

// argmax writes int32 positions along the (flattened) reduced axes, the first one on ties.
enum class ReduceOp : int32_t { sum, maximum, argmax, count };

// Kept axes then reduced axes of x; strides[0] are x's. The output is contiguous over the kept axes.
struct ReduceDesc {
  ReduceOp op;
  DType dtype;
  Strided kept;
  Strided reduced;
};

// c[batch][m][n] = a[batch][m][k] · b[batch][k][n] (+ c when accumulating). Row-major with leading dimensions; a transposed
// operand is stored [k][m] or [n][k]. A batch stride of 0 shares the operand.
struct MatmulDesc {
  DType dtype;
  int64_t batch, m, n, k;
  bool transpose_a, transpose_b, accumulate;
  int64_t lda, ldb, ldc;
  int64_t batch_stride_a, batch_stride_b, batch_stride_c;
};

// dst[o][j][i] = src[o][index[o][j][i]][i], the axis of src having `axis` entries and that of dst `count`; index strides of
// 0 broadcast (rows of a table: outer 1, inner row length, index strides 0, 1, 0). scatter_add is its transpose.
struct GatherDesc {
  DType dtype;
  int64_t outer, axis, count, inner;
  int64_t index_strides[3];
};

// Counter-based (Philox 4x32-10): element i depends on seed, offset + i and the kind only.
enum class RandomKind : int32_t {
  uniform,
  normal,
  bernoulli,
  count
};  // [a, b) · mean a, deviation b · b with probability a, else 0

struct RandomDesc {
  RandomKind kind;
  DType dtype;
  int64_t count;
  uint64_t seed, offset;
  double a, b;
};

struct SoftmaxDesc {
  DType dtype;
  int64_t rows, columns;
  bool log;
};

// Rows are samples, columns V classes. A target equal to ignore_index gives loss 0 and weight 0.
struct CrossEntropyDesc {
  DType dtype;
  int64_t rows, columns;
  int64_t ignore_index;
  double label_smoothing;
};

enum class OptimizerKind : int32_t { sgd, adam, rmsprop, adagrad, count };

// PyTorch's update rules. `flag`: nesterov (sgd), decoupled weight decay (adam: AdamW), centered (rmsprop).
struct OptimizerDesc {
  OptimizerKind kind;
  DType dtype;
  int64_t count;
  double learning_rate, weight_decay;
  double beta1;  // sgd: momentum · adam: beta1 · rmsprop: alpha · adagrad: learning-rate decay
  double beta2;  // sgd: dampening · adam: beta2 · rmsprop: momentum
  double epsilon;
  int64_t step;  // 1 for the first step
  bool flag;
};

// Which of its three state arrays a rule reads and writes.
struct OptimizerStates {
  bool first, second, third;
};

inline OptimizerStates optimizer_states(const OptimizerDesc& desc) {
  switch (desc.kind) {
    case OptimizerKind::sgd:
      return {desc.beta1 != 0, false, false};
    case OptimizerKind::adam:
      return {true, true, false};
    case OptimizerKind::rmsprop:
      return {true, desc.beta2 != 0, desc.flag};
    default:
      return {true, false, false};
  }
}

enum class Cell : int32_t { rnn_tanh, rnn_relu, lstm, gru, count };
enum class InputMode : int32_t { linear, skip, count };
enum class BiasMode : int32_t { none, single, twofold, count };  // single keeps only the input biases
enum class Precision : int32_t { same, bfloat16, tf32, float16, count };
// How cuDNN runs a stack; the CPU has no such choice. automatic: the fastest, as measured.
enum class RnnAlgorithm : int32_t { automatic, standard, persist_static, persist_dynamic, persist_static_small_h, count };

// Gates in PyTorch's and cuDNN's order: LSTM i,f,g,o; GRU r,z,n with the reset applied after the product.
inline int gates(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

// The whole recurrent stack. Immutable once registered.
struct RnnDesc {
  Cell cell = Cell::lstm;
  int64_t input_size = 0, hidden_size = 0;
  int64_t proj_size = 0;  // 0: no projection
  int64_t layers = 1;
  bool bidirectional = false;
  InputMode input_mode = InputMode::linear;  // skip: x is added to every gate of layer 0, which has no input matrix (I = H)
  BiasMode bias = BiasMode::twofold;
  double dropout = 0;  // between layers
  double clip = 0;     // LSTM cell state clamped to [-clip, clip]; 0: not clamped
  DType dtype = DType::float32;
  Precision precision = Precision::same;
  RnnAlgorithm algorithm = RnnAlgorithm::automatic;

  int64_t directions() const { return bidirectional ? 2 : 1; }
  int64_t output_size() const { return proj_size > 0 ? proj_size : hidden_size; }  // width of h, one direction
  int64_t layer_input_size(int64_t layer) const { return layer == 0 ? input_size : directions() * output_size(); }
};

// All that tells one stack from another, to compare and order them by.
inline auto fields(const RnnDesc& desc) {
  return std::tie(desc.cell, desc.input_size, desc.hidden_size, desc.proj_size, desc.layers, desc.bidirectional,
                  desc.input_mode, desc.bias, desc.dropout, desc.clip, desc.dtype, desc.precision, desc.algorithm);
}

enum class RnnParam : int32_t { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr };

// One named parameter in the flat buffer of an RNN: a contiguous row-major [rows][columns] (biases: rows, 1) at `offset`.
struct RnnParamEntry {
  RnnParam param;
  int64_t layer, direction;
  int64_t offset, rows, columns;  // in elements
};

struct RnnParamLayout {
  std::vector<RnnParamEntry> entries;
  int64_t count = 0;  // elements of the whole buffer, gaps included; gaps hold zeros
};

// The pointers of one pass over the stack; all [T,B,*] arrays are time-major and contiguous. `O` is output_size().
struct RnnForwardArgs {
  int64_t steps, batch;
  const int32_t* lengths;  // [B] on the host, each 0..T, any order; null: all T
  const void* params;      // [layout.count]
  const void* x;           // [T,B,I], or null
  const int32_t* tokens;   // [T,B] ids 0..I-1 meaning one-hot rows, or null; exactly one of x and tokens is given
  const void* h0;          // [L*D,B,O] or null: zeros
  const void* c0;          // [L*D,B,H] or null: zeros (LSTM only)
  void* y;                 // [T,B,D*O]; rows past a length are zero
  void* hn;                // [L*D,B,O] or null: not wanted
  void* cn;                // [L*D,B,H] or null: not wanted (LSTM only)
  void* reserve;           // rnn_reserve_bytes(), kept unchanged until backward; null: inference, nothing is kept
  bool training;           // inter-layer dropout applies (needs reserve)
  uint64_t seed;           // of the dropout masks
};

struct RnnBackwardArgs {
  int64_t steps, batch;
  const int32_t* lengths;
  const void* params;
  const void* x;
  const int32_t* tokens;
  const void* h0;
  const void* c0;
  const void* y;    // as forward wrote it
  const void* dy;   // [T,B,D*O] or null: zeros
  const void* dhn;  // [L*D,B,O] or null: zeros
  const void* dcn;  // [L*D,B,H] or null: zeros
  void* dx;         // [T,B,I] or null: not wanted (always null with tokens)
  void* dh0;        // [L*D,B,O] or null
  void* dc0;        // [L*D,B,H] or null
  void* dparams;    // [layout.count] or null; accumulated into, everything else is overwritten
  void* reserve;    // from forward; backward may destroy its contents
  bool training;
  uint64_t seed;
};

// Autoregressive sampling on one sequence: feed `prefix`, then sample `length` tokens, each fed back.
struct GenerateDesc {
  int64_t vocabulary;
  int64_t embedding_size;  // 0: tokens go into the stack as one-hot; else rows of `embedding` do
  int64_t prefix, length;
  double temperature;     // 0: greedy
  int64_t top_k;          // 0: all
  double top_p;           // 1: all
  uint64_t seed, offset;  // draw i uses counter offset + i
};

struct GenerateArgs {
  const void* params;       // of the stack
  const void* embedding;    // [V,E] or null
  const void* head_weight;  // [V,D*O]
  const void* head_bias;    // [V] or null
  const int32_t* prefix;    // [prefix]; the logits after its last token give the first sample
  void* h;                  // [L*D,1,O] state in and out
  void* c;                  // [L*D,1,H] state in and out (LSTM), else null
  int32_t* tokens;          // [length] out
};

}  // namespace deep_rnn
