// The fused operations: softmax, cross entropy, norms and optimizer steps.
#include <limits>

#include "addon/bindings.h"
#include "addon/operands.h"
#include "core/describe.h"

namespace deep_rnn::addon {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

SoftmaxDesc softmax_desc(const Arguments& arguments) {
  const SoftmaxDesc desc{arguments.float_dtype(0), arguments.integer(1, "rows", 0, kMaxElements),
                         arguments.integer(2, "columns", 1, kMaxElements), arguments.boolean(3, "log")};
  checked_count({desc.rows, desc.columns}, arguments.function());
  return desc;
}

Napi::Value softmax(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "softmax", 8);
  Operands operands(environment, "softmax");
  const SoftmaxDesc desc = softmax_desc(arguments);
  const int64_t count = desc.rows * desc.columns;
  const size_t element = size_of(desc.dtype);
  const View x = operands.view("x", arguments.any_number(4, "x"), arguments.any_number(5, "x"), element, count, Access::read);
  const View y = operands.view("y", arguments.any_number(6, "y"), arguments.any_number(7, "y"), element, count, Access::write);
  if (count == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(desc.log ? "logSoftmax" : "softmax", desc); },
      [=](Backend& backend) { backend.softmax(desc, x.as<>(), y.as<>()); });
  return info.Env().Undefined();
}

Napi::Value softmax_backward(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "softmaxBackward", 10);
  Operands operands(environment, "softmaxBackward");
  const SoftmaxDesc desc = softmax_desc(arguments);
  const int64_t count = desc.rows * desc.columns;
  const auto view = [&](size_t i, const char* name, Access access) {
    return operands.view(name, arguments.any_number(i, name), arguments.any_number(i + 1, name), size_of(desc.dtype), count,
                         access);
  };
  const View y = view(4, "y", Access::read), dy = view(6, "dy", Access::read), dx = view(8, "dx", Access::write);
  if (count == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(desc.log ? "logSoftmaxBackward" : "softmaxBackward", desc); },
      [=](Backend& backend) { backend.softmax_backward(desc, y.as<>(), dy.as<>(), dx.as<>()); });
  return info.Env().Undefined();
}

CrossEntropyDesc cross_entropy_desc(const Arguments& arguments) {
  const CrossEntropyDesc desc{
      arguments.float_dtype(0), arguments.integer(1, "rows", 0, kMaxElements), arguments.integer(2, "columns", 1, kMaxElements),
      arguments.integer(3, "ignoreIndex", -kMaxSafeInteger, kMaxSafeInteger), arguments.number(4, "labelSmoothing", 0, 1)};
  checked_count({desc.rows, desc.columns}, arguments.function());
  return desc;
}

Napi::Value cross_entropy(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "crossEntropy", 6);
  const CrossEntropyDesc desc = cross_entropy_desc(arguments);
  const int64_t rows = desc.rows, columns = desc.columns, count = rows * columns;
  const size_t element = size_of(desc.dtype);
  PackedOperands packed(environment, "crossEntropy", arguments.numbers(5, "buffers", 12));
  const View logits = packed.view(0, "logits", element, count, Access::read);
  const View targets = packed.view(1, "targets", size_of(DType::int32), rows, Access::read);
  const View class_weights = packed.optional(2, "classWeights", element, columns, Access::read);
  const View losses = packed.view(3, "losses", element, rows, Access::write);
  const View weights = packed.view(4, "weights", element, rows, Access::write);
  const View probabilities = packed.view(5, "probabilities", element, count, Access::write);
  if (rows == 0) return info.Env().Undefined();
  push_kernel(
      packed.device(), [=] { return describe("crossEntropy", desc); },
      [=](Backend& backend) {
        backend.cross_entropy(desc, logits.as<>(), targets.as<int32_t>(), class_weights.as<>(), losses.as<>(), weights.as<>(),
                              probabilities.as<>());
      });
  return info.Env().Undefined();
}

Napi::Value cross_entropy_backward(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "crossEntropyBackward", 6);
  const CrossEntropyDesc desc = cross_entropy_desc(arguments);
  const int64_t rows = desc.rows, columns = desc.columns, count = rows * columns;
  const size_t element = size_of(desc.dtype);
  PackedOperands packed(environment, "crossEntropyBackward", arguments.numbers(5, "buffers", 10));
  const View probabilities = packed.view(0, "probabilities", element, count, Access::shared_read);
  const View targets = packed.view(1, "targets", size_of(DType::int32), rows, Access::read);
  const View class_weights = packed.optional(2, "classWeights", element, columns, Access::read);
  const View dlosses = packed.view(3, "dlosses", element, rows, Access::read);
  const View dlogits = packed.view(4, "dlogits", element, count, Access::write);
  if (rows == 0) return info.Env().Undefined();
  push_kernel(
      packed.device(), [=] { return describe("crossEntropyBackward", desc); },
      [=](Backend& backend) {
        backend.cross_entropy_backward(desc, probabilities.as<>(), targets.as<int32_t>(), class_weights.as<>(), dlosses.as<>(),
                                       dlogits.as<>());
      });
  return info.Env().Undefined();
}

