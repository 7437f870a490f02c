#include "cuda/graphs.h"

#include <algorithm>
#include <new>

#include "cuda/capture.h"
#include "cuda/gpu.h"

namespace deep_rnn::cuda {

void Graphs::begin() {
  if (depth_++ > 0) return;
  operations_.clear();
  arrived_.clear();
  preparations_.clear();
  try {
    arrival_.take(wanted_arrival_);
    gathering_ = true;
  } catch (const std::bad_alloc&) {
    // A step without a graph needs no such memory.
  }
}

void Graphs::flush() {
  if (!gathering_) return;
  gathering_ = false;
  try {
    issue();
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
}

void Graphs::check() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Graphs::end() {
  if (depth_ == 0 || --depth_ > 0) return;
  if (!std::exchange(gathering_, false)) {
    eager_.fetch_add(1, std::memory_order_relaxed);
    return check();
  }
  if (operations_.empty()) return issue();
  Step& step = find_step();
  if (!step.graph && !step.refused && step.seen++ >= kWarmUps) {
    step.graph = capture(gpu_, [this] { operations_.issue(gpu_); });
    step.refused = !step.graph;
    (step.graph ? captured_ : refused_).fetch_add(1, std::memory_order_relaxed);
    if (step.graph) held_.fetch_add(1, std::memory_order_relaxed);
  }
  if (!step.graph) {
    eager_.fetch_add(1, std::memory_order_relaxed);
    return issue();
  }
  bring();
  DEEP_RNN_CALL(gpu_.api(), cuGraphLaunch, step.graph, gpu_.stream());
  replayed_.fetch_add(1, std::memory_order_relaxed);
}

const void* Graphs::arrive(const void* host, size_t bytes) {
  const size_t at = (arrived_.size() + 15) / 16 * 16;
  if (at + bytes > wanted_arrival_) {
    // More room for the next step, unless one would hold the whole memory.
    if (at + bytes <= kMostArrival) wanted_arrival_ = std::min(kMostArrival, std::max(2 * wanted_arrival_, at + bytes));
    flush();
    return nullptr;
  }
  arrived_.resize(at + bytes);
  std::memcpy(arrived_.data() + at, host, bytes);
  return static_cast<const char*>(arrival_.data()) + at;
}

void Graphs::prepare(const void* owner, std::function<void()> work) {
  const bool second = std::any_of(preparations_.begin(), preparations_.end(), [&](auto& one) { return one.first == owner; });
  if (!second) return void(preparations_.emplace_back(owner, std::move(work)));
  flush();
  work();
}

GraphStatistics Graphs::statistics() const {
  GraphStatistics statistics;
  statistics.held = held_.load(std::memory_order_relaxed);
  statistics.captured = captured_.load(std::memory_order_relaxed);
  statistics.replayed = replayed_.load(std::memory_order_relaxed);
  statistics.eager = eager_.load(std::memory_order_relaxed);
  statistics.refused = refused_.load(std::memory_order_relaxed);
  return statistics;
}

void Graphs::release() {
  gathering_ = false;
  for (Step& step : steps_) forget(step);
  steps_.clear();
  arrival_.release();
}

Graphs::Step& Graphs::find_step() {
  auto found = std::find_if(steps_.begin(), steps_.end(), [&](const Step& step) { return step.operations == operations_; });
  if (found == steps_.end()) {
    if (steps_.size() < kMostSteps) {
      found = steps_.emplace(steps_.end());
    } else {
      found = std::min_element(steps_.begin(), steps_.end(),
                               [](const Step& a, const Step& b) { return a.last_used < b.last_used; });
      forget(*found);
      *found = Step();
    }
    found->operations = operations_;
  }
  found->last_used = ++clock_;
  return *found;
}

void Graphs::bring() {
  for (const auto& [owner, work] : preparations_) work();
  if (!arrived_.empty()) gpu_.bring(arrival_.data(), arrived_.data(), arrived_.size());
}

void Graphs::issue() {
  bring();
  operations_.issue(gpu_);
}

void Graphs::forget(Step& step) {
  if (!step.graph) return;
  gpu_.api().cuGraphExecDestroy(step.graph);
  step.graph = nullptr;
  held_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace deep_rnn::cuda
