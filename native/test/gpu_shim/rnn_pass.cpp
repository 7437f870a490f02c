#include "gpu_shim/rnn_pass.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/random.h"
#include "gpu_shim/half.h"

namespace deep_rnn::gpu_shim {

namespace {

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

// The arrays of one direction of one layer in the reserve space, rows being step * batch + sequence.
struct Direction {
  double* gates;       // [rows][G*H]: activations
  double* recurrent;   // [rows][H]: GRU's R h + b of the new gate
  double* raw_cell;    // [rows][H]: LSTM's c before its clip
  double* hidden;      // [rows][H]: h before its projection
  double* output;      // [rows][P]
  double* dgates;      // [rows][(G+1)*H]: of the pre-activations; GRU's recurrent part last
  double* dprojected;  // [rows][P]: of the output
};
struct Layer {
  double* input;  // [rows][I], after dropout
  double* mask;   // [rows][I]: what dropout multiplied by
  Direction directions[2];
};

constexpr size_t kHeaderDoubles = 64;

template <class Visit>
size_t carve(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x, double* base, Visit visit) {
  const size_t rows = size_t(x.steps) * size_t(x.batch), H = size_t(rnn.hidden), P = size_t(rnn.projection);
  const size_t G = size_t(rnn.gates());
  size_t used = kHeaderDoubles;
  const auto take = [&](size_t width) {
    double* array = base ? base + used : nullptr;
    used += rows * width;
    return array;
  };
  for (int i = 0; i < rnn.layers; i++) {
    Layer layer{};
    layer.input = take(size_t(rnn.input_of(i)));
    layer.mask = take(size_t(rnn.input_of(i)));
    for (int d = 0; d < rnn.directions; d++)
      layer.directions[d] = {take(G * H), take(H), take(H), take(H), take(P), take((G + 1) * H), take(P)};
    visit(layer);
  }
  return used;
}

std::vector<Layer> layers_of(const RnnPass& pass) {
  std::vector<Layer> layers;
  carve(pass.rnn, pass.x_shape, pass.reserve, [&](const Layer& layer) { layers.push_back(layer); });
  return layers;
}

// Where row (step, sequence) of a data array lies, in vectors.
size_t vector_of(const cudnnRNNDataStruct& data, int step, int sequence) {
  if (data.layout == CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED) return size_t(step) * size_t(data.batch) + size_t(sequence);
  if (data.layout == CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED) return size_t(sequence) * size_t(data.steps) + size_t(step);
  size_t before = 0;
  for (int t = 0; t < step; t++)
    before += size_t(std::count_if(data.lengths.begin(), data.lengths.end(), [t](int length) { return length > t; }));
  return before + size_t(sequence);
}

DEEP_RNN_SHIM_WIDE void multiply_add(int rows, int columns, const double* matrix, const double* v, double* sums) {
  for (int i = 0; i < rows; i++) {
    double sum = 0;
    for (int j = 0; j < columns; j++) sum += matrix[size_t(i) * size_t(columns) + size_t(j)] * v[j];
    sums[i] += sum;
  }
}

DEEP_RNN_SHIM_WIDE void multiply_add_transposed(int rows, int columns, const double* matrix, const double* v, double* sums) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++) sums[j] += matrix[size_t(i) * size_t(columns) + size_t(j)] * v[i];
}

DEEP_RNN_SHIM_WIDE void add_outer(int rows, int columns, const double* left, const double* right, double* matrix) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++) matrix[size_t(i) * size_t(columns) + size_t(j)] += left[i] * right[j];
}

template <class E>
class Runner {
 public:
  explicit Runner(const RnnPass& pass)
      : pass_(pass),
        rnn_(pass.rnn),
        layers_(layers_of(pass)),
        weights_(pass.weights ? pass.layout.count : 0),
        B(pass.x_shape.batch),
        H(rnn_.hidden),
        P(rnn_.projection),
        G(rnn_.gates()),
        D(rnn_.directions) {
    const E* weights = static_cast<const E*>(pass.weights);
    for (size_t i = 0; i < weights_.size(); i++) weights_[i] = double(weights[i]);
  }