Napi::Value sum_squares(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "sumSquares", 7);
  Operands operands(environment, "sumSquares");
  const DType dtype = arguments.float_dtype(0);
  const int64_t count = arguments.integer(1, "count", 0, kMaxElements);
  const bool accumulate = arguments.boolean(2, "accumulate");
  const View x =
      operands.view("x", arguments.any_number(3, "x"), arguments.any_number(4, "x"), size_of(dtype), count, Access::read);
  const View out =
      operands.view("out", arguments.any_number(5, "out"), arguments.any_number(6, "out"), size_of(dtype), 1, Access::write);
  push_kernel(
      operands.device(), [=] { return describe("sumSquares", dtype, count); },
      [=](Backend& backend) { backend.sum_squares(dtype, count, accumulate, x.as<>(), out.as<>()); });
  return info.Env().Undefined();
}

Napi::Value clip_norm(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "clipNorm", 9);
  Operands operands(environment, "clipNorm");
  const DType dtype = arguments.float_dtype(0);
  const int64_t count = arguments.integer(1, "count", 0, kMaxElements);
  const double max_norm = arguments.number(2, "maxNorm", 0, kInfinity);
  const auto view = [&](size_t i, const char* name, int64_t elements, Access access) {
    return operands.view(name, arguments.any_number(i, name), arguments.any_number(i + 1, name), size_of(dtype), elements,
                         access);
  };
  const View sum = view(3, "sumSquares", 1, Access::read), gradients = view(5, "gradients", count, Access::write),
             norm = view(7, "norm", 1, Access::write);
  push_kernel(
      operands.device(), [=] { return describe("clipNorm", dtype, count); },
      [=](Backend& backend) { backend.clip_norm(dtype, count, max_norm, sum.as<>(), gradients.as<>(), norm.as<>()); });
  return info.Env().Undefined();
}

Napi::Value optimizer_step(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "optimizerStep", 6);
  const auto kind = arguments.code<OptimizerKind>(0, "kind");
  const DType dtype = arguments.float_dtype(1);
  const int64_t count = arguments.integer(2, "count", 0, kMaxElements);
  const std::vector<double> numbers = arguments.numbers(3, "numbers", 6);
  const OptimizerDesc desc{kind,
                           dtype,
                           count,
                           check_number(numbers[0], -kInfinity, kInfinity, "optimizerStep learningRate"),
                           check_number(numbers[1], -kInfinity, kInfinity, "optimizerStep weightDecay"),
                           check_number(numbers[2], -kInfinity, kInfinity, "optimizerStep beta1"),
                           check_number(numbers[3], -kInfinity, kInfinity, "optimizerStep beta2"),
                           check_number(numbers[4], 0, kInfinity, "optimizerStep epsilon"),
                           check_integer(numbers[5], 1, kMaxSafeInteger, "optimizerStep step"),
                           arguments.boolean(4, "flag")};
  PackedOperands packed(environment, "optimizerStep", arguments.numbers(5, "buffers", 10));
  const size_t element = size_of(dtype);
  const View grads = packed.view(0, "gradients", element, count, Access::read);
  const View params = packed.view(1, "parameters", element, count, Access::write);
  const OptimizerStates needed = optimizer_states(desc);
  // A state that the rule does not use is left out, whatever was passed.
  const auto state = [&](bool wanted, size_t i, const char* name) {
    return wanted ? packed.view(i, name, element, count, Access::write) : View();
  };
  const View state1 = state(needed.first, 2, "state1"), state2 = state(needed.second, 3, "state2"),
             state3 = state(needed.third, 4, "state3");
  if (count == 0) return info.Env().Undefined();
  push_kernel(
      packed.device(), [=] { return describe(desc); },
      [=](Backend& backend) {
        backend.optimizer_step(desc, grads.as<>(), params.as<>(), state1.as<>(), state2.as<>(), state3.as<>());
      });
  return info.Env().Undefined();
}

}  // namespace

void define_fused_bindings(Napi::Object exports) {
  define<softmax>(exports, "softmax");
  define<softmax_backward>(exports, "softmaxBackward");
  define<cross_entropy>(exports, "crossEntropy");
  define<cross_entropy_backward>(exports, "crossEntropyBackward");
  define<sum_squares>(exports, "sumSquares");
  define<clip_norm>(exports, "clipNorm");
  define<optimizer_step>(exports, "optimizerStep");
}

}  // namespace deep_rnn::addon
