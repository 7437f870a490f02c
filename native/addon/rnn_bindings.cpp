// The recurrent stack: registration, layout, forward, backward and generation.
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "addon/bindings.h"
#include "addon/operands.h"
#include "addon/rnn_arguments.h"
#include "core/describe.h"

namespace deep_rnn::addon {

namespace {

constexpr int64_t kMaxLayers = 1024;

template <class Code>
Code code(double number, const char* name) {
  return Code(check_integer(number, 0, int64_t(Code::count) - 1, std::string("registerRnn ") + name));
}

}  // namespace

RnnDesc rnn_desc(const std::vector<double>& numbers) {
  RnnDesc desc;
  desc.cell = code<Cell>(numbers[0], "cell");
  desc.input_size = check_integer(numbers[1], 1, kMaxSize, "registerRnn inputSize");
  desc.hidden_size = check_integer(numbers[2], 1, kMaxSize, "registerRnn hiddenSize");
  desc.proj_size = check_integer(numbers[3], 0, kMaxSize, "registerRnn projSize");
  desc.layers = check_integer(numbers[4], 1, kMaxLayers, "registerRnn layers");
  desc.bidirectional = check_integer(numbers[5], 0, 1, "registerRnn bidirectional") == 1;
  desc.input_mode = code<InputMode>(numbers[6], "inputMode");
  desc.bias = code<BiasMode>(numbers[7], "bias");
  desc.dropout = check_number(numbers[8], 0, 1, "registerRnn dropout");
  desc.clip = check_number(numbers[9], 0, std::numeric_limits<double>::max(), "registerRnn clip");
  desc.dtype = DType(check_integer(numbers[10], 0, int64_t(DType::float64), "registerRnn dtype"));
  desc.precision = code<Precision>(numbers[11], "precision");
  desc.algorithm = code<RnnAlgorithm>(numbers[12], "algorithm");

  if (desc.proj_size > 0 && desc.cell != Cell::lstm) {
    throw RangeMistake("Expected 0 for registerRnn projSize of a cell other than lstm but received " +
                       std::to_string(desc.proj_size));
  }
  if (desc.clip > 0 && desc.cell != Cell::lstm) {
    throw RangeMistake("Expected 0 for registerRnn clip of a cell other than lstm but received " + text_of(desc.clip));
  }
  if (desc.proj_size >= desc.hidden_size) {
    throw RangeMistake("Expected a projection smaller than hiddenSize for registerRnn projSize but received " +
                       std::to_string(desc.proj_size));
  }
  if (desc.input_mode == InputMode::skip && desc.input_size != desc.hidden_size) {
    throw RangeMistake("Expected the hidden size for registerRnn inputSize of skip input but received " +
                       std::to_string(desc.input_size));
  }
  // A bound on the parameters: no size that the backend computes from a registered stack overflows.
  const int64_t widest = std::max(desc.input_size, desc.directions() * desc.hidden_size) + desc.hidden_size + 2;
  checked_count({desc.layers, desc.directions(), int64_t(gates(desc.cell)), desc.hidden_size, widest}, "registerRnn");
  return desc;
}

void check_extent(const RnnDesc& desc, int64_t steps, int64_t batch, const char* function) {
  const int64_t widest = std::max(desc.input_size, desc.directions() * desc.hidden_size);
  checked_count({steps, batch, desc.layers, desc.directions(), int64_t(gates(desc.cell)) + 4, widest}, function);
}

namespace {

Napi::Value register_rnn(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "registerRnn", 2);
  Device& device = environment.device(arguments.integer(0, "device", 0, kMaxSafeInteger));
  const RnnDesc desc = rnn_desc(arguments.numbers(1, "numbers", 13));
  const std::string refusal = device.backend().supports(desc);
  if (!refusal.empty()) throw Error(refusal);
  return Napi::Number::New(info.Env(), double(environment.register_rnn(device, desc)));
}

const RegisteredRnn& rnn_argument(Environment& environment, const Arguments& arguments) {
  return environment.rnn(arguments.integer(0, "rnn", 0, kMaxSafeInteger));
}

Napi::Value rnn_param_layout(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "rnnParamLayout", 1);
  const RnnParamLayout& layout = rnn_argument(environment, arguments).layout;
  auto numbers = Napi::Float64Array::New(info.Env(), 1 + layout.entries.size() * 6);
  double* next = numbers.Data();
  *next++ = double(layout.count);
  for (const RnnParamEntry& entry : layout.entries) {
    *next++ = double(entry.param);
    *next++ = double(entry.layer);
    *next++ = double(entry.direction);
    *next++ = double(entry.offset);
    *next++ = double(entry.rows);
    *next++ = double(entry.columns);
  }
  return numbers;
}