  void forward() {
    const E* x = static_cast<const E*>(pass_.x);
    each_row([&](size_t row, int t, int b) {
      for (int i = 0; i < rnn_.input; i++) {
        layers_[0].input[row * size_t(rnn_.input) + size_t(i)] =
            double(x[vector_of(pass_.x_shape, t, b) * size_t(rnn_.input) + size_t(i)]);
      }
    });
    for (int l = 0; l < rnn_.layers; l++) {
      if (l > 0) drop(l);
      for (int d = 0; d < D; d++)
        for (int b = 0; b < B; b++) forward_sequence(l, d, b);
    }
    E* y = static_cast<E*>(pass_.y);
    const size_t width = size_t(D * P);
    if (pass_.y_shape.layout != CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED && pass_.y_shape.fills)
      std::fill(y, y + rows_of(pass_.y_shape) * width, E(pass_.y_shape.fill));
    each_row([&](size_t row, int t, int b) {
      for (int d = 0; d < D; d++)
        for (int i = 0; i < P; i++)
          y[vector_of(pass_.y_shape, t, b) * width + size_t(d * P + i)] =
              E(layers_.back().directions[d].output[row * size_t(P) + size_t(i)]);
    });
  }

  void backward_data() {
    const size_t rows = size_t(pass_.x_shape.steps) * size_t(B);
    std::vector<double> doutput(rows * size_t(D * P), 0.0);
    const E* dy = static_cast<const E*>(pass_.dy);
    each_row([&](size_t row, int t, int b) {
      for (int i = 0; i < D * P; i++)
        doutput[row * size_t(D * P) + size_t(i)] = double(dy[vector_of(pass_.y_shape, t, b) * size_t(D * P) + size_t(i)]);
    });
    for (int l = rnn_.layers - 1; l >= 0; l--) {
      const size_t width = size_t(rnn_.input_of(l));
      std::vector<double> dinput(rows * width, 0.0);
      for (int d = 0; d < D; d++)
        for (int b = 0; b < B; b++) backward_sequence(l, d, b, doutput, dinput);
      if (l > 0)
        for (size_t i = 0; i < dinput.size(); i++) dinput[i] *= layers_[size_t(l)].mask[i];
      doutput = std::move(dinput);
    }
    // Rows past a length are nobody's: whoever relies on them finds NaN.
    E* dx = static_cast<E*>(pass_.dx);
    std::memset(static_cast<void*>(dx), 0xFF, rows_of(pass_.x_shape) * size_t(rnn_.input) * sizeof(E));
    each_row([&](size_t row, int t, int b) {
      for (int i = 0; i < rnn_.input; i++)
        dx[vector_of(pass_.x_shape, t, b) * size_t(rnn_.input) + size_t(i)] = E(doutput[row * size_t(rnn_.input) + size_t(i)]);
    });
  }

  void backward_weights() {
    std::vector<double> sums(pass_.layout.count, 0.0);
    const auto matrix_at = [&](int pseudo, int linear) { return sums.data() + pass_.layout.matrix(pseudo, linear).offset; };
    const auto bias_at = [&](int pseudo, int linear) { return sums.data() + pass_.layout.bias(pseudo, linear).offset; };
    for (int l = 0; l < rnn_.layers; l++) {
      const int I = rnn_.input_of(l);
      for (int d = 0; d < D; d++) {
        const int pseudo = l * D + d;
        const Direction& own = layers_[size_t(l)].directions[d];
        for (int b = 0; b < B; b++) {
          const std::vector<double> first = state(pass_.hx, pseudo, b, P);
          for (int s = 0; s < length(b); s++) {
            const size_t row = row_of(d, b, s);
            const double* h = s == 0 ? first.data() : own.output + row_of(d, b, s - 1) * size_t(P);
            const double* dgates = own.dgates + row * size_t((G + 1) * H);
            for (int g = 0; g < G; g++) {
              const double *din = dgates + g * H, *drecurrent = is_new_gate(g) ? dgates + G * H : din;
              if (has_input_matrix(l)) add_outer(H, I, din, layers_[size_t(l)].input + row * size_t(I), matrix_at(pseudo, g));
              add_outer(H, P, drecurrent, h, matrix_at(pseudo, G + g));
              for (int i = 0; i < H; i++) {
                if (pass_.layout.bias(pseudo, g).rows) bias_at(pseudo, g)[i] += din[i];
                if (pass_.layout.bias(pseudo, G + g).rows) bias_at(pseudo, G + g)[i] += drecurrent[i];
              }
            }
            if (projects())
              add_outer(P, H, own.dprojected + row * size_t(P), own.hidden + row * size_t(H), matrix_at(pseudo, 2 * G));
          }
        }
      }
    }
    E* dweights = static_cast<E*>(pass_.dweights);
    for (const auto* places : {&pass_.layout.matrices, &pass_.layout.biases})
      for (const Place& place : *places)
        for (size_t i = place.offset; i < place.offset + size_t(place.rows) * size_t(place.columns); i++)
          dweights[i] += E(sums[i]);
  }

