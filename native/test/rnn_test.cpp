// The recurrent stack: outputs against plain loops, gradients against central differences, float32 and bfloat16 against
// float64, the same bits for 1 to 4 threads; every cell and option, on every instruction set.
#include <vector>

#include "core/error.h"
#include "cpu/rnn.h"
#include "primitives.h"
#include "rnn_reference.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

struct Options {
  const char* name;
  Cell cell;
  int64_t I, H, P, L, T, B;
  bool bidirectional, skip;
  BiasMode bias;
  double dropout, clip;
  bool lengths, tokens, state;
};

constexpr BiasMode kTwofold = BiasMode::twofold, kSingle = BiasMode::single, kNone = BiasMode::none;

const std::vector<Options> kOptions = {
    // name                cell             I   H   P  L  T  B   bidi   skip   bias      drop clip  lengths tokens state
    {"tanh", Cell::rnn_tanh, 3, 5, 0, 1, 4, 2, false, false, kTwofold, 0, 0, false, false, true},
    {"relu deep", Cell::rnn_relu, 4, 33, 0, 3, 3, 3, true, false, kSingle, 0, 0, true, false, true},
    {"tanh skip", Cell::rnn_tanh, 7, 7, 0, 2, 3, 2, true, true, kNone, 0, 0, true, false, true},
    {"tanh tokens", Cell::rnn_tanh, 9, 40, 0, 2, 4, 5, false, false, kTwofold, 0.3, 0, false, true, false},
    {"lstm", Cell::lstm, 3, 5, 0, 1, 4, 2, false, false, kTwofold, 0, 0, false, false, true},
    {"lstm one", Cell::lstm, 1, 1, 0, 1, 1, 1, false, false, kTwofold, 0, 0, false, false, false},
    {"lstm deep", Cell::lstm, 35, 34, 0, 3, 3, 4, false, false, kTwofold, 0.4, 0, true, false, true},
    {"lstm bidirectional", Cell::lstm, 5, 6, 0, 2, 5, 4, true, false, kTwofold, 0.25, 0, true, false, true},
    {"lstm projection", Cell::lstm, 4, 37, 5, 2, 4, 3, false, false, kTwofold, 0, 0, false, false, true},
    {"lstm projection bidirectional", Cell::lstm, 4, 70, 36, 2, 3, 3, true, false, kSingle, 0.2, 0, true, false, true},
    {"lstm clip", Cell::lstm, 6, 9, 0, 2, 6, 3, false, false, kTwofold, 0, 0.2, true, false, true},
    {"lstm skip", Cell::lstm, 33, 33, 0, 2, 3, 2, false, true, kTwofold, 0, 0, false, false, true},
    {"lstm tokens", Cell::lstm, 28, 8, 0, 2, 7, 3, false, false, kTwofold, 0, 0, true, true, true},
    {"lstm tokens bidirectional", Cell::lstm, 50, 8, 0, 1, 3, 3, true, false, kNone, 0, 0, true, true, true},
    {"lstm projection wide input", Cell::lstm, 70, 37, 5, 2, 4, 3, false, false, kTwofold, 0, 0, false, false, true},
    // Weights are far, rows more than one tile, and the sums of a step backward longer than one chunk.
    {"lstm large", Cell::lstm, 28, 544, 0, 1, 2, 15, false, false, kTwofold, 0, 0, true, false, true},
    {"gru", Cell::gru, 3, 5, 0, 1, 4, 2, false, false, kTwofold, 0, 0, false, false, true},
    {"gru deep bidirectional", Cell::gru, 5, 35, 0, 3, 4, 4, true, false, kTwofold, 0.5, 0, true, false, true},
    {"gru single bias", Cell::gru, 6, 4, 0, 2, 3, 2, false, false, kSingle, 0, 0, false, false, false},
    {"gru skip", Cell::gru, 5, 5, 0, 1, 4, 3, true, true, kTwofold, 0, 0, true, false, true},
    {"gru tokens no bias", Cell::gru, 6, 33, 0, 2, 4, 3, false, false, kNone, 0, 0, false, true, true},
    {"gru one row", Cell::gru, 2, 130, 0, 1, 3, 1, false, false, kTwofold, 0, 0, false, false, true},
    // Several groups of sequences, not all of one size.
    {"tanh groups skip", Cell::rnn_tanh, 7, 7, 0, 2, 2, 18, true, true, kSingle, 0, 0, true, false, true},
    {"lstm groups", Cell::lstm, 5, 6, 0, 2, 3, 19, true, false, kTwofold, 0.25, 0, true, false, true},
    {"lstm groups projection", Cell::lstm, 9, 37, 5, 2, 2, 27, false, false, kTwofold, 0.25, 0, true, true, true},
    {"gru groups", Cell::gru, 5, 33, 0, 2, 2, 41, true, false, kTwofold, 0, 0, true, true, true},
};