Napi::Value rnn_reserve_bytes(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "rnnReserveBytes", 3);
  const RegisteredRnn& rnn = rnn_argument(environment, arguments);
  const int64_t steps = arguments.integer(1, "steps", 1, kMaxSize), batch = arguments.integer(2, "batch", 1, kMaxSize);
  check_extent(rnn.desc, steps, batch, "rnnReserveBytes");
  return Napi::Number::New(info.Env(), double(rnn.device->backend().rnn_reserve_bytes(rnn.desc, steps, batch)));
}

// The arguments that forward and backward share.
struct Pass {
  const RegisteredRnn& rnn;
  int64_t steps, batch;
  std::shared_ptr<const std::vector<int32_t>> lengths;  // null: all T
  bool training;
  uint64_t seed;

  Pass(Environment& environment, const Arguments& arguments)
      : rnn(rnn_argument(environment, arguments)),
        steps(arguments.integer(1, "steps", 1, kMaxSize)),
        batch(arguments.integer(2, "batch", 1, kMaxSize)),
        training(arguments.boolean(5, "training")),
        seed(uint64_t(arguments.integer(6, "seed", 0, kMaxSafeInteger))) {
    check_extent(rnn.desc, steps, batch, arguments.function());
    if (arguments.is_null(3)) return;
    auto given = std::make_shared<std::vector<int32_t>>(arguments.integers(3, "lengths"));
    if (int64_t(given->size()) != batch) {
      throw RangeMistake("Expected " + std::to_string(batch) + " integers for " + arguments.name("lengths") + " but received " +
                         std::to_string(given->size()));
    }
    for (int32_t length : *given) check_integer(length, 0, steps, arguments.name("lengths"));
    lengths = std::move(given);
  }

  const RnnDesc& desc() const { return rnn.desc; }
  size_t element() const { return size_of(rnn.desc.dtype); }
  // Elements of [T,B,I], [T,B,D*O], [L*D,B,O] and [L*D,B,H].
  int64_t input_count() const { return steps * batch * desc().input_size; }
  int64_t output_count() const { return steps * batch * desc().directions() * desc().output_size(); }
  int64_t hidden_count() const { return desc().layers * desc().directions() * batch * desc().output_size(); }
  int64_t cell_count() const { return desc().layers * desc().directions() * batch * desc().hidden_size; }
  int64_t reserve_bytes() const { return int64_t(rnn.device->backend().rnn_reserve_bytes(desc(), steps, batch)); }
};

void require(bool holds, const char* what, const std::string& name, const char* actual) {
  if (!holds) throw RangeMistake(std::string("Expected ") + what + " for " + name + " but received " + actual);
}

Napi::Value rnn_forward(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "rnnForward", 7);
  const Pass pass(environment, arguments);
  PackedOperands packed(environment, "rnnForward", arguments.numbers(4, "buffers", 18));
  packed.expect(*pass.rnn.device);
  const size_t element = pass.element();
  const bool lstm = pass.desc().cell == Cell::lstm;
  require(packed.is_null(1) != packed.is_null(2), "exactly one of x and tokens", "rnnForward buffers", "both or none");
  require(lstm || (packed.is_null(4) && packed.is_null(7)), "0", "rnnForward c0 and cn of a cell without cell state",
          "a buffer");
  require(!pass.training || !packed.is_null(8), "a buffer", "rnnForward reserve when training", "0");

  const View params = packed.view(0, "params", element, pass.rnn.layout.count, Access::read);
  const View x = packed.optional(1, "x", element, pass.input_count(), Access::read);
  const View tokens = packed.optional(2, "tokens", size_of(DType::int32), pass.steps * pass.batch, Access::read);
  const View h0 = packed.optional(3, "h0", element, pass.hidden_count(), Access::read);
  const View c0 = packed.optional(4, "c0", element, pass.cell_count(), Access::read);
  const View y = packed.view(5, "y", element, pass.output_count(), Access::write);
  const View hn = packed.optional(6, "hn", element, pass.hidden_count(), Access::write);
  const View cn = packed.optional(7, "cn", element, pass.cell_count(), Access::write);
  const View reserve = packed.optional(8, "reserve", 1, packed.is_null(8) ? 0 : pass.reserve_bytes(), Access::write);
  require(reserve.byte_offset == 0, "offset 0", "rnnForward reserve", "another");

  const RnnDesc desc = pass.desc();
  const int64_t steps = pass.steps, batch = pass.batch;
  push_kernel(
      packed.device(), [=] { return describe("rnnForward", desc, steps, batch); },
      [=, lengths = pass.lengths, training = pass.training, seed = pass.seed](Backend& backend) {
        backend.rnn_forward(
            desc, {steps, batch, lengths ? lengths->data() : nullptr, params.as<>(), x.as<>(), tokens.as<int32_t>(), h0.as<>(),
                   c0.as<>(), y.as<>(), hn.as<>(), cn.as<>(), reserve.as<>(), training, seed});
      });
  return info.Env().Undefined();
}