 private:
  bool projects() const { return P < H; }
  bool has_input_matrix(int layer) const { return layer > 0 || !rnn_.skip; }
  bool is_new_gate(int gate) const { return rnn_.cell == CUDNN_GRU && gate == 2; }
  int length(int sequence) const { return pass_.x_shape.lengths[size_t(sequence)]; }
  const double* matrix(int pseudo, int linear) const { return weights_.data() + pass_.layout.matrix(pseudo, linear).offset; }
  void add_bias(int pseudo, int linear, double* sums) const {
    const Place& place = pass_.layout.bias(pseudo, linear);
    for (int i = 0; i < place.rows; i++) sums[i] += weights_[place.offset + size_t(i)];
  }

  // The row of a sequence's s-th step in the order of its direction.
  size_t row_of(int direction, int sequence, int s) const {
    const int t = direction == 0 ? s : length(sequence) - 1 - s;
    return size_t(t) * size_t(B) + size_t(sequence);
  }

  template <class Visit>
  void each_row(Visit visit) const {
    for (int b = 0; b < B; b++)
      for (int t = 0; t < length(b); t++) visit(size_t(t) * size_t(B) + size_t(b), t, b);
  }

  std::vector<double> state(const void* states, int pseudo, int sequence, int width) const {
    std::vector<double> values(size_t(width), 0.0);
    const E* from = static_cast<const E*>(states);
    for (int i = 0; from && i < width; i++)
      values[size_t(i)] = double(from[(size_t(pseudo) * size_t(B) + size_t(sequence)) * size_t(width) + size_t(i)]);
    return values;
  }
  void put_state(const std::vector<double>& values, void* states, int pseudo, int sequence) const {
    E* to = static_cast<E*>(states);
    for (size_t i = 0; to && i < values.size(); i++)
      to[(size_t(pseudo) * size_t(B) + size_t(sequence)) * values.size() + i] = E(values[i]);
  }

  // The input of layer l: the outputs below, some of them dropped.
  void drop(int l) {
    const Layer& layer = layers_[size_t(l)];
    const Layer& below = layers_[size_t(l - 1)];
    each_row([&](size_t row, int, int) {
      for (int i = 0; i < D * P; i++) {
        const size_t at = row * size_t(D * P) + size_t(i);
        double keep = 1;
        if (pass_.dropout > 0) {
          const float uniform = uniform_float(philox(pass_.dropout_seed, at / 4, uint64_t(l - 1)).v[at % 4]);
          keep = uniform < float(pass_.dropout) ? 0 : 1 / (1 - pass_.dropout);
        }
        layer.mask[at] = keep;
        layer.input[at] = keep * below.directions[i / P].output[row * size_t(P) + size_t(i % P)];
      }
    });
  }