RnnProblem problem_of(const Options& o) {
  RnnProblem problem;
  RnnDesc& desc = problem.desc;
  desc.cell = o.cell;
  desc.input_size = o.I;
  desc.hidden_size = o.H;
  desc.proj_size = o.P;
  desc.layers = o.L;
  desc.bidirectional = o.bidirectional;
  desc.input_mode = o.skip ? InputMode::skip : InputMode::linear;
  desc.bias = o.bias;
  desc.dropout = o.dropout;
  desc.clip = o.clip;
  desc.dtype = DType::float64;
  problem.steps = o.T;
  problem.batch = o.B;
  problem.training = o.dropout > 0;
  problem.seed = 99;
  const int64_t states = o.L * desc.directions() * o.B;
  if (o.lengths)
    for (int64_t b = 0; b < o.B; b++)
      problem.lengths.push_back(int32_t((b * 2 + 1) % (o.T + 1) == 1 ? 0 : (b * 3 + 2) % (o.T + 1)));
  if (o.tokens) {
    for (int64_t i = 0; i < o.T * o.B; i++) {
      const bool padding = o.lengths && i / o.B >= problem.lengths[size_t(i % o.B)];
      problem.tokens.push_back(padding ? -1 : int32_t(philox(5, uint64_t(i)).v[0] % uint64_t(o.I)));
    }
  } else {
    problem.x = random_values<double>(o.T * o.B * o.I, -1, 1, 1);
  }
  const double bound = 1.5 / std::sqrt(double(o.H));
  problem.params.assign(size_t(cpu::rnn_param_layout(desc).count), 0.0);
  for (const RnnParamEntry& entry : cpu::rnn_param_layout(desc).entries) {
    const Values values = random_values<double>(entry.rows * entry.columns, -bound, bound, uint64_t(100 + entry.offset));
    std::copy(values.begin(), values.end(), problem.params.begin() + entry.offset);
  }
  if (o.state) {
    problem.h0 = random_values<double>(states * desc.output_size(), -1, 1, 3);
    if (o.cell == Cell::lstm) problem.c0 = random_values<double>(states * o.H, -1, 1, 4);
  }
  return problem;
}

// Memory as the device gives it: 64-byte aligned.
struct Reserve {
  cpu::Workspace memory;
  void* take(size_t bytes) {
    void* data = memory.take(bytes);
    std::memset(data, 0xFF, bytes);
    return data;
  }
};

template <class E>
std::vector<E> cast(const Values& values) {
  return {values.begin(), values.end()};
}

template <class E>
const E* data_or_null(const std::vector<E>& values) {
  return values.empty() ? nullptr : values.data();
}

template <class E>
struct Run {
  std::vector<E> y, hn, cn, dx, dh0, dc0, dparams;

  void record(Record& record) const {
    for (const std::vector<E>* values : {&y, &hn, &cn, &dx, &dh0, &dc0, &dparams}) record.add(*values);
  }
};

