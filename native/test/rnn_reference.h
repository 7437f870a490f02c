// The recurrent stack once more, in double and with plain loops over the equations: the oracle of the native tests.
#pragma once
#include <cmath>
#include <vector>

#include "core/desc.h"
#include "core/random.h"

namespace deep_rnn::test {

using Values = std::vector<double>;

struct RnnProblem {
  RnnDesc desc;
  int64_t steps = 1, batch = 1;
  std::vector<int32_t> lengths;  // empty: all `steps`
  std::vector<int32_t> tokens;   // [T,B], or empty
  Values x;                      // [T,B,I] where there are no tokens
  Values params;                 // [layout.count]
  Values h0, c0;                 // [L*D,B,O], [L*D,B,H]; empty: zeros
  bool training = false;
  uint64_t seed = 0;
};

struct RnnResult {
  Values y, hn, cn;  // [T,B,D*O], [L*D,B,O], [L*D,B,H]
};

// The matrix-vector product of rows first..first+count-1 of a [..][columns] parameter, or nothing where the parameter is
// absent.
inline void add_product(const RnnProblem& problem, const RnnParamLayout& layout, RnnParam param, int64_t layer,
                        int64_t direction, const double* v, Values& sums) {
  for (const RnnParamEntry& entry : layout.entries) {
    if (entry.param != param || entry.layer != layer || entry.direction != direction) continue;
    for (int64_t i = 0; i < entry.rows; i++)
      for (int64_t j = 0; j < entry.columns; j++)
        sums[size_t(i)] += problem.params[size_t(entry.offset + i * entry.columns + j)] * (v ? v[j] : 1);
  }
}

inline RnnResult reference_forward(const RnnProblem& problem, const RnnParamLayout& layout) {
  const RnnDesc& desc = problem.desc;
  const int64_t T = problem.steps, B = problem.batch, H = desc.hidden_size, O = desc.output_size(), D = desc.directions();
  const int64_t G = gates(desc.cell);
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  Values input = problem.x;
  int64_t width = desc.input_size;
  if (!problem.tokens.empty()) {
    input.assign(size_t(T * B * width), 0.0);
    for (int64_t i = 0; i < T * B; i++)
      if (problem.tokens[size_t(i)] >= 0 && problem.tokens[size_t(i)] < width)
        input[size_t(i * width + problem.tokens[size_t(i)])] = 1;
  }
  RnnResult result;
  result.hn.assign(size_t(desc.layers * D * B * O), 0.0);
  result.cn.assign(size_t(desc.layers * D * B * H), 0.0);
  for (int64_t layer = 0; layer < desc.layers; layer++) {
    Values output(size_t(T * B * D * O), 0.0);
    for (int64_t direction = 0; direction < D; direction++) {
      for (int64_t b = 0; b < B; b++) {
        const int64_t state = (layer * D + direction) * B + b,
                      length = problem.lengths.empty() ? T : problem.lengths[size_t(b)];
        Values h(size_t(O), 0.0), c(size_t(H), 0.0);
        for (int64_t i = 0; i < O && !problem.h0.empty(); i++) h[size_t(i)] = problem.h0[size_t(state * O + i)];
        for (int64_t i = 0; i < H && !problem.c0.empty(); i++) c[size_t(i)] = problem.c0[size_t(state * H + i)];
        for (int64_t s = 0; s < length; s++) {
          const int64_t t = direction == 0 ? s : length - 1 - s;
          const double* x = input.data() + (t * B + b) * width;
          Values in(size_t(G * H), 0.0), recurrent(size_t(G * H), 0.0);
          if (layer == 0 && desc.input_mode == InputMode::skip) {
            for (int64_t i = 0; i < G * H; i++) in[size_t(i)] = x[i % H];
          } else {
            add_product(problem, layout, RnnParam::weight_ih, layer, direction, x, in);
          }
          add_product(problem, layout, RnnParam::bias_ih, layer, direction, nullptr, in);
          add_product(problem, layout, RnnParam::weight_hh, layer, direction, h.data(), recurrent);
          add_product(problem, layout, RnnParam::bias_hh, layer, direction, nullptr, recurrent);
          const auto sum = [&](int64_t gate, int64_t i) { return in[size_t(gate * H + i)] + recurrent[size_t(gate * H + i)]; };
          Values next(size_t(H), 0.0);
          for (int64_t i = 0; i < H; i++) {
            double& to = next[size_t(i)];
            if (desc.cell == Cell::rnn_tanh) to = std::tanh(sum(0, i));
            if (desc.cell == Cell::rnn_relu) to = std::max(0.0, sum(0, i));
            if (desc.cell == Cell::lstm) {
              double& cell = c[size_t(i)];
              cell = sigmoid(sum(1, i)) * cell + sigmoid(sum(0, i)) * std::tanh(sum(2, i));
              if (desc.clip > 0) cell = std::max(-desc.clip, std::min(desc.clip, cell));
              to = sigmoid(sum(3, i)) * std::tanh(cell);
            }
            if (desc.cell == Cell::gru) {
              const double r = sigmoid(sum(0, i)), z = sigmoid(sum(1, i));
              const double n = std::tanh(in[size_t(2 * H + i)] + r * recurrent[size_t(2 * H + i)]);
              to = (1 - z) * n + z * h[size_t(i)];
            }
          }
          if (desc.proj_size > 0) {
            h.assign(size_t(O), 0.0);
            add_product(problem, layout, RnnParam::weight_hr, layer, direction, next.data(), h);
          } else {
            h = next;
          }
          for (int64_t i = 0; i < O; i++) output[size_t(((t * B + b) * D + direction) * O + i)] = h[size_t(i)];
        }
        for (int64_t i = 0; i < O; i++) result.hn[size_t(state * O + i)] = h[size_t(i)];
        for (int64_t i = 0; i < H; i++) result.cn[size_t(state * H + i)] = c[size_t(i)];
      }
    }
    if (problem.training && desc.dropout > 0 && layer + 1 < desc.layers)
      for (uint64_t i = 0; i < output.size(); i++) {
        const float uniform = uniform_float(philox(problem.seed, i / 4, uint64_t(layer)).v[i % 4]);
        output[i] = uniform < float(desc.dropout) ? 0 : output[i] / (1 - desc.dropout);
      }
    input = output;
    width = D * O;
    result.y = output;
  }
  return result;
}

}  // namespace deep_rnn::test
