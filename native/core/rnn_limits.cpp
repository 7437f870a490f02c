#include "core/rnn_limits.h"

namespace deep_rnn {

std::string rnn_refusal(const RnnDesc& desc) {
  // Products of any two sizes, the gates and the layers stay far from overflow.
  constexpr int64_t most = int64_t(1) << 24, most_layers = 1 << 10;
  const auto in_range = [](int64_t size, int64_t least, int64_t most) { return size >= least && size <= most; };
  if (desc.cell < Cell::rnn_tanh || desc.cell >= Cell::count) return "the cell is unknown";
  if (desc.dtype != DType::float32 && desc.dtype != DType::float64) return "only float32 and float64 are supported";
  if (desc.precision != Precision::same && desc.dtype != DType::float32) return "reduced precision needs float32";
  if (!in_range(desc.input_size, 1, most)) return "the input size must lie in 1.." + std::to_string(most);
  if (!in_range(desc.hidden_size, 1, most)) return "the hidden size must lie in 1.." + std::to_string(most);
  if (!in_range(desc.layers, 1, most_layers)) return "the number of layers must lie in 1.." + std::to_string(most_layers);
  if (desc.proj_size != 0) {
    if (desc.cell != Cell::lstm) return "only LSTMs have a projection";
    if (!in_range(desc.proj_size, 1, desc.hidden_size - 1)) return "the projection must be smaller than the hidden size";
  }
  if (desc.input_mode == InputMode::skip && desc.input_size != desc.hidden_size)
    return "skip input needs the input size to equal the hidden size";
  if (!(desc.dropout >= 0 && desc.dropout <= 1)) return "dropout must lie in 0..1";
  if (!(desc.clip >= 0)) return "the clip must not be negative";
  if (desc.clip > 0 && desc.cell != Cell::lstm) return "only LSTMs have a cell state to clip";
  return "";
}

}  // namespace deep_rnn
