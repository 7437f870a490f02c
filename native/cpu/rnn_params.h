// Where the parameters of a recurrent stack lie in its flat buffer: layer by layer, direction by direction, each a row-major
// matrix as PyTorch has it, at a multiple of 64 bytes.
#pragma once
#include "core/desc.h"

namespace deep_rnn::cpu {

// Calls visit(RnnParamEntry) for every parameter and returns the elements of the whole buffer.
template <class Visit>
int64_t for_each_param(const RnnDesc& desc, Visit visit) {
  constexpr int64_t alignment = 16;
  const int64_t gate_rows = gates(desc.cell) * desc.hidden_size;
  int64_t offset = 0;
  for (int64_t layer = 0; layer < desc.layers; layer++) {
    for (int64_t direction = 0; direction < desc.directions(); direction++) {
      const auto place = [&](RnnParam param, int64_t rows, int64_t columns) {
        visit(RnnParamEntry{param, layer, direction, offset, rows, columns});
        offset += (rows * columns + alignment - 1) / alignment * alignment;
      };
      if (layer > 0 || desc.input_mode == InputMode::linear)
        place(RnnParam::weight_ih, gate_rows, desc.layer_input_size(layer));
      place(RnnParam::weight_hh, gate_rows, desc.output_size());
      if (desc.bias != BiasMode::none) place(RnnParam::bias_ih, gate_rows, 1);
      if (desc.bias == BiasMode::twofold) place(RnnParam::bias_hh, gate_rows, 1);
      if (desc.proj_size > 0) place(RnnParam::weight_hr, desc.proj_size, desc.hidden_size);
    }
  }
  return offset;
}

// The parameters, or their gradients, of one direction of one layer; null where there is none.
template <class E>
struct LayerParams {
  E* weight_ih;  // [G*H, I]
  E* weight_hh;  // [G*H, O]
  E* bias_ih;    // [G*H]
  E* bias_hh;    // [G*H]
  E* weight_hr;  // [P, H]
};

template <class E>
LayerParams<E> layer_params(const RnnDesc& desc, E* buffer, int64_t layer, int64_t direction) {
  LayerParams<E> params{};
  for_each_param(desc, [&](const RnnParamEntry& entry) {
    if (entry.layer != layer || entry.direction != direction) return;
    E* data = buffer + entry.offset;
    switch (entry.param) {
      case RnnParam::weight_ih:
        params.weight_ih = data;
        break;
      case RnnParam::weight_hh:
        params.weight_hh = data;
        break;
      case RnnParam::bias_ih:
        params.bias_ih = data;
        break;
      case RnnParam::bias_hh:
        params.bias_hh = data;
        break;
      case RnnParam::weight_hr:
        params.weight_hr = data;
        break;
    }
  });
  return params;
}

}  // namespace deep_rnn::cpu
