// The measurement of the processor's peak: the loop computes what it says on every instruction set, and the rates are
// plausible.
#include <cmath>

#include "check.h"
#include "core/backend.h"
#include "cpu/kernels.h"

using namespace deep_rnn;

int main() {
  for (const cpu::KernelSet* kernels : cpu::available_kernels()) {
    for (const cpu::PeakLoop* loop : {&kernels->peak_float32, &kernels->peak_bfloat16}) {
      const bool pairs = loop == &kernels->peak_bfloat16;
      const double values = double(loop->operations) / (pairs ? 4 : 2);
      CHECK(values >= 12);
      // Chains start at start, start + 1, ..., each in `lanes` lanes, and every number of a slot adds 2^-14.
      CHECK_EQUAL(loop->run(0, 3) / values, 8.5);
      CHECK(std::abs(loop->run(1, 3) / values - (8.5 + (pairs ? 2 : 1) * 0x1p-14)) < 1e-6);
      CHECK(std::abs(loop->run(40000, 3) / values - (8.5 + (pairs ? 2 : 1) * 40000 * 0x1p-14)) < 1e-3);
    }
  }

  for (int threads = 1; threads <= 3; threads++) {
    const Peak peak = make_cpu_backend(threads)->measure_peak();
    CHECK(peak.float32 > 1e7 && peak.float32 < 1e15);
    CHECK(peak.bfloat16 > 1e6 && peak.bfloat16 < 1e15);
    if (threads == 1) {
      CHECK_EQUAL(peak.barrier, 0.0);
    } else {
      CHECK(peak.barrier > 0 && peak.barrier < 1);
    }
  }
}