  void forward_sequence(int l, int d, int b) {
    const int pseudo = l * D + d, I = rnn_.input_of(l);
    const Direction& own = layers_[size_t(l)].directions[d];
    std::vector<double> h = state(pass_.hx, pseudo, b, P), c = state(lstm() ? pass_.cx : nullptr, pseudo, b, H);
    std::vector<double> in(size_t(G * H)), recurrent(size_t(G * H));
    for (int s = 0; s < length(b); s++) {
      const size_t row = row_of(d, b, s);
      const double* x = layers_[size_t(l)].input + row * size_t(I);
      std::fill(in.begin(), in.end(), 0.0);
      std::fill(recurrent.begin(), recurrent.end(), 0.0);
      for (int g = 0; g < G; g++) {
        double *to_in = in.data() + g * H, *to_recurrent = recurrent.data() + g * H;
        if (has_input_matrix(l))
          multiply_add(H, I, matrix(pseudo, g), x, to_in);
        else
          for (int i = 0; i < H; i++) to_in[i] += x[i];
        multiply_add(H, P, matrix(pseudo, G + g), h.data(), to_recurrent);
        add_bias(pseudo, g, to_in);
        add_bias(pseudo, G + g, to_recurrent);
      }
      double* gates = own.gates + row * size_t(G * H);
      double* hidden = own.hidden + row * size_t(H);
      const auto sum = [&](int g, int i) { return in[size_t(g * H + i)] + recurrent[size_t(g * H + i)]; };
      for (int i = 0; i < H; i++) {
        const size_t at = row * size_t(H) + size_t(i);
        if (lstm()) {
          for (int g = 0; g < 4; g++) gates[g * H + i] = g == 2 ? std::tanh(sum(g, i)) : sigmoid(sum(g, i));
          own.raw_cell[at] = gates[H + i] * c[size_t(i)] + gates[i] * gates[2 * H + i];
          c[size_t(i)] = clipped(own.raw_cell[at]);
          hidden[i] = gates[3 * H + i] * std::tanh(c[size_t(i)]);
        } else if (rnn_.cell == CUDNN_GRU) {
          const double r = sigmoid(sum(0, i)), z = sigmoid(sum(1, i));
          own.recurrent[at] = recurrent[size_t(2 * H + i)];
          const double n = std::tanh(in[size_t(2 * H + i)] + r * own.recurrent[at]);
          gates[i] = r, gates[H + i] = z, gates[2 * H + i] = n;
          hidden[i] = (1 - z) * n + z * h[size_t(i)];
        } else {
          const double v = sum(0, i);
          hidden[i] = gates[i] = rnn_.cell == CUDNN_RNN_TANH ? std::tanh(v) : v > 0 || v != v ? v : 0;
        }
      }
      double* output = own.output + row * size_t(P);
      if (projects()) {
        std::fill(output, output + P, 0.0);
        multiply_add(P, H, matrix(pseudo, 2 * G), hidden, output);
      } else {
        std::copy_n(hidden, P, output);
      }
      h.assign(output, output + P);
    }
    put_state(h, pass_.hy, pseudo, b);
    if (lstm()) put_state(c, pass_.cy, pseudo, b);
  }

  void backward_sequence(int l, int d, int b, const std::vector<double>& doutput, std::vector<double>& dinput) {
    const int pseudo = l * D + d, I = rnn_.input_of(l);
    const Direction& own = layers_[size_t(l)].directions[d];
    const std::vector<double> h0 = state(pass_.hx, pseudo, b, P), c0 = state(lstm() ? pass_.cx : nullptr, pseudo, b, H);
    std::vector<double> dh = state(pass_.dhy, pseudo, b, P), dc = state(lstm() ? pass_.dcy : nullptr, pseudo, b, H);
    std::vector<double> dhidden(size_t(H), 0.0);
    for (int s = length(b) - 1; s >= 0; s--) {
      const size_t row = row_of(d, b, s), before = s > 0 ? row_of(d, b, s - 1) : 0;
      double* dprojected = own.dprojected + row * size_t(P);
      for (int i = 0; i < P; i++) dprojected[i] = dh[size_t(i)] + doutput[row * size_t(D * P) + size_t(d * P + i)];
      std::fill(dhidden.begin(), dhidden.end(), 0.0);
      if (projects())
        multiply_add_transposed(P, H, matrix(pseudo, 2 * G), dprojected, dhidden.data());
      else
        std::copy_n(dprojected, H, dhidden.data());
      std::fill(dh.begin(), dh.end(), 0.0);
      const double* gates = own.gates + row * size_t(G * H);
      double* dgates = own.dgates + row * size_t((G + 1) * H);
      for (int i = 0; i < H; i++) {
        const size_t at = row * size_t(H) + size_t(i);
        const double dv = dhidden[size_t(i)];
        if (lstm()) {
          const double in = gates[i], forget = gates[H + i], fresh = gates[2 * H + i], out = gates[3 * H + i];
          const double raw = own.raw_cell[at], tanh_c = std::tanh(clipped(raw));
          const double c_before = s > 0 ? clipped(own.raw_cell[before * size_t(H) + size_t(i)]) : c0[size_t(i)];
          double dcell = dc[size_t(i)] + dv * out * (1 - tanh_c * tanh_c);
          if (rnn_.clips && (raw < rnn_.clip_low || raw > rnn_.clip_high)) dcell = 0;
          dgates[i] = dcell * fresh * in * (1 - in);
          dgates[H + i] = dcell * c_before * forget * (1 - forget);
          dgates[2 * H + i] = dcell * in * (1 - fresh * fresh);
          dgates[3 * H + i] = dv * tanh_c * out * (1 - out);
          dc[size_t(i)] = dcell * forget;
        } else if (rnn_.cell == CUDNN_GRU) {
          const double r = gates[i], z = gates[H + i], n = gates[2 * H + i], rec = own.recurrent[at];
          const double h_before = s > 0 ? own.output[before * size_t(P) + size_t(i)] : h0[size_t(i)];
          const double dn = dv * (1 - z) * (1 - n * n);
          dgates[i] = dn * rec * r * (1 - r);
          dgates[H + i] = dv * (h_before - n) * z * (1 - z);
          dgates[2 * H + i] = dn;
          dgates[3 * H + i] = dn * r;
          dh[size_t(i)] += dv * z;
        } else {
          dgates[i] = dv * (rnn_.cell == CUDNN_RNN_TANH ? 1 - gates[i] * gates[i] : gates[i] > 0 ? 1.0 : 0.0);
        }
      }
      for (int g = 0; g < G; g++) {
        const double *din = dgates + g * H, *drecurrent = is_new_gate(g) ? dgates + G * H : din;
        multiply_add_transposed(H, P, matrix(pseudo, G + g), drecurrent, dh.data());
        double* to = dinput.data() + row * size_t(I);
        if (has_input_matrix(l))
          multiply_add_transposed(H, I, matrix(pseudo, g), din, to);
        else
          for (int i = 0; i < H; i++) to[i] += din[i];
      }
    }
    put_state(dh, pass_.dhx, pseudo, b);
    if (lstm()) put_state(dc, pass_.dcx, pseudo, b);
  }

