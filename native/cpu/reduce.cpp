#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <type_traits>

#include "core/strided.h"
#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

namespace {

// An accumulator takes the elements of one output in the order of their positions along the reduced axes: either a stretch of
// them at a time (add_stretch), or one each for several neighbouring outputs (add_across).
template <class E>
struct SumOf {
  using State = std::conditional_t<std::is_integral_v<E>, uint32_t, double>;
  using Result = E;
  const KernelSet& kernels;
  DType dtype;

  static State start() { return 0; }
  void add_stretch(int64_t count, const E* x, int64_t stride, int64_t, State& state) const {
    if constexpr (std::is_integral_v<E>) {
      for (int64_t i = 0; i < count; i++) state += uint32_t(x[i * stride]);
    } else {
      state += kernels.sum[int(dtype)](count, x, stride);
    }
  }
  void add_across(int64_t count, const E* x, int64_t stride, int64_t, State* states) const {
    if constexpr (std::is_integral_v<E>) {
      for (int64_t i = 0; i < count; i++) states[i] += uint32_t(x[i * stride]);
    } else {
      kernels.add_to_sums[int(dtype)](count, x, stride, states);
    }
  }
  static Result finish(State state) { return Result(state); }
};

template <class E>
E lowest() {
  return std::numeric_limits<E>::has_infinity ? -std::numeric_limits<E>::infinity() : std::numeric_limits<E>::lowest();
}

// The first NaN outranks everything.
template <class E>
bool outranks(E x, E best) {
  return x > best || (x != x && best == best);
}

template <class E>
struct MaximumOf {
  using State = E;
  using Result = E;

  static State start() { return lowest<E>(); }
  void add_stretch(int64_t count, const E* x, int64_t stride, int64_t, State& state) const {
    for (int64_t i = 0; i < count; i++) state = outranks(x[i * stride], state) ? x[i * stride] : state;
  }
  void add_across(int64_t count, const E* x, int64_t stride, int64_t, State* states) const {
    for (int64_t i = 0; i < count; i++) states[i] = outranks(x[i * stride], states[i]) ? x[i * stride] : states[i];
  }
  static Result finish(State state) { return state; }
};

template <class E>
struct ArgmaxOf {
  struct State {
    E best;
    int32_t position;
  };
  using Result = int32_t;

  static State start() { return {lowest<E>(), 0}; }
  void add_stretch(int64_t count, const E* x, int64_t stride, int64_t position, State& state) const {
    for (int64_t i = 0; i < count; i++)
      if (outranks(x[i * stride], state.best)) state = {x[i * stride], int32_t(position + i)};
  }
  void add_across(int64_t count, const E* x, int64_t stride, int64_t position, State* states) const {
    for (int64_t i = 0; i < count; i++)
      if (outranks(x[i * stride], states[i].best)) states[i] = {x[i * stride], int32_t(position)};
  }
  static Result finish(State state) { return state.position; }
};

// The outputs at offset + i * stride, one after the other.
template <class E, class Accumulator>
void reduce_each(const Accumulator& accumulator, const Strided& reduced, int64_t outputs, int64_t stride, const E* x,
                 typename Accumulator::Result* out) {
  const int64_t count = reduced.count(), inner_stride = reduced.strides[0][reduced.rank - 1];
  for (int64_t i = 0; i < outputs; i++) {
    typename Accumulator::State state = Accumulator::start();
    for_each_row<1>(reduced, 0, count, [&](int64_t position, const int64_t* offsets, int64_t length) {
      accumulator.add_stretch(length, x + i * stride + offsets[0], inner_stride, position, state);
    });
    out[i] = Accumulator::finish(state);
  }
}

// The same, side by side: reads neighbours together where they lie closer than the elements of one output.
template <class E, class Accumulator>
void reduce_across(const Accumulator& accumulator, const Strided& reduced, int64_t outputs, int64_t stride, const E* x,
                   typename Accumulator::Result* out) {
  constexpr int64_t kBlock = 256;
  const int64_t count = reduced.count(), inner_stride = reduced.strides[0][reduced.rank - 1];
  for (int64_t first = 0; first < outputs; first += kBlock) {
    const int64_t width = std::min(kBlock, outputs - first);
    typename Accumulator::State states[kBlock];
    std::fill(states, states + width, Accumulator::start());
    for_each_row<1>(reduced, 0, count, [&](int64_t position, const int64_t* offsets, int64_t length) {
      for (int64_t j = 0; j < length; j++)
        accumulator.add_across(width, x + first * stride + offsets[0] + j * inner_stride, stride, position + j, states);
    });
    for (int64_t i = 0; i < width; i++) out[first + i] = Accumulator::finish(states[i]);
  }
}

template <class E, class Accumulator>
void reduce_all(const Context& context, const ReduceDesc& desc, const Accumulator& accumulator, const void* x_data,
                void* out_data) {
  const E* x = static_cast<const E*>(x_data);
  auto* out = static_cast<typename Accumulator::Result*>(out_data);
  const Strided kept = simplified(desc.kept, 1), reduced = simplified(desc.reduced, 1);
  const int64_t stride = kept.strides[0][kept.rank - 1], reduced_stride = reduced.strides[0][reduced.rank - 1];
  const bool across = kept.shape[kept.rank - 1] > 1 && std::abs(stride) < std::abs(reduced_stride);
  parallel_for(context.team, kept.count(), grain_of(reduced.count()), [&](int64_t begin, int64_t end) {
    for_each_row<1>(kept, begin, end, [&](int64_t position, const int64_t* offsets, int64_t outputs) {
      if (across)
        reduce_across(accumulator, reduced, outputs, stride, x + offsets[0], out + position);
      else
        reduce_each(accumulator, reduced, outputs, stride, x + offsets[0], out + position);
    });
  });
}

}  // namespace

