// Where cuDNN keeps weights, and which gate a linear layer is.
#include <algorithm>
#include <cmath>
#include <utility>

#include "cuda/probes.h"

namespace deep_rnn::cuda {

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

int gates(cudnnRNNMode_t cell) { return cell == CUDNN_LSTM ? 4 : cell == CUDNN_GRU ? 3 : 1; }

// A description of what is wrong with the places of one stack's weights; empty: nothing.
std::string misplaced(BareStack& stack) {
  const BareConfig& config = stack.config;
  const int count = gates(config.cell);
  const bool projects = config.projection > 0;
  std::vector<std::pair<size_t, size_t>> taken;  // begin, end
  const char* base = static_cast<const char*>(stack.weights.data());
  for (int pseudo = 0; pseudo < config.layers * config.directions(); pseudo++) {
    const int layer = pseudo / config.directions();
    for (int linear = 0; linear < 2 * count + (projects ? 1 : 0); linear++) {
      for (const bool bias : {false, true}) {
        const bool input = linear < count, projection = linear == 2 * count;
        std::vector<int> wanted = {1, config.hidden, 1};
        if (!bias && input) wanted[2] = layer == 0 ? config.input : config.directions() * config.output();
        if (!bias && !input) wanted[2] = config.output();
        if (!bias && projection) wanted = {1, config.projection, config.hidden};
        bool there = !bias || (!projection &&
                               (config.bias == CUDNN_RNN_DOUBLE_BIAS || (config.bias == CUDNN_RNN_SINGLE_INP_BIAS && input)));
        if (!bias && input && layer == 0 && config.input_mode == CUDNN_SKIP_INPUT) there = false;
        const BareStack::Place place = stack.place(pseudo, linear, bias);
        const std::string where = std::string(bias ? "bias" : "matrix") + " of linear layer " + std::to_string(linear) +
                                  " of pseudo-layer " + std::to_string(pseudo);
        if (!there) {
          if (place.address) return where + " should be absent but has an address";
          continue;
        }
        if (!place.address) return where + " has no address";
        if (place.shape != wanted) return where + " has another shape";
        const ptrdiff_t begin = place.address - base;
        const size_t bytes = size_t(wanted[1]) * size_t(wanted[2]) * stack.element();
        if (begin < 0 || size_t(begin) + bytes > stack.weight_bytes() || size_t(begin) % stack.element() != 0)
          return where + " lies outside the weight space";
        taken.push_back({size_t(begin), size_t(begin) + bytes});
      }
    }
  }
  std::sort(taken.begin(), taken.end());
  for (size_t i = 1; i < taken.size(); i++)
    if (taken[i].first < taken[i - 1].second) return "two of the matrices or biases overlap";
  return "";
}

Verdict ask_places(Gpu& gpu, bool) {
  int stacks = 0;
  for (const cudnnRNNMode_t cell : {CUDNN_RNN_TANH, CUDNN_RNN_RELU, CUDNN_LSTM, CUDNN_GRU}) {
    for (const cudnnRNNBiasMode_t bias : {CUDNN_RNN_NO_BIAS, CUDNN_RNN_SINGLE_INP_BIAS, CUDNN_RNN_DOUBLE_BIAS}) {
      for (int variant = 0; variant < 16; variant++) {
        BareConfig config;
        config.cell = cell;
        config.bias = bias;
        config.layers = 2;
        config.hidden = 24;
        config.input = variant & 1 ? 24 : 17;
        config.input_mode = variant & 1 ? CUDNN_SKIP_INPUT : CUDNN_LINEAR_INPUT;
        config.direction = variant & 2 ? CUDNN_BIDIRECTIONAL : CUDNN_UNIDIRECTIONAL;
        if (variant & 4) config.type = config.sums = CUDNN_DATA_DOUBLE;
        if (variant & 8 && cell != CUDNN_LSTM) continue;
        if (variant & 8) config.projection = 11;
        BareStack stack(gpu, config);
        stacks++;
        if (const std::string wrong = misplaced(stack); !wrong.empty()) return {false, wrong};
      }
    }
  }
  return {true, std::to_string(stacks) +
                    " stacks: every matrix [1, rows, columns], every bias [1, rows, 1], absent ones null, "
                    "none overlaps another"};
}

// A stack of one cell with one unit whose weights are zero and whose biases are known: its gates can be told apart.
struct OneUnit {
  BareStack stack;

  OneUnit(Gpu& gpu, cudnnRNNMode_t cell) : stack(gpu, config_of(cell)) {
    stack.write(stack.hx, {0.4});
    if (cell == CUDNN_LSTM) stack.write(stack.cx, {0.7});
    std::vector<double> weights(stack.weights.count, 0);
    for (int linear = 0; linear < 2 * gates(cell); linear++) {
      const BareStack::Place place = stack.place(0, linear, true);
      weights[size_t(place.address - static_cast<char*>(stack.weights.data())) / stack.element()] = bias(linear);
    }
    stack.write(stack.weights, weights);
  }
  static double bias(int linear) { return 0.9 - 0.35 * linear + 0.02 * linear * linear; }
  double y(Gpu& gpu) {
    gpu.api().check(stack.forward(), "cudnnRNNForward");
    return stack.read(stack.y)[0];
  }

 private:
  static BareConfig config_of(cudnnRNNMode_t cell) {
    BareConfig config;
    config.cell = cell;
    config.type = config.sums = CUDNN_DATA_DOUBLE;
    config.input = config.hidden = config.steps = config.batch = 1;
    return config;
  }
};

Verdict ask_lstm_gates(Gpu& gpu, bool) {
  const double y = OneUnit(gpu, CUDNN_LSTM).y(gpu);
  const auto b = [](int gate) { return OneUnit::bias(gate) + OneUnit::bias(gate + 4); };
  const double c = sigmoid(b(1)) * 0.7 + sigmoid(b(0)) * std::tanh(b(2));
  const double wanted = sigmoid(b(3)) * std::tanh(c);
  return {std::abs(y - wanted) < 1e-9, "h is " + number(y) + ", i,f,g,o would give " + number(wanted)};
}

Verdict ask_gru_gates(Gpu& gpu, bool) {
  const double y = OneUnit(gpu, CUDNN_GRU).y(gpu);
  const auto b = [](int gate) { return OneUnit::bias(gate) + OneUnit::bias(gate + 3); };
  const double r = sigmoid(b(0)), z = sigmoid(b(1));
  const double n = std::tanh(OneUnit::bias(2) + r * OneUnit::bias(5));
  const double wanted = (1 - z) * n + z * 0.4;
  return {std::abs(y - wanted) < 1e-9,
          "h is " + number(y) + ", r,z,n with the reset after the product would give " + number(wanted)};
}

}  // namespace

std::vector<ProbeCode> weight_probes() {
  return {
      {{"weight places", true, "cudnnGetRNNWeightParams gives every matrix and bias a place of its own, row-major and whole"},
       ask_places},
      {{"LSTM gates", true, "the linear layers of an LSTM are i, f, g, o"}, ask_lstm_gates},
      {{"GRU gates", true, "the linear layers of a GRU are r, z, n, and the reset comes after the product"}, ask_gru_gates},
  };
}

}  // namespace deep_rnn::cuda
