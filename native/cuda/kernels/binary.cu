#include <type_traits>

#include "cuda/kernels/arithmetic.h"

namespace deep_rnn::cuda {

// Flat operands, of which one may be a single number for all, are moved 16 bytes at a time; what remains walks.
template <class E, class Out, class F>
__device__ void zip(const Walk& walk, const E* a, const E* b, Out* out, const F& f) {
  constexpr int lanes = 16 / kLargest<E, Out>;
  using In = Pack<E, lanes>;
  const int64_t stride_a = walk.strides[0][0], stride_b = walk.strides[1][0];
  const bool packs_a = stride_a == 1 && is_aligned<sizeof(In)>(a), packs_b = stride_b == 1 && is_aligned<sizeof(In)>(b);
  int64_t done = 0;
  if (walk.rank == 1 && (packs_a || stride_a == 0) && (packs_b || stride_b == 0) && is_aligned<lanes * sizeof(Out)>(out)) {
    done = walk.count / lanes * lanes;
    In pack_a, pack_b;
    for (int lane = 0; lane < lanes; lane++) pack_a.values[lane] = *a, pack_b.values[lane] = *b;
    for_elements(walk.count / lanes, [&](int64_t i) {
      if (packs_a) pack_a = reinterpret_cast<const In*>(a)[i];
      if (packs_b) pack_b = reinterpret_cast<const In*>(b)[i];
      Pack<Out, lanes> result;
      for (int lane = 0; lane < lanes; lane++) result.values[lane] = f(pack_a.values[lane], pack_b.values[lane]);
      reinterpret_cast<Pack<Out, lanes>*>(out)[i] = result;
    });
  }
  for_elements(walk.count - done, [&](int64_t i) {
    const Offsets<2> offsets = offsets_of<2>(walk, done + i);
    out[done + i] = f(a[offsets.at[0]], b[offsets.at[1]]);
  });
}

template <class E>
__device__ void binary(int32_t op, const Walk& walk, const void* a_data, const void* b_data, void* out_data) {
  using A = Arithmetic<E>;
  const E* a = static_cast<const E*>(a_data);
  const E* b = static_cast<const E*>(b_data);
  const auto arithmetic = [&](auto f) { zip(walk, a, b, static_cast<E*>(out_data), f); };
  const auto comparison = [&](auto f) { zip(walk, a, b, static_cast<int32_t*>(out_data), f); };
  if (walk.count == 0) return;
  switch (BinaryOp(op)) {
    case BinaryOp::add:
      return arithmetic([](E u, E v) { return A::add(u, v); });
    case BinaryOp::subtract:
      return arithmetic([](E u, E v) { return A::subtract(u, v); });
    case BinaryOp::multiply:
      return arithmetic([](E u, E v) { return A::multiply(u, v); });
    case BinaryOp::divide:
      return arithmetic([](E u, E v) { return A::divide(u, v); });
    case BinaryOp::minimum:
      return arithmetic([](E u, E v) { return smaller(u, v); });
    case BinaryOp::maximum:
      return arithmetic([](E u, E v) { return larger(u, v); });
    case BinaryOp::equal:
      return comparison([](E u, E v) { return int32_t(u == v); });
    case BinaryOp::not_equal:
      return comparison([](E u, E v) { return int32_t(u != v); });
    case BinaryOp::less:
      return comparison([](E u, E v) { return int32_t(u < v); });
    case BinaryOp::less_equal:
      return comparison([](E u, E v) { return int32_t(u <= v); });
    case BinaryOp::greater:
      return comparison([](E u, E v) { return int32_t(u > v); });
    case BinaryOp::greater_equal:
      return comparison([](E u, E v) { return int32_t(u >= v); });
    default:
      break;
  }
  if constexpr (std::is_floating_point_v<E>) {
    switch (BinaryOp(op)) {
      case BinaryOp::power:
        return arithmetic([](E u, E v) { return power(u, v); });
      case BinaryOp::sigmoid_grad:
        return arithmetic([](E dy, E y) { return dy * (E(1) - y) * y; });
      case BinaryOp::tanh_grad:
        return arithmetic([](E dy, E y) { return dy * (E(1) - y * y); });
      case BinaryOp::relu_grad:
        return arithmetic([](E dy, E x) { return x <= 0 ? E(0) : dy; });
      case BinaryOp::absolute_grad:
        return arithmetic([](E dy, E x) { return dy * sign_of(x); });
      default:
        break;
    }
  }
}

DEEP_RNN_DEFINE_NUMERIC(binary, (int32_t op, Walk walk, const void* a, const void* b, void* out), (op, walk, a, b, out))

}  // namespace deep_rnn::cuda
