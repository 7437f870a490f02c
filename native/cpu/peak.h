// What the processor can do at most, measured: arithmetic that needs no memory, and the meeting of all threads.
#pragma once
#include "core/backend.h"
#include "cpu/parallel.h"

namespace deep_rnn::cpu {

Peak measure_peak(const Context& context);

}  // namespace deep_rnn::cpu
