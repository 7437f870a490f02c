// The functions inside the cells, of every instruction set: tanh and sigmoid over all exponents, saturation and NaN.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "check.h"
#include "core/denormals.h"
#include "cpu/rnn_memory.h"

using namespace deep_rnn;

namespace {

// The LSTM cell leaves sigmoid(a) in gates 0, 1 and 3 and tanh(a) in gate 2.
template <class E>
void activate(const cpu::KernelSet& kernels, const std::vector<E>& a, std::vector<E>& sigmoid, std::vector<E>& tanh) {
  std::vector<E> i = a, f = a, g = a, o = a, c(a.size(), E(0)), c_next(a.size()), h(a.size());
  cpu::CellTile<E> tile{};
  tile.count = int64_t(a.size());
  tile.gates[0] = i.data();
  tile.gates[1] = f.data();
  tile.gates[2] = g.data();
  tile.gates[3] = o.data();
  tile.c_prev = c.data();
  tile.c = c_next.data();
  tile.h = tile.h_operand = h.data();
  cpu::cell_table<E>(kernels).forward[int(Cell::lstm)](tile);
  for (size_t k = 0; k < a.size(); k++)
    if (a[k] == a[k]) CHECK(i[k] == f[k] && f[k] == o[k]);
  sigmoid = i;
  tanh = g;
}

// In units of the last place of `expected`; results in the subnormal range may be zero.
template <class E>
double error_in_ulp(E actual, long double expected) {
  const long double least = std::numeric_limits<E>::min();
  const long double magnitude = std::max(std::fabs(expected), least);
  const long double ulp = std::ldexp(1.0L, std::ilogb(magnitude) - std::numeric_limits<E>::digits + 1);
  const long double error = std::fabs((long double)actual - expected);
  return std::fabs(expected) <= least && error <= least ? 0 : double(error / ulp);
}

// Every exponent with both signs and `mantissas` mantissas, the denormals, zeros, infinities and NaN among them, by their bits.
template <class E, class Bits>
void add_all_exponents(std::vector<E>& a, int mantissas) {
  constexpr int mantissa_bits = std::numeric_limits<E>::digits - 1, exponent_bits = int(sizeof(E)) * 8 - 1 - mantissa_bits;
  constexpr Bits one = 1, mantissa_mask = (one << mantissa_bits) - 1;
  for (Bits exponent = 0; exponent < one << exponent_bits; exponent++) {
    for (int k = 0; k <= mantissas; k++) {
      const Bits even = (mantissa_mask / Bits(mantissas)) * Bits(k);
      // A few bits below the even spacing; the first and the last mantissa stay.
      const Bits mantissa = k == 0           ? 0
                            : k == mantissas ? mantissa_mask
                                             : even ^ (Bits(k) * 2654435761u % (Bits(mantissas) * 2));
      for (Bits sign = 0; sign < 2; sign++) {
        const Bits bits = sign << (mantissa_bits + exponent_bits) | exponent << mantissa_bits | (mantissa & mantissa_mask);
        E value;
        std::memcpy(&value, &bits, sizeof(E));
        a.push_back(value);
      }
    }
  }
}

// Reference: a type that holds many more bits than E.
template <class E, class Bits, class Reference>
void test_activations(const cpu::KernelSet& kernels, int mantissas, double bound) {
  std::vector<E> a;
  add_all_exponents<E, Bits>(a, mantissas);
  for (int k = -200000; k <= 200000; k++) a.push_back(E(k) * E(0.00071));
  while (a.size() % 32) a.push_back(E(0));

  std::vector<E> sigmoid, tanh;
  activate(kernels, a, sigmoid, tanh);
  double worst_sigmoid = 0, worst_tanh = 0;
  for (size_t k = 0; k < a.size(); k++) {
    if (a[k] != a[k]) {
      CHECK(sigmoid[k] != sigmoid[k] && tanh[k] != tanh[k]);
      continue;
    }
    worst_sigmoid = std::max(worst_sigmoid, error_in_ulp(sigmoid[k], 1 / (1 + std::exp(-Reference(a[k])))));
    worst_tanh = std::max(worst_tanh, error_in_ulp(tanh[k], std::tanh(Reference(a[k]))));
  }
  std::printf("%s %s: sigmoid %.2f ulp, tanh %.2f ulp\n", kernels.name, sizeof(E) == 8 ? "float64" : "float32", worst_sigmoid,
              worst_tanh);
  CHECK(worst_sigmoid <= bound);
  CHECK(worst_tanh <= bound);
}

}  // namespace

int main() {
  flush_denormals();
  for (const cpu::KernelSet* kernels : cpu::available_kernels()) {
    test_activations<float, uint32_t, double>(*kernels, 1024, 4);
    test_activations<double, uint64_t, long double>(*kernels, 16, 4);
  }
}
