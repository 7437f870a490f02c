// Arguments that describe a recurrent stack and the extent of a pass over it.
#pragma once
#include <cstdint>
#include <vector>

#include "core/desc.h"

namespace deep_rnn::addon {

constexpr int64_t kMaxSize = INT32_MAX;

// Of the 12 numbers of registerRnn. Throws RangeMistake.
RnnDesc rnn_desc(const std::vector<double>& numbers);
// Bounds everything that a pass over T steps and B sequences holds, so that no product of the backend's overflows. Throws
// RangeMistake.
void check_extent(const RnnDesc& desc, int64_t steps, int64_t batch, const char* function);

}  // namespace deep_rnn::addon
