// Seconds between two points of a GPU's stream.
#pragma once
#include "cuda/gpu.h"

namespace deep_rnn::cuda {

// Waits for what it times.
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

}  // namespace deep_rnn::cuda