// How strongly each output counts in the loss whose gradients are tested.
struct LossWeights {
  explicit LossWeights(const RnnProblem& p)
      : y(random_values<double>(p.steps * p.batch * p.desc.directions() * p.desc.output_size(), -1, 1, 11)),
        hn(random_values<double>(p.desc.layers * p.desc.directions() * p.batch * p.desc.output_size(), -1, 1, 12)),
        cn(random_values<double>(p.desc.layers * p.desc.directions() * p.batch * p.desc.hidden_size, -1, 1, 13)) {}
  Values y, hn, cn;
};

template <class E>
Run<E> run(cpu::Team& team, const cpu::KernelSet& kernels, const RnnProblem& problem, bool backward, Precision precision,
           cpu::SharingTuner& tuner) {
  cpu::Workspace workspace;
  RnnDesc desc = problem.desc;
  desc.dtype = dtype_of<E>();
  desc.precision = precision;
  const int64_t T = problem.steps, B = problem.batch, states = desc.layers * desc.directions() * B;
  const bool lstm = desc.cell == Cell::lstm;
  const E nan = std::numeric_limits<E>::quiet_NaN();
  const auto params = cast<E>(problem.params), x = cast<E>(problem.x), h0 = cast<E>(problem.h0), c0 = cast<E>(problem.c0);
  Run<E> run;
  run.y.assign(size_t(T * B * desc.directions() * desc.output_size()), nan);
  run.hn.assign(size_t(states * desc.output_size()), nan);
  if (lstm) run.cn.assign(size_t(states * desc.hidden_size), nan);
  Reserve reserve;
  RnnForwardArgs args{};
  args.steps = T;
  args.batch = B;
  args.lengths = data_or_null(problem.lengths);
  args.params = params.data();
  args.x = data_or_null(x);
  args.tokens = data_or_null(problem.tokens);
  args.h0 = data_or_null(h0);
  args.c0 = data_or_null(c0);
  args.y = run.y.data();
  args.hn = run.hn.data();
  args.cn = lstm ? run.cn.data() : nullptr;
  args.reserve = backward || problem.training ? reserve.take(cpu::rnn_reserve_bytes(desc, T, B)) : nullptr;
  args.training = problem.training;
  args.seed = problem.seed;
  cpu::rnn_forward({team, workspace, tuner, kernels}, desc, args);
  if (!backward) return run;

  const LossWeights loss(problem);
  const auto dy = cast<E>(loss.y), dhn = cast<E>(loss.hn), dcn = cast<E>(loss.cn);
  if (!x.empty()) run.dx.assign(x.size(), nan);
  run.dh0.assign(run.hn.size(), nan);
  if (lstm) run.dc0.assign(run.cn.size(), nan);
  run.dparams.assign(params.size(), E(0.5));
  RnnBackwardArgs back{};
  back.steps = T;
  back.batch = B;
  back.lengths = args.lengths;
  back.params = args.params;
  back.x = args.x;
  back.tokens = args.tokens;
  back.h0 = args.h0;
  back.c0 = args.c0;
  back.y = args.y;
  back.dy = dy.data();
  back.dhn = dhn.data();
  back.dcn = lstm ? dcn.data() : nullptr;
  back.dx = x.empty() ? nullptr : run.dx.data();
  back.dh0 = run.dh0.data();
  back.dc0 = lstm ? run.dc0.data() : nullptr;
  back.dparams = run.dparams.data();
  back.reserve = args.reserve;
  back.training = args.training;
  back.seed = args.seed;
  cpu::rnn_backward({team, workspace, tuner, kernels}, desc, back);
  return run;
}

template <class E>
Run<E> run(cpu::Team& team, const cpu::KernelSet& kernels, const RnnProblem& problem, bool backward,
           Precision precision = Precision::same) {
  cpu::SharingTuner tuner;
  return run<E>(team, kernels, problem, backward, precision, tuner);
}

template <class E>
void check_all_close(const std::vector<E>& actual, const Values& expected, double tolerance, const std::string& what) {
  CHECK_EQUAL(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); i++)
    check_close(double(actual[i]), expected[i], tolerance, what + " " + std::to_string(i));
}

