// Drawing one class from logits, by the rules of cpu/sampler.h.
#include "core/random.h"

#include "cuda/kernels/device.h"

namespace deep_rnn::cuda {

namespace {

// By decreasing mass, then by increasing index.
__device__ bool comes_before(double mass_a, int64_t a, double mass_b, int64_t b) {
  return mass_a != mass_b ? mass_a > mass_b : a < b;
}

// The first of the largest logits. NaN never compares as larger, so one in front stays in front.
template <class E>
__device__ int64_t best_of(int64_t count, const E* logits) {
  if (logits[0] != logits[0]) return 0;
  Partial best{-INFINITY, INT64_MAX};
  const auto first_largest = [](const Partial& a, const Partial& b) {
    return b.value > a.value || (b.value == a.value && b.position < a.position) ? b : a;
  };
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
    if (logits[i] == logits[i]) best = first_largest(best, Partial{double(logits[i]), i});
  return BlockGroup().reduce(best, first_largest).position;
}

// Bitonic sort (Batcher, "Sorting networks and their applications", 1968) of a power of two of slots.
__device__ void sort(int64_t slots, double* mass, int64_t* order) {
  for (int64_t length = 2; length <= slots; length *= 2) {
    for (int64_t distance = length / 2; distance > 0; distance /= 2) {
      for (int64_t pair = threadIdx.x; pair < slots / 2; pair += blockDim.x) {
        const int64_t low = pair / distance * distance * 2 + pair % distance, high = low + distance;
        const bool in_order = comes_before(mass[low], order[low], mass[high], order[high]);
        if (in_order == ((low & length) == 0)) continue;
        const double mass_low = mass[low];
        const int64_t order_low = order[low];
        mass[low] = mass[high];
        order[low] = order[high];
        mass[high] = mass_low;
        order[high] = order_low;
      }
      __syncthreads();
    }
  }
}

// The masses in their order, and the sums of one stretch of them a thread.
struct Stretches {
  const double* mass;
  const double* sums;
  int64_t length, kept;

  // The number of leading masses of which `enough` is not yet true with all before, and what they sum up to.
  template <class Enough>
  __device__ int64_t count_until(const Enough& enough, double* sum) const {
    *sum = 0;
    for (int64_t i = 0; i < kept; i += length) {
      if (!enough(*sum + sums[i / length])) {
        *sum += sums[i / length];
        continue;
      }
      for (int64_t j = i; j < i + length && j < kept; j++) {
        if (enough(*sum + mass[j])) return j;
        *sum += mass[j];
      }
    }
    return kept;
  }
};

}  // namespace

template <class E>
__device__ void sample(const SampleDesc& desc, const void* logits_data, void* workspace, int32_t* tokens, int32_t* latest) {
  DEEP_RNN_SHARED(double, sums, kSampleThreads);
  const E* logits = static_cast<const E*>(logits_data);
  const int64_t V = desc.vocabulary, slots = sample_slots(V);
  double* mass = static_cast<double*>(workspace);
  int64_t* order = reinterpret_cast<int64_t*>(mass + slots);
  const int64_t best = best_of(V, logits);
  int64_t drawn = best;
  if (desc.temperature > 0) {
    // exp of the distance to the best one, so that nothing overflows. NaN has no place in an order, so it gets no mass.
    for (int64_t i = threadIdx.x; i < slots; i += blockDim.x) {
      const double value = i < V ? exp((double(logits[i]) - double(logits[best])) / desc.temperature) : -1;
      mass[i] = value == value ? value : 0;
      order[i] = i;
    }
    __syncthreads();
    const int64_t kept = desc.top_k > 0 && desc.top_k < V ? desc.top_k : V;
    if (kept < V || desc.top_p < 1) sort(slots, mass, order);
    const int64_t length = (kept + blockDim.x - 1) / blockDim.x;
    double sum = 0;
    for (int64_t i = threadIdx.x * length; i < (threadIdx.x + 1) * length && i < kept; i++) sum += mass[i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      const Stretches all{mass, sums, length, kept};
      double total;
      int64_t nucleus = all.count_until([](double) { return false; }, &total);
      if (desc.top_p < 1) {
        // The fewest classes that hold the share top_p of the mass.
        const double enough = desc.top_p * total;
        nucleus = all.count_until([enough](double sum_with) { return sum_with >= enough; }, &total);
        if (nucleus < kept) total += mass[nucleus++];
      }
      const Philox4 random = philox(desc.seed, desc.offset + uint64_t(desc.number));
      const double target = uniform_double(random.v[0], random.v[1]) * total;
      double unused;
      const int64_t place = all.count_until([target](double sum_with) { return target < sum_with; }, &unused);
      drawn = order[place < nucleus ? place : nucleus - 1];
    }
  }
  if (threadIdx.x != 0) return;
  tokens[desc.number] = *latest = int32_t(drawn);
}

extern "C" __global__ void __launch_bounds__(kSampleThreads)
    sample_float32(SampleDesc desc, const void* logits, void* workspace, int32_t* tokens, int32_t* latest) {
  sample<float>(desc, logits, workspace, tokens, latest);
}

extern "C" __global__ void __launch_bounds__(kSampleThreads)
    sample_float64(SampleDesc desc, const void* logits, void* workspace, int32_t* tokens, int32_t* latest) {
  sample<double>(desc, logits, workspace, tokens, latest);
}

}  // namespace deep_rnn::cuda
