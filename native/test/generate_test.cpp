// Generation: the same tokens and state as the stack itself run step by step, and the distributions that sampling promises.
#include <vector>

#include "cpu/generate.h"
#include "cpu/rnn.h"
#include "primitives.h"
#include "rnn_reference.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

struct Model {
  RnnProblem problem;  // of one sequence
  Values embedding, head_weight, head_bias, h, c;
  int64_t V, E;
};

Model model_of(Cell cell, int64_t V, int64_t E, int64_t H, int64_t P, int64_t L, BiasMode bias) {
  Model model;
  RnnDesc& desc = model.problem.desc;
  desc.cell = cell;
  desc.input_size = E > 0 ? E : V;
  desc.hidden_size = H;
  desc.proj_size = P;
  desc.layers = L;
  desc.bias = bias;
  if (E == H) desc.input_mode = InputMode::skip;
  model.V = V;
  model.E = E;
  model.problem.params = random_values<double>(cpu::rnn_param_layout(desc).count, -0.3, 0.3, 1);
  model.embedding = random_values<double>(V * E, -1, 1, 2);
  model.head_weight = random_values<double>(V * desc.output_size(), -2, 2, 3);
  model.head_bias = random_values<double>(V, -0.5, 0.5, 4);
  model.h = random_values<double>(L * desc.output_size(), -0.5, 0.5, 5);
  model.c = random_values<double>(L * H, -0.5, 0.5, 6);
  return model;
}

template <class E>
struct Generated {
  std::vector<int32_t> tokens;
  std::vector<E> h, c;
};

template <class E>
Generated<E> generate(cpu::Team& team, const cpu::KernelSet& kernels, const Model& model, const std::vector<int32_t>& prefix,
                      GenerateDesc desc) {
  const auto cast = [](const Values& values) { return std::vector<E>(values.begin(), values.end()); };
  RnnDesc rnn = model.problem.desc;
  rnn.dtype = dtype_of<E>();
  desc.vocabulary = model.V;
  desc.embedding_size = model.E;
  desc.prefix = int64_t(prefix.size());
  const auto params = cast(model.problem.params), embedding = cast(model.embedding), weight = cast(model.head_weight),
             bias = cast(model.head_bias);
  Generated<E> result{std::vector<int32_t>(size_t(desc.length), -1), cast(model.h), cast(model.c)};
  GenerateArgs args{};
  args.params = params.data();
  args.embedding = model.E > 0 ? embedding.data() : nullptr;
  args.head_weight = weight.data();
  args.head_bias = bias.data();
  args.prefix = prefix.data();
  args.h = result.h.data();
  args.c = rnn.cell == Cell::lstm ? result.c.data() : nullptr;
  args.tokens = result.tokens.data();
  cpu::Workspace workspace;
  cpu::SharingTuner tuner;
  cpu::generate({team, workspace, tuner, kernels}, rnn, desc, args);
  return result;
}

GenerateDesc greedy(int64_t length) {
  GenerateDesc desc{};
  desc.length = length;
  desc.top_p = 1;
  return desc;
}

// Feeds prefix and tokens through the reference at once; each token must be the best after the ones before it.
void check_greedy(const Model& model, const std::vector<int32_t>& prefix, const Generated<double>& generated,
                  const std::string& what) {
  RnnProblem problem = model.problem;
  std::vector<int32_t> fed = prefix;
  fed.insert(fed.end(), generated.tokens.begin(), generated.tokens.end() - 1);
  problem.steps = int64_t(fed.size());
  for (int32_t token : fed)
    for (int64_t i = 0; i < problem.desc.input_size; i++)
      problem.x.push_back(model.E > 0 ? model.embedding[size_t(token * model.E + i)] : i == token ? 1 : 0);
  problem.h0 = model.h;
  if (problem.desc.cell == Cell::lstm) problem.c0 = model.c;
  const RnnResult result = reference_forward(problem, cpu::rnn_param_layout(problem.desc));
  const int64_t O = problem.desc.output_size();
  for (size_t i = 0; i < generated.tokens.size(); i++) {
    Values logits = model.head_bias;
    for (int64_t v = 0; v < model.V; v++)
      for (int64_t k = 0; k < O; k++)
        logits[size_t(v)] += model.head_weight[size_t(v * O + k)] * result.y[(prefix.size() - 1 + i) * size_t(O) + size_t(k)];
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    check(generated.tokens[i] == best, what + ": token " + std::to_string(i));
  }
  for (size_t i = 0; i < generated.h.size(); i++) check_close(generated.h[i], result.hn[i], 1e-12, what + " h");
  for (size_t i = 0; problem.desc.cell == Cell::lstm && i < generated.c.size(); i++)
    check_close(generated.c[i], result.cn[i], 1e-12, what + " c");
}