void test_outputs(cpu::Team& team, const cpu::KernelSet& kernels, const Options& options) {
  const RnnProblem problem = problem_of(options);
  const RnnResult expected = reference_forward(problem, cpu::rnn_param_layout(problem.desc));
  const std::string what = std::string(kernels.name) + " " + options.name;
  for (bool backward : {false, true}) {
    const Run<double> doubles = run<double>(team, kernels, problem, backward);
    check_all_close(doubles.y, expected.y, 1e-12, what + " y");
    check_all_close(doubles.hn, expected.hn, 1e-12, what + " hn");
    if (options.cell == Cell::lstm) check_all_close(doubles.cn, expected.cn, 1e-12, what + " cn");
  }
  const Run<float> floats = run<float>(team, kernels, problem, true);
  const Run<double> doubles = run<double>(team, kernels, problem, true);
  check_all_close(floats.y, expected.y, 3e-6, what + " float32 y");
  check_all_close(floats.hn, expected.hn, 3e-6, what + " float32 hn");
  check_all_close(floats.dx, doubles.dx, 2e-5, what + " float32 dx");
  check_all_close(floats.dh0, doubles.dh0, 2e-5, what + " float32 dh0");
  check_all_close(floats.dc0, doubles.dc0, 2e-5, what + " float32 dc0");
  check_all_close(floats.dparams, doubles.dparams, 3e-5, what + " float32 dparams");
}

// Operands of bfloat16 carry 8 bits: the largest error against the largest value.
void test_bfloat16(cpu::Team& team, const cpu::KernelSet& kernels, const Options& options) {
  const RnnProblem problem = problem_of(options);
  const std::string what = std::string(kernels.name) + " " + options.name + " bfloat16 ";
  const Run<double> exact = run<double>(team, kernels, problem, true);
  const Run<float> rounded = run<float>(team, kernels, problem, true, Precision::bfloat16);
  const auto check_near = [&](const std::vector<float>& actual, const Values& expected, double tolerance, const char* name) {
    CHECK_EQUAL(actual.size(), expected.size());
    double largest = 0, error = 0;
    for (size_t i = 0; i < actual.size(); i++) {
      check(std::isfinite(actual[i]), what + name);
      largest = std::max(largest, std::fabs(expected[i]));
      error = std::max(error, std::fabs(double(actual[i]) - expected[i]));
    }
    check(error <= tolerance * largest, what + name + ": error " + std::to_string(error) + " of " + std::to_string(largest));
  };
  check_near(rounded.y, exact.y, 0.02, "y");
  check_near(rounded.hn, exact.hn, 0.02, "hn");
  check_near(rounded.cn, exact.cn, 0.02, "cn");
  check_near(rounded.dx, exact.dx, 0.05, "dx");
  check_near(rounded.dh0, exact.dh0, 0.05, "dh0");
  check_near(rounded.dc0, exact.dc0, 0.05, "dc0");
  check_near(rounded.dparams, exact.dparams, 0.05, "dparams");
  const Run<float> forward_only = run<float>(team, kernels, problem, false, Precision::bfloat16);
  check(forward_only.y == rounded.y, what + "inference differs from training");
}