void reduce(const Context& context, const ReduceDesc& desc, const void* x, void* out) {
  const int64_t reduced = desc.reduced.count();
  if (desc.op != ReduceOp::sum && reduced == 0) throw Error(std::string(name_of(desc.op)) + " of no elements is not defined");
  if (desc.op == ReduceOp::argmax && reduced > std::numeric_limits<int32_t>::max())
    throw Error("argmax over " + std::to_string(reduced) + " elements does not fit its int32 result");
  with_type(desc.dtype, [&](auto zero) {
    using E = decltype(zero);
    switch (desc.op) {
      case ReduceOp::sum:
        return reduce_all<E>(context, desc, SumOf<E>{context.kernels, desc.dtype}, x, out);
      case ReduceOp::maximum:
        return reduce_all<E>(context, desc, MaximumOf<E>{}, x, out);
      case ReduceOp::argmax:
        return reduce_all<E>(context, desc, ArgmaxOf<E>{}, x, out);
      default:
        throw Error("Unknown reduction " + std::to_string(int(desc.op)));
    }
  });
}

void sum_squares(const Context& context, DType dtype, int64_t count, bool accumulate, const void* x, void* out) {
  with_floating_type("sum of squares", dtype, [&](auto zero) {
    using E = decltype(zero);
    // Chunks that the count alone fixes, so that any number of threads adds up the same partial sums.
    constexpr int64_t kMaxChunks = 256, kUnit = 4096;
    const int64_t units = (count + kUnit - 1) / kUnit;
    const int64_t chunk = std::max<int64_t>(1, (units + kMaxChunks - 1) / kMaxChunks) * kUnit;
    const int64_t chunks = (count + chunk - 1) / chunk;
    double partial[kMaxChunks];
    const auto kernel = context.kernels.sum_squares[int(dtype)];
    parallel_for(context.team, chunks, grain_of(chunk), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++)
        partial[i] = kernel(std::min(chunk, count - i * chunk), static_cast<const E*>(x) + i * chunk);
    });
    double total = 0;
    for (int64_t i = 0; i < chunks; i++) total += partial[i];
    E* result = static_cast<E*>(out);
    *result = accumulate ? E(double(*result) + total) : E(total);
  });
}

void clip_norm(const Context& context, DType dtype, int64_t count, double max_norm, const void* sum_squares, void* gradients,
               void* norm_data) {
  with_floating_type("clipping", dtype, [&](auto zero) {
    using E = decltype(zero);
    const E norm = std::sqrt(*static_cast<const E*>(sum_squares)), factor = E(max_norm) / norm;
    *static_cast<E*>(norm_data) = norm;
    // A norm that is not a number must not be lost.
    if (!(factor >= E(1))) unary(context, UnaryOp::multiply_scalar, dtype, count, double(factor), gradients, gradients);
  });
}

}  // namespace deep_rnn::cpu
