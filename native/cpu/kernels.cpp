#include "cpu/kernels.h"

#include <cstdlib>
#include <string>

#include "core/error.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <immintrin.h>
#include <intrin.h>
#endif

namespace deep_rnn::cpu {

// The build defines DEEP_RNN_HAVE_<set> for every set that it compiles.
#if defined(DEEP_RNN_HAVE_NEON)
namespace neon {
const KernelSet& kernel_set();
}
#endif
#if defined(DEEP_RNN_HAVE_GENERIC)
namespace generic {
const KernelSet& kernel_set();
}
#endif
#if defined(DEEP_RNN_HAVE_AVX2) && defined(DEEP_RNN_HAVE_AVX512)
namespace avx2 {
const KernelSet& kernel_set();
}
namespace avx512 {
const KernelSet& kernel_set();
}
namespace avx512bf16 {
const KernelSet& kernel_set();
}

namespace {

#if defined(_MSC_VER) && !defined(__clang__)
bool has_bits(int value, int bits) { return (value & bits) == bits; }

// The operating system must save the wide registers too, which XCR0 tells.
bool runs_avx2() {
  int leaf1[4], leaf7[4];
  __cpuid(leaf1, 1);
  __cpuidex(leaf7, 7, 0);
  const int fma_osxsave_avx = 1 << 12 | 1 << 27 | 1 << 28;
  return has_bits(leaf1[2], fma_osxsave_avx) && has_bits(int(_xgetbv(0)), 0x6) && has_bits(leaf7[1], 1 << 5);
}

bool runs_avx512() {
  int leaf7[4];
  __cpuidex(leaf7, 7, 0);
  const int f_dq_bw_vl = 1 << 16 | 1 << 17 | 1 << 30 | int(1u << 31);
  return runs_avx2() && has_bits(int(_xgetbv(0)), 0xE6) && has_bits(leaf7[1], f_dq_bw_vl);
}

bool runs_avx512bf16() {
  int leaf7[4];
  __cpuidex(leaf7, 7, 1);
  return runs_avx512() && has_bits(leaf7[0], 1 << 5);
}
#else
bool runs_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool runs_avx512() {
  return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

bool runs_avx512bf16() { return runs_avx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

}  // namespace
#endif

const std::vector<const KernelSet*>& available_kernels() {
  static const std::vector<const KernelSet*> sets = [] {
    std::vector<const KernelSet*> found;
#if defined(DEEP_RNN_HAVE_GENERIC)
    found.push_back(&generic::kernel_set());
#endif
#if defined(DEEP_RNN_HAVE_NEON)
    found.push_back(&neon::kernel_set());
#endif
#if defined(DEEP_RNN_HAVE_AVX2) && defined(DEEP_RNN_HAVE_AVX512)
    if (runs_avx2()) found.push_back(&avx2::kernel_set());
    if (runs_avx512()) found.push_back(&avx512::kernel_set());
    if (runs_avx512bf16()) found.push_back(&avx512bf16::kernel_set());
#endif
    return found;
  }();
  return sets;
}

const KernelSet& kernels() {
  static const KernelSet& chosen = []() -> const KernelSet& {
    const std::vector<const KernelSet*>& sets = available_kernels();
    const char* wish = std::getenv("DEEP_RNN_ISA");
    if (!wish || !*wish) return *sets.back();
    std::string names;
    for (const KernelSet* set : sets) {
      if (wish == std::string(set->name)) return *set;
      names += names.empty() ? set->name : std::string(", ") + set->name;
    }
    throw Error("Expected one of " + names + " for the environment variable DEEP_RNN_ISA but received " + wish +
                ", which this build does not have or this processor does not run");
  }();
  return chosen;
}

}  // namespace deep_rnn::cpu