void test_greedy(const cpu::KernelSet& kernels) {
  const std::vector<Model> models = {
      model_of(Cell::lstm, 28, 0, 34, 0, 2, BiasMode::twofold),   model_of(Cell::lstm, 40, 12, 37, 20, 2, BiasMode::twofold),
      model_of(Cell::gru, 28, 0, 33, 0, 3, BiasMode::twofold),    model_of(Cell::gru, 35, 9, 16, 0, 1, BiasMode::single),
      model_of(Cell::rnn_tanh, 5, 0, 8, 0, 2, BiasMode::none),    model_of(Cell::rnn_relu, 7, 20, 20, 0, 2, BiasMode::twofold),
      model_of(Cell::lstm, 100, 0, 330, 0, 2, BiasMode::twofold),
  };
  for (size_t i = 0; i < models.size(); i++) {
    const Model& model = models[i];
    const std::string what = std::string(kernels.name) + " model " + std::to_string(i);
    const std::vector<int32_t> prefix = {3, 1, 4};
    cpu::Team alone(1), two(2);
    const Generated<double> one = generate<double>(alone, kernels, model, prefix, greedy(20));
    check_greedy(model, prefix, one, what);
    // Long enough for the tuner to try every way of sharing.
    const Generated<double> long_alone = generate<double>(alone, kernels, model, prefix, greedy(120));
    for (int threads = 2; threads <= 4; threads++) {
      cpu::Team team(threads);
      const Generated<double> same = generate<double>(team, kernels, model, prefix, greedy(120));
      check(same.tokens == long_alone.tokens && same.h == long_alone.h && same.c == long_alone.c,
            what + ": " + std::to_string(threads) + " threads change the result");
    }
    const Generated<float> floats = generate<float>(two, kernels, model, prefix, greedy(3));
    for (int32_t token : floats.tokens) check(token >= 0 && token < model.V, what + " float32");

    // To go on from the state, the last token is the next prefix.
    Model later = model;
    const Generated<double> first = generate<double>(two, kernels, model, prefix, greedy(8));
    later.h = first.h;
    later.c = first.c;
    const Generated<double> rest = generate<double>(two, kernels, later, {first.tokens.back()}, greedy(12));
    for (size_t k = 0; k < 20; k++)
      check(one.tokens[k] == (k < 8 ? first.tokens[k] : rest.tokens[k - 8]), what + ": in two parts");

    GenerateDesc cold = greedy(20);
    cold.temperature = 1e-8;
    check(generate<double>(two, kernels, model, prefix, cold).tokens == one.tokens, what + ": cold");
    GenerateDesc best = greedy(20);
    best.temperature = 3;
    best.top_k = 1;
    check(generate<double>(two, kernels, model, prefix, best).tokens == one.tokens, what + ": top 1");
    const Generated<double> nothing = generate<double>(two, kernels, model, prefix, greedy(0));
    check(nothing.tokens.empty(), what + ": length 0");
  }
}

