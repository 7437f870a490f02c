#include "core/describe.h"

#include <initializer_list>

namespace deep_rnn {

namespace {

template <class Code, size_t N>
const char* pick(const char* const (&names)[N], Code code) {
  const size_t index = size_t(code);
  return index < N ? names[index] : "unknown";
}

std::string shape(std::initializer_list<int64_t> sizes) {
  std::string text = "[";
  for (int64_t size : sizes) text += (text.size() > 1 ? "," : "") + std::to_string(size);
  return text + "]";
}

}  // namespace

const char* name_of(DType dtype) {
  static constexpr const char* kNames[] = {"float32", "float64", "int32"};
  return pick(kNames, dtype);
}

const char* name_of(UnaryOp op) {
  static constexpr const char* kNames[] = {
      "negative", "absolute", "exp",  "log",       "sqrt",           "reciprocal",  "square",        "sign",
      "sigmoid",  "tanh",     "relu", "addScalar", "multiplyScalar", "powerScalar", "minimumScalar", "maximumScalar"};
  static_assert(sizeof(kNames) / sizeof(*kNames) == size_t(UnaryOp::count), "every operation has a name");
  return pick(kNames, op);
}

const char* name_of(BinaryOp op) {
  static constexpr const char* kNames[] = {"add",          "subtract",    "multiply", "divide",   "power",       "minimum",
                                           "maximum",      "equal",       "notEqual", "less",     "lessEqual",   "greater",
                                           "greaterEqual", "sigmoidGrad", "tanhGrad", "reluGrad", "absoluteGrad"};
  static_assert(sizeof(kNames) / sizeof(*kNames) == size_t(BinaryOp::count), "every operation has a name");
  return pick(kNames, op);
}

const char* name_of(ReduceOp op) {
  static constexpr const char* kNames[] = {"sum", "maximum", "argmax"};
  return pick(kNames, op);
}

const char* name_of(RandomKind kind) {
  static constexpr const char* kNames[] = {"uniform", "normal", "bernoulli"};
  return pick(kNames, kind);
}

const char* name_of(OptimizerKind kind) {
  static constexpr const char* kNames[] = {"sgd", "adam", "rmsprop", "adagrad"};
  return pick(kNames, kind);
}

const char* name_of(Cell cell) {
  static constexpr const char* kNames[] = {"rnnTanh", "rnnRelu", "lstm", "gru"};
  return pick(kNames, cell);
}

std::string shape_of(const Strided& layout) {
  std::string text = "[";
  for (int i = 0; i < layout.rank; i++) text += (i > 0 ? "," : "") + std::to_string(layout.shape[i]);
  return text + "]";
}

std::string describe(const std::string& operation, DType dtype, const Strided& layout) {
  return operation + " " + name_of(dtype) + " " + shape_of(layout);
}

std::string describe(const std::string& operation, DType dtype, int64_t count) {
  return operation + " " + name_of(dtype) + " " + shape({count});
}

std::string describe(const ReduceDesc& desc) {
  return std::string("reduce ") + name_of(desc.op) + " " + name_of(desc.dtype) + " kept " + shape_of(desc.kept) + " reduced " +
         shape_of(desc.reduced);
}

std::string describe(const MatmulDesc& desc) {
  const std::string batch = desc.batch == 1 ? "" : " batch " + std::to_string(desc.batch);
  return std::string("matmul ") + name_of(desc.dtype) + batch + " " + shape({desc.m, desc.k}) + " x " + shape({desc.k, desc.n});
}

std::string describe(const std::string& operation, const GatherDesc& desc) {
  return operation + " " + name_of(desc.dtype) + " " + shape({desc.outer, desc.axis, desc.inner}) + " index " +
         shape({desc.outer, desc.count, desc.inner});
}

std::string describe(const RandomDesc& desc) {
  return describe(std::string("random ") + name_of(desc.kind), desc.dtype, desc.count);
}

std::string describe(const std::string& operation, const SoftmaxDesc& desc) {
  return operation + " " + name_of(desc.dtype) + " " + shape({desc.rows, desc.columns});
}

std::string describe(const std::string& operation, const CrossEntropyDesc& desc) {
  return operation + " " + name_of(desc.dtype) + " " + shape({desc.rows, desc.columns});
}

std::string describe(const OptimizerDesc& desc) {
  return describe(std::string("optimizerStep ") + name_of(desc.kind), desc.dtype, desc.count);
}

std::string describe(const std::string& operation, const RnnDesc& desc, int64_t steps, int64_t batch) {
  std::string text = operation + " " + name_of(desc.cell) + " " + name_of(desc.dtype);
  text += " T=" + std::to_string(steps) + " B=" + std::to_string(batch) + " I=" + std::to_string(desc.input_size) +
          " H=" + std::to_string(desc.hidden_size);
  if (desc.proj_size > 0) text += " P=" + std::to_string(desc.proj_size);
  return text + " L=" + std::to_string(desc.layers) + " D=" + std::to_string(desc.directions());
}

}  // namespace deep_rnn