void test_gradients(cpu::Team& team, const cpu::KernelSet& kernels, const Options& options) {
  RnnProblem problem = problem_of(options);
  const RnnParamLayout layout = cpu::rnn_param_layout(problem.desc);
  const LossWeights weights(problem);
  const auto loss = [&] {
    const RnnResult result = reference_forward(problem, layout);
    double sum = 0;
    for (size_t i = 0; i < result.y.size(); i++) sum += weights.y[i] * result.y[i];
    for (size_t i = 0; i < result.hn.size(); i++) sum += weights.hn[i] * result.hn[i];
    for (size_t i = 0; options.cell == Cell::lstm && i < result.cn.size(); i++) sum += weights.cn[i] * result.cn[i];
    return sum;
  };
  const Run<double> native = run<double>(team, kernels, problem, true);
  const auto check_element = [&](Values& values, size_t i, double actual, const std::string& name) {
    constexpr double step = 1e-5;
    const double value = values[i];
    values[i] = value + step;
    const double above = loss();
    values[i] = value - step;
    const double below = loss();
    values[i] = value;
    check_close(actual, (above - below) / (2 * step), 2e-8,
                std::string(kernels.name) + " " + options.name + " " + name + " " + std::to_string(i));
  };
  const auto check_some = [&](Values& values, const Values& gradient, size_t first, size_t count, double offset,
                              const std::string& name) {
    constexpr size_t most = 10;
    for (size_t k = 0; k < std::min(count, most); k++) {
      const size_t i = first + (count <= most ? k : philox(first + count, k).v[0] % count);
      check_element(values, i, gradient[i] - offset, name);
    }
  };
  const char* names[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"};
  Values untouched(native.dparams.size(), 1.0);
  for (const RnnParamEntry& entry : layout.entries) {
    check_some(problem.params, native.dparams, size_t(entry.offset), size_t(entry.rows * entry.columns), 0.5,
               std::string("d") + names[int(entry.param)] + " layer " + std::to_string(entry.layer) + " direction " +
                   std::to_string(entry.direction));
    std::fill_n(untouched.begin() + entry.offset, entry.rows * entry.columns, 0.0);
  }
  for (size_t i = 0; i < untouched.size(); i++)
    if (untouched[i] != 0) CHECK_EQUAL(native.dparams[i], 0.5);
  if (!problem.x.empty()) check_some(problem.x, native.dx, 0, problem.x.size(), 0, "dx");
  if (!problem.h0.empty()) check_some(problem.h0, native.dh0, 0, problem.h0.size(), 0, "dh0");
  if (!problem.c0.empty()) check_some(problem.c0, native.dc0, 0, problem.c0.size(), 0, "dc0");
}

// Large enough for four threads: split by units, by units and rows, and by groups of sequences.
void test_threads(const cpu::KernelSet& kernels) {
  const std::vector<Options> large = {
      {"lstm", Cell::lstm, 20, 130, 0, 2, 5, 33, true, false, kTwofold, 0.3, 0, true, false, true},
      {"lstm projection", Cell::lstm, 20, 130, 70, 2, 4, 35, false, false, kTwofold, 0, 0.5, false, false, true},
      {"lstm rows", Cell::lstm, 28, 40, 0, 1, 4, 150, false, false, kTwofold, 0, 0, true, true, true},
      {"lstm large", Cell::lstm, 28, 544, 0, 1, 2, 19, false, false, kTwofold, 0, 0, true, true, true},
      {"gru", Cell::gru, 50, 160, 0, 2, 5, 37, true, false, kTwofold, 0, 0, false, true, true},
      {"relu", Cell::rnn_relu, 40, 200, 0, 2, 3, 33, false, false, kTwofold, 0, 0, true, false, false},
  };
  for (const Options& options : large) {
    const RnnProblem problem = problem_of(options);
    Record alone;
    for (int threads = 1; threads <= 4; threads++) {
      cpu::Team team(threads);
      // The tuner tries one way of sharing after the other.
      cpu::SharingTuner tuner({0, 1});
      const size_t sharings = cpu::possible_sharings(threads, 1'000'000, 4).size();
      for (size_t i = 0; i < sharings; i++) {
        Record record;
        run<float>(team, kernels, problem, true, Precision::same, tuner).record(record);
        run<double>(team, kernels, problem, true, Precision::same, tuner).record(record);
        run<float>(team, kernels, problem, true, Precision::bfloat16, tuner).record(record);
        if (threads == 1) alone = record;
        check(record == alone,
              std::string(kernels.name) + " " + options.name + ": " + std::to_string(threads) + " threads change the result");
      }
    }
  }
}

// Gradients that nobody wants or gives.
void test_nulls(cpu::Team& team, const cpu::KernelSet& kernels) {
  const RnnProblem problem = problem_of(kOptions[6]);
  const RnnDesc& desc = problem.desc;
  cpu::Workspace workspace;
  cpu::SharingTuner tuner;
  Reserve reserve;
  Values y(size_t(problem.steps * problem.batch * desc.hidden_size));
  RnnForwardArgs args{};
  args.steps = problem.steps;
  args.batch = problem.batch;
  args.params = problem.params.data();
  args.x = problem.x.data();
  args.y = y.data();
  args.reserve = reserve.take(cpu::rnn_reserve_bytes(desc, args.steps, args.batch));
  cpu::rnn_forward({team, workspace, tuner, kernels}, desc, args);
  Values dparams(problem.params.size(), 0.0);
  RnnBackwardArgs back{};
  back.steps = args.steps;
  back.batch = args.batch;
  back.params = args.params;
  back.x = args.x;
  back.y = args.y;
  back.dparams = dparams.data();
  back.reserve = args.reserve;
  cpu::rnn_backward({team, workspace, tuner, kernels}, desc, back);
  for (double value : dparams) CHECK_EQUAL(value, 0.0);
  const size_t capacity = workspace.capacity();
  cpu::rnn_forward({team, workspace, tuner, kernels}, desc, args);
  back.dparams = nullptr;
  cpu::rnn_backward({team, workspace, tuner, kernels}, desc, back);
  CHECK_EQUAL(workspace.capacity(), capacity);
}

void test_refusals(cpu::Team& team, const cpu::KernelSet& kernels) {
  RnnDesc desc;
  desc.input_size = 28;
  desc.hidden_size = 8;
  CHECK_EQUAL(cpu::rnn_supports(desc), "");
  const auto refuses = [&](const char* part, auto change) {
    RnnDesc changed = desc;
    change(changed);
    CHECK_CONTAINS(cpu::rnn_supports(changed), part);
  };
  refuses("CPU backend", [](RnnDesc& d) { d.precision = Precision::tf32; });
  refuses("needs float32", [](RnnDesc& d) {
    d.precision = Precision::bfloat16;
    d.dtype = DType::float64;
  });
  refuses("float32", [](RnnDesc& d) { d.dtype = DType::int32; });
  refuses("hidden size", [](RnnDesc& d) { d.hidden_size = 0; });
  refuses("input size", [](RnnDesc& d) { d.input_size = int64_t(1) << 40; });
  refuses("layers", [](RnnDesc& d) { d.layers = -1; });
  refuses("smaller", [](RnnDesc& d) { d.proj_size = 8; });
  refuses("projection", [](RnnDesc& d) {
    d.cell = Cell::gru;
    d.proj_size = 4;
  });
  refuses("clip", [](RnnDesc& d) {
    d.cell = Cell::gru;
    d.clip = 1;
  });
  refuses("clip", [](RnnDesc& d) { d.clip = std::nan(""); });
  refuses("dropout", [](RnnDesc& d) { d.dropout = 1.5; });
  refuses("skip", [](RnnDesc& d) { d.input_mode = InputMode::skip; });

  RnnProblem problem = problem_of(kOptions[12]);
  problem.tokens[size_t(1 * problem.batch + 1)] = 28;
  problem.lengths = {};
  for (int32_t& token : problem.tokens) token = std::max(token, 0);
  CHECK_EQUAL(message_of([&] { run<double>(team, kernels, problem, false); }), "token 28 outside 0..27 at step 1, row 1");
}

}  // namespace

int main() {
  cpu::Team team(2);
  for (const cpu::KernelSet* kernels : cpu::available_kernels()) {
    for (const Options& options : kOptions) {
      test_outputs(team, *kernels, options);
      test_gradients(team, *kernels, options);
      test_bfloat16(team, *kernels, options);
    }
    test_threads(*kernels);
    test_nulls(team, *kernels);
    test_refusals(team, *kernels);
  }
}