  bool lstm() const { return rnn_.cell == CUDNN_LSTM; }
  double clipped(double c) const { return rnn_.clips ? std::max(rnn_.clip_low, std::min(rnn_.clip_high, c)) : c; }

  const RnnPass& pass_;
  const cudnnRNNStruct& rnn_;
  const std::vector<Layer> layers_;
  std::vector<double> weights_;
  const int B, H, P, G, D;
};

// Calls visit(runner) with the one for the type of the stack.
template <class Visit>
void with_runner(const RnnPass& pass, Visit visit) {
  switch (pass.rnn.type) {
    case CUDNN_DATA_DOUBLE:
      return visit(Runner<double>(pass));
    case CUDNN_DATA_HALF:
      return visit(Runner<Float16>(pass));
    case CUDNN_DATA_BFLOAT16:
      return visit(Runner<BFloat16>(pass));
    default:
      return visit(Runner<float>(pass));
  }
}

}  // namespace

void RnnPass::forward() const {
  with_runner(*this, [](auto runner) { runner.forward(); });
}
void RnnPass::backward_data() const {
  with_runner(*this, [](auto runner) { runner.backward_data(); });
}
void RnnPass::backward_weights() const {
  with_runner(*this, [](auto runner) { runner.backward_weights(); });
}

size_t reserve_doubles(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x) {
  return carve(rnn, x, nullptr, [](const Layer&) {});
}

size_t rows_of(const cudnnRNNDataStruct& data) {
  size_t rows = size_t(data.steps) * size_t(data.batch);
  if (data.layout != CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED) return rows;
  rows = 0;
  for (int length : data.lengths) rows += size_t(length);
  return rows;
}

uint64_t checksum(const void* data, size_t bytes, uint64_t start) {
  uint64_t sum = 1469598103934665603u ^ start;
  const auto* from = static_cast<const unsigned char*>(data);
  for (size_t i = 0; from && i < bytes; i++) sum = (sum ^ from[i]) * 1099511628211u;
  return sum;
}

uint64_t configuration_of(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x, double dropout) {
  const double values[] = {double(rnn.algo),       double(rnn.cell),       double(rnn.bias),
                           double(rnn.directions), double(rnn.skip),       double(rnn.input),
                           double(rnn.hidden),     double(rnn.projection), double(rnn.layers),
                           double(rnn.type),       double(rnn.clips),      rnn.clip_low,
                           rnn.clip_high,          double(rnn.padded_io),  double(x.layout),
                           double(x.steps),        double(x.batch),        dropout};
  return checksum(x.lengths.data(), x.lengths.size() * sizeof(int), checksum(values, sizeof values));
}

}  // namespace deep_rnn::gpu_shim
