#include "cuda/rnn_timing.h"

#include <algorithm>

#include "cuda/primitives.h"
#include "cuda/timer.h"

namespace deep_rnn::cuda {

double time_pass(Gpu& gpu, RnnPlan& plan, const RnnPassKind& kind, const void* params, size_t most_reserve) {
  constexpr int kTimes = 3;
  const RnnDesc& desc = kind.desc;
  const RnnNumbers& numbers = plan.numbers();
  const int64_t x_count = kind.steps * kind.batch * desc.input_size;
  const int64_t y_count = kind.steps * kind.batch * desc.directions() * desc.output_size();
  plan.prepare(kind.batch);
  plan.descriptors().set_data(desc, kind.steps, kind.batch, nullptr);
  if (plan.drops()) plan.seed_dropout(0);
  RnnSpaces spaces = rnn_spaces(gpu.api(), gpu.cudnn(), plan.descriptors(), kind.keeps);
  if (spaces.reserve_bytes > most_reserve)
    throw CudnnError("it needs a reserve of " + std::to_string(spaces.reserve_bytes) + " bytes, but " +
                     std::to_string(most_reserve) + " were announced");

  DeviceMemory memory(gpu);
  RnnArrays arrays;
  void *x, *drawn, *weights, *gradients;
  const auto carve = [&](Carver carver) {
    const auto take = [&](int64_t count) { return carver.bytes(size_t(count) * numbers.bytes()); };
    spaces.work = carver.bytes(spaces.work_bytes);
    weights = carver.bytes(plan.weight_space());
    spaces.reserve = kind.keeps ? carver.bytes(spaces.reserve_bytes) : nullptr;
    arrays.x = x = take(x_count);
    drawn = numbers.casts() ? carver.bytes(size_t(x_count) * sizeof(float)) : x;
    // The outputs serve as their own gradients.
    arrays.dy = arrays.y = take(y_count);
    arrays.dx = kind.keeps ? take(x_count) : nullptr;
    gradients = kind.keeps ? carver.bytes(plan.weight_space()) : nullptr;
    return carver.used();
  };
  carve(Carver(memory.take(carve(Carver(nullptr)))));
  random(gpu, {RandomKind::uniform, desc.dtype, x_count, 1, 0, -1, 1}, drawn);
  if (numbers.casts()) numbers.narrow(gpu, x_count, drawn, x);
  plan.pack(params, weights);

  const auto pass = [&] {
    rnn_forward(gpu, plan, weights, arrays, spaces);
    if (!kind.keeps) return;
    rnn_backward_data(gpu, plan, weights, arrays, spaces);
    rnn_backward_weights(gpu, plan, arrays, spaces, gradients);
  };
  // The first one may load or compile kernels.
  pass();
  Timer timer(gpu);
  double seconds = timer.seconds(pass);
  for (int i = 1; i < kTimes; i++) seconds = std::min(seconds, timer.seconds(pass));
  return std::max(seconds, 1e-9) * 1000;
}

}  // namespace deep_rnn::cuda
