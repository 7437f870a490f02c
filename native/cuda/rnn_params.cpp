#include "cuda/rnn_params.h"

namespace deep_rnn::cuda {

RnnParamLayout rnn_param_layout(const RnnDesc& desc) {
  constexpr int64_t kAlignment = 16;
  const int64_t gate_rows = gates(desc.cell) * desc.hidden_size;
  RnnParamLayout layout;
  for (int64_t layer = 0; layer < desc.layers; layer++) {
    for (int64_t direction = 0; direction < desc.directions(); direction++) {
      const auto place = [&](RnnParam param, int64_t rows, int64_t columns) {
        layout.entries.push_back({param, layer, direction, layout.count, rows, columns});
        layout.count += (rows * columns + kAlignment - 1) / kAlignment * kAlignment;
      };
      if (layer > 0 || desc.input_mode == InputMode::linear)
        place(RnnParam::weight_ih, gate_rows, desc.layer_input_size(layer));
      place(RnnParam::weight_hh, gate_rows, desc.output_size());
      if (desc.bias != BiasMode::none) place(RnnParam::bias_ih, gate_rows, 1);
      if (desc.bias == BiasMode::twofold) place(RnnParam::bias_hh, gate_rows, 1);
      if (desc.proj_size > 0) place(RnnParam::weight_hr, desc.proj_size, desc.hidden_size);
    }
  }
  return layout;
}

std::vector<GatePart> gate_parts(const RnnDesc& desc) {
  const int count = gates(desc.cell);
  std::vector<GatePart> parts;
  for (const RnnParamEntry& entry : rnn_param_layout(desc).entries) {
    const int pseudo_layer = int(entry.layer * desc.directions() + entry.direction);
    if (entry.param == RnnParam::weight_hr) {
      parts.push_back({pseudo_layer, 2 * count, false, entry.offset, entry.rows, entry.columns});
      continue;
    }
    const bool recurrent = entry.param == RnnParam::weight_hh || entry.param == RnnParam::bias_hh;
    const bool bias = entry.param == RnnParam::bias_ih || entry.param == RnnParam::bias_hh;
    for (int gate = 0; gate < count; gate++) {
      const int64_t offset = entry.offset + gate * desc.hidden_size * entry.columns;
      parts.push_back({pseudo_layer, gate + (recurrent ? count : 0), bias, offset, desc.hidden_size, entry.columns});
    }
  }
  return parts;
}

}  // namespace deep_rnn::cuda