Napi::Value rnn_backward(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "rnnBackward", 7);
  const Pass pass(environment, arguments);
  PackedOperands packed(environment, "rnnBackward", arguments.numbers(4, "buffers", 28));
  packed.expect(*pass.rnn.device);
  const size_t element = pass.element();
  const bool lstm = pass.desc().cell == Cell::lstm;
  require(packed.is_null(1) != packed.is_null(2), "exactly one of x and tokens", "rnnBackward buffers", "both or none");
  require(packed.is_null(2) || packed.is_null(9), "0", "rnnBackward dx with tokens", "a buffer");
  require(lstm || (packed.is_null(4) && packed.is_null(8) && packed.is_null(11)), "0",
          "rnnBackward c0, dcn and dc0 of a cell without cell state", "a buffer");

  const View params = packed.view(0, "params", element, pass.rnn.layout.count, Access::read);
  const View x = packed.optional(1, "x", element, pass.input_count(), Access::read);
  const View tokens = packed.optional(2, "tokens", size_of(DType::int32), pass.steps * pass.batch, Access::read);
  const View h0 = packed.optional(3, "h0", element, pass.hidden_count(), Access::read);
  const View c0 = packed.optional(4, "c0", element, pass.cell_count(), Access::read);
  const View y = packed.view(5, "y", element, pass.output_count(), Access::read);
  const View dy = packed.optional(6, "dy", element, pass.output_count(), Access::read);
  const View dhn = packed.optional(7, "dhn", element, pass.hidden_count(), Access::read);
  const View dcn = packed.optional(8, "dcn", element, pass.cell_count(), Access::read);
  const View dx = packed.optional(9, "dx", element, pass.input_count(), Access::write);
  const View dh0 = packed.optional(10, "dh0", element, pass.hidden_count(), Access::write);
  const View dc0 = packed.optional(11, "dc0", element, pass.cell_count(), Access::write);
  const View dparams = packed.optional(12, "dparams", element, pass.rnn.layout.count, Access::write);
  const View reserve = packed.view(13, "reserve", 1, pass.reserve_bytes(), Access::write);
  require(reserve.byte_offset == 0, "offset 0", "rnnBackward reserve", "another");

  const RnnDesc desc = pass.desc();
  const int64_t steps = pass.steps, batch = pass.batch;
  push_kernel(
      packed.device(), [=] { return describe("rnnBackward", desc, steps, batch); },
      [=, lengths = pass.lengths, training = pass.training, seed = pass.seed](Backend& backend) {
        backend.rnn_backward(desc, {steps, batch, lengths ? lengths->data() : nullptr, params.as<>(), x.as<>(),
                                    tokens.as<int32_t>(), h0.as<>(), c0.as<>(), y.as<>(), dy.as<>(), dhn.as<>(), dcn.as<>(),
                                    dx.as<>(), dh0.as<>(), dc0.as<>(), dparams.as<>(), reserve.as<>(), training, seed});
      });
  return info.Env().Undefined();
}

GenerateDesc generate_desc(const RnnDesc& rnn, const std::vector<double>& numbers, int64_t prefix) {
  GenerateDesc desc;
  desc.vocabulary = check_integer(numbers[0], 1, kMaxSize, "generate vocabulary");
  desc.embedding_size = check_integer(numbers[1], 0, kMaxSize, "generate embeddingSize");
  desc.prefix = prefix;
  desc.length = check_integer(numbers[2], 0, kMaxSize, "generate length");
  desc.temperature = check_number(numbers[3], 0, std::numeric_limits<double>::max(), "generate temperature");
  desc.top_k = check_integer(numbers[4], 0, kMaxSize, "generate topK");
  desc.top_p = check_number(numbers[5], 0, 1, "generate topP");
  desc.seed = uint64_t(check_integer(numbers[6], 0, kMaxSafeInteger, "generate seed"));
  desc.offset = uint64_t(check_integer(numbers[7], 0, kMaxSafeInteger, "generate counter"));
  const int64_t input = desc.embedding_size > 0 ? desc.embedding_size : desc.vocabulary;
  if (input != rnn.input_size) {
    throw RangeMistake("Expected the input size " + std::to_string(rnn.input_size) + " of the RNN for generate " +
                       (desc.embedding_size > 0 ? "embeddingSize" : "vocabulary") + " but received " + std::to_string(input));
  }
  return desc;
}

