// What no backend takes of a recurrent stack.
#pragma once
#include <string>

#include "core/desc.h"

namespace deep_rnn {

// The reason for refusing, or an empty string. Precisions are a backend's own matter.
std::string rnn_refusal(const RnnDesc& desc);

}  // namespace deep_rnn