// With weights of zero the logits are the head's bias at every step.
void test_sampling(const cpu::KernelSet& kernels) {
  Model model = model_of(Cell::gru, 6, 0, 4, 0, 1, BiasMode::twofold);
  std::fill(model.head_weight.begin(), model.head_weight.end(), 0.0);
  const Values probabilities = {0.05, 0.3, 0.2, 0.25, 0.15, 0.05};
  for (size_t i = 0; i < 6; i++) model.head_bias[i] = 10 + std::log(probabilities[i]);
  cpu::Team team(1);
  const int64_t draws = 40000;
  const auto test_frequencies = [&](GenerateDesc desc, const Values& weights, const std::string& name) {
    const std::vector<int32_t> tokens = generate<double>(team, kernels, model, {0}, desc).tokens;
    double total = 0;
    for (double weight : weights) total += weight;
    for (size_t i = 0; i < 6; i++) {
      const double expected = weights[i] / total, deviation = std::sqrt(expected * (1 - expected) / double(draws));
      const double actual = double(std::count(tokens.begin(), tokens.end(), int32_t(i))) / double(draws);
      check(std::fabs(actual - expected) <= 4.5 * deviation, name + ": token " + std::to_string(i) + " came up " +
                                                                 std::to_string(actual) + " instead of " +
                                                                 std::to_string(expected));
    }
  };
  GenerateDesc desc = greedy(draws);
  desc.temperature = 1;
  desc.seed = 7;
  test_frequencies(desc, probabilities, "all");
  GenerateDesc changed = desc;
  changed.temperature = 0.5;
  test_frequencies(changed, {0.0025, 0.09, 0.04, 0.0625, 0.0225, 0.0025}, "temperature");
  changed = desc;
  changed.top_k = 3;
  test_frequencies(changed, {0, 0.3, 0.2, 0.25, 0, 0}, "top 3");
  changed = desc;
  changed.top_p = 0.8;
  test_frequencies(changed, {0, 0.3, 0.2, 0.25, 0.15, 0}, "nucleus");
  changed.top_p = 0.01;
  test_frequencies(changed, {0, 1, 0, 0, 0, 0}, "smallest nucleus");

  // A diverged model still gives tokens.
  Model diverged = model;
  for (size_t i = 0; i < 6; i += 2) diverged.head_bias[i] = std::nan("");
  changed = desc;
  changed.top_p = 0.9;
  for (int32_t token : generate<double>(team, kernels, diverged, {0}, changed).tokens) CHECK(token >= 0 && token < 6);

  // Draw i is a function of seed and offset + i.
  const std::vector<int32_t> all = generate<double>(team, kernels, model, {0}, desc).tokens;
  changed = desc;
  changed.offset = 100;
  changed.length = 50;
  const std::vector<int32_t> later = generate<double>(team, kernels, model, {0}, changed).tokens;
  CHECK(std::equal(later.begin(), later.end(), all.begin() + 100));
  changed.seed = 8;
  CHECK(generate<double>(team, kernels, model, {0}, changed).tokens != later);
}

void test_refusals(const cpu::KernelSet& kernels) {
  cpu::Team team(1);
  Model model = model_of(Cell::gru, 6, 0, 4, 0, 1, BiasMode::twofold);
  const auto message = [&](const std::vector<int32_t>& prefix) {
    return message_of([&] { generate<double>(team, kernels, model, prefix, greedy(2)); });
  };
  CHECK_CONTAINS(message({0, 6}), "token 6 outside 0..5 at position 1 of the prefix");
  CHECK_CONTAINS(message({}), "at least one token");
  model.problem.desc.bidirectional = true;
  CHECK_CONTAINS(message({0}), "bidirectional");
  model.problem.desc.bidirectional = false;
  model.V = 5;
  CHECK_CONTAINS(message({0}), "6 inputs");
}

}  // namespace

int main() {
  for (const cpu::KernelSet* kernels : cpu::available_kernels()) {
    test_greedy(*kernels);
    test_sampling(*kernels);
    test_refusals(*kernels);
  }
}
