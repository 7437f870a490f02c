#include "cuda/kernels/device.h"

namespace deep_rnn::cuda {

extern "C" __global__ void __launch_bounds__(kThreads, 2) peak_float32(int64_t rounds, float start, void* out) {
  constexpr int kChains = 8, kLength = int(kPeakOperations) / 2 / kChains;
  float chains[kChains];
#pragma unroll
  for (int chain = 0; chain < kChains; chain++) chains[chain] = start + float(chain);
  for (int64_t round = 0; round < rounds; round++) {
#pragma unroll
    for (int link = 0; link < kLength; link++) {
#pragma unroll
      for (int chain = 0; chain < kChains; chain++) chains[chain] = fmaf(chains[chain], start, 0.5f);
    }
  }
  float total = 0;
#pragma unroll
  for (int chain = 0; chain < kChains; chain++) total += chains[chain];
  static_cast<float*>(out)[thread_number()] = total;
}

}  // namespace deep_rnn::cuda
