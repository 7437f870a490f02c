#include <algorithm>

#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

namespace {

// Destroyed whatever happens between its two ends.
class Timer {
 public:
  explicit Timer(Gpu& gpu) : gpu_(gpu) {
    for (CUevent& event : events_) DEEP_RNN_CALL(gpu_.api(), cuEventCreate, &event, CU_EVENT_DEFAULT);
  }
  ~Timer() {
    for (CUevent event : events_)
      if (event) gpu_.api().cuEventDestroy(event);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  template <class Body>
  double seconds(Body body) {
    DEEP_RNN_CALL(gpu_.api(), cuEventRecord, events_[0], gpu_.stream());
    body();
    DEEP_RNN_CALL(gpu_.api(), cuEventRecord, events_[1], gpu_.stream());
    DEEP_RNN_CALL(gpu_.api(), cuEventSynchronize, events_[1]);
    float milliseconds = 0;
    DEEP_RNN_CALL(gpu_.api(), cuEventElapsedTime, &milliseconds, events_[0], events_[1]);
    return double(milliseconds) / 1000;
  }

 private:
  Gpu& gpu_;
  CUevent events_[2] = {};
};

}  // namespace

Peak measure_peak(Gpu& gpu) {
  constexpr int kTimes = 9;
  constexpr double kSeconds = 0.002;
  const Launch shape = {unsigned(gpu.multiprocessors()) * 8};
  const int64_t threads = int64_t(shape.grid_x) * shape.block_x;
  auto* out = static_cast<float*>(gpu.scratch(size_t(threads) * sizeof(float)));
  Timer timer(gpu);
  const auto run = [&](int64_t rounds) {
    return timer.seconds([&] { DEEP_RNN_LAUNCH(gpu, shape, peak_float32, rounds, 1.0f, out); });
  };
  // As many rounds as take 2 ms.
  int64_t rounds = 1;
  double seconds = run(rounds);
  while (seconds < kSeconds / 4 && rounds < (int64_t(1) << 30)) seconds = run(rounds *= 4);
  Peak peak;
  for (int i = 0; i < kTimes; i++) {
    seconds = std::max(run(rounds), 1e-9);
    peak.float32 = std::max(peak.float32, double(rounds) * double(threads) * double(kPeakOperations) / seconds);
  }
  return peak;
}

}  // namespace deep_rnn::cuda
