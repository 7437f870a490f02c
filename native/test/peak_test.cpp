// The measurement of the processor's peak: the loop computes what it says on every instruction set, and the rates are
// plausible.
#include <cmath>

#include "check.h"
#include "core/backend.h"
#include "cpu/kernels.h"

using namespace deep_rnn;

int main() {
  for (const cpu::KernelSet* kernels : cpu::available_kernels()) {
    const cpu::PeakLoop& loop = kernels->peak_float32;
    const double values = double(loop.operations) / 2;
    CHECK(values >= 12);
    // Chains start at start, start + 1, ..., each in `lanes` lanes: their mean lies above start and shrinks to the limit 1.
    const double begin = loop.run(0, 3) / values, once = loop.run(1, 3) / values;
    CHECK_EQUAL(begin, 8.5);
    CHECK(std::abs(once - (8.5 - 7.5 / 1024)) < 1e-6);
    // Rounding stops the last 2^-14 of the way.
    CHECK(std::abs(loop.run(40000, 3) / values - 1) < 0x1p-13);
  }

  for (int threads = 1; threads <= 3; threads++) {
    const Peak peak = make_cpu_backend(threads)->measure_peak();
    CHECK(peak.float32 > 1e7 && peak.float32 < 1e15);
    if (threads == 1) {
      CHECK_EQUAL(peak.barrier, 0.0);
    } else {
      CHECK(peak.barrier > 0 && peak.barrier < 1);
    }
  }
}