Napi::Value explain_rnn(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "explainRnn", 5);
  const RegisteredRnn& rnn = rnn_argument(environment, arguments);
  const int64_t steps = arguments.integer(1, "steps", 1, kMaxSize), batch = arguments.integer(2, "batch", 1, kMaxSize);
  const bool uneven = arguments.boolean(3, "uneven");
  check_extent(rnn.desc, steps, batch, "explainRnn");
  const size_t bytes = arguments.bytes(4, "target").size;
  const auto explain = [=, desc = rnn.desc](Backend& backend, unsigned char* results) {
    const std::string text = to_json(backend.explain(desc, steps, batch, uneven));
    if (text.size() > bytes) throw Error("an explanation takes " + std::to_string(text.size()) + " bytes");
    std::memset(results, 0, bytes);
    std::memcpy(results, text.data(), text.size());
  };
  return push_promise(environment, *rnn.device, "explainRnn", arguments.value(4), bytes, explain, info.Env());
}

Napi::Value generate(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "generate", 4);
  const RegisteredRnn& rnn = rnn_argument(environment, arguments);
  const auto prefix = std::make_shared<const std::vector<int32_t>>(arguments.integers(2, "prefix"));
  const GenerateDesc desc = generate_desc(rnn.desc, arguments.numbers(1, "numbers", 8), int64_t(prefix->size()));
  require(!prefix->empty(), "at least one token", "generate prefix", "none");
  for (int32_t token : *prefix) check_integer(token, 0, desc.vocabulary - 1, "generate prefix");

  PackedOperands packed(environment, "generate", arguments.numbers(3, "buffers", 14));
  packed.expect(*rnn.device);
  const RnnDesc stack = rnn.desc;
  const size_t element = size_of(stack.dtype);
  const bool lstm = stack.cell == Cell::lstm;
  require(packed.is_null(1) == (desc.embedding_size == 0), "a buffer exactly when embeddingSize is not 0", "generate embedding",
          "otherwise");
  require(packed.is_null(5) != lstm, "a buffer exactly for an lstm", "generate c", "otherwise");
  const int64_t width = stack.directions() * stack.output_size(), states = stack.layers * stack.directions();
  const View params = packed.view(0, "params", element, rnn.layout.count, Access::read);
  const View embedding = packed.optional(
      1, "embedding", element, checked_count({desc.vocabulary, desc.embedding_size}, "generate embedding"), Access::read);
  const View head_weight =
      packed.view(2, "headWeight", element, checked_count({desc.vocabulary, width}, "generate headWeight"), Access::read);
  const View head_bias = packed.optional(3, "headBias", element, desc.vocabulary, Access::read);
  const View h = packed.view(4, "h", element, states * stack.output_size(), Access::write);
  const View c = packed.optional(5, "c", element, states * stack.hidden_size, Access::write);
  const View tokens = packed.view(6, "tokens", size_of(DType::int32), desc.length, Access::write);

  push_kernel(
      packed.device(), [=] { return describe("generate", stack, int64_t(prefix->size()) + desc.length, 1); },
      [=](Backend& backend) {
        backend.generate(stack, desc,
                         {params.as<>(), embedding.as<>(), head_weight.as<>(), head_bias.as<>(), prefix->data(), h.as<>(),
                          c.as<>(), tokens.as<int32_t>()});
      });
  return info.Env().Undefined();
}

}  // namespace

void define_rnn_bindings(Napi::Object exports) {
  define<register_rnn>(exports, "registerRnn");
  define<rnn_param_layout>(exports, "rnnParamLayout");
  define<rnn_reserve_bytes>(exports, "rnnReserveBytes");
  define<rnn_forward>(exports, "rnnForward");
  define<rnn_backward>(exports, "rnnBackward");
  define<explain_rnn>(exports, "explainRnn");
  define<generate>(exports, "generate");
}

}  // namespace deep_rnn::addon
