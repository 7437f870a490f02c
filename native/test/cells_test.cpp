// The functions inside the cells, of every instruction set: tanh and sigmoid over all exponents, saturation and NaN.
#include <cmath>
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

template <class E>
void test_activations(const cpu::KernelSet& kernels) {
  std::vector<E> a;
  const int digits = std::numeric_limits<E>::min_exponent;
  for (int exponent = digits; exponent <= 12; exponent++)
    for (int k = 0; k < 64; k++)
      for (int sign : {-1, 1}) a.push_back(E(sign) * std::ldexp(E(1) + E(k) / E(64) + E(k * k) / E(65536), exponent));
  for (int k = -200000; k <= 200000; k++) a.push_back(E(k) * E(0.00071));
  const E infinity = std::numeric_limits<E>::infinity(), nan = std::numeric_limits<E>::quiet_NaN();
  for (E x : {E(0), infinity, -infinity, nan, std::numeric_limits<E>::max(), -std::numeric_limits<E>::max()}) a.push_back(x);
  while (a.size() % 32) a.push_back(E(0));

  std::vector<E> sigmoid, tanh;
  activate(kernels, a, sigmoid, tanh);
  double worst_sigmoid = 0, worst_tanh = 0;
  for (size_t k = 0; k < a.size(); k++) {
    if (a[k] != a[k]) {
      CHECK(sigmoid[k] != sigmoid[k] && tanh[k] != tanh[k]);
      continue;
    }
    worst_sigmoid = std::max(worst_sigmoid, error_in_ulp(sigmoid[k], 1 / (1 + std::exp(-(long double)a[k]))));
    worst_tanh = std::max(worst_tanh, error_in_ulp(tanh[k], std::tanh((long double)a[k])));
  }
  std::printf("%s %s: sigmoid %.2f ulp, tanh %.2f ulp\n", kernels.name, sizeof(E) == 8 ? "float64" : "float32", worst_sigmoid,
              worst_tanh);
  CHECK(worst_sigmoid <= 4);
  CHECK(worst_tanh <= 4);
}

}  // namespace

int main() {
  flush_denormals();
  for (const cpu::KernelSet* kernels : cpu::available_kernels()) {
    test_activations<float>(*kernels);
    test_activations<double>(*kernels);
  }
}
