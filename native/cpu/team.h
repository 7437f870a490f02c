// A fixed team of threads that work through one function together, with a barrier cheap enough for every time step.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace deep_rnn::cpu {

class Team {
 public:
  // The caller of run() is the first member, so threads - 1 are started.
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return int(workers_.size()) + 1; }

  // Calls f(thread) once for each thread in 0..members-1, on the caller and members - 1 workers at a time, and returns when all
  // have finished. Denormals are flushed meanwhile. f must not throw: allocate and check before.
  template <class F>
  void run(int members, F&& f) {
    run_job(
        members, [](void* context, int thread) { (*static_cast<std::remove_reference_t<F>*>(context))(thread); }, &f);
  }
  template <class F>
  void run(F&& f) {
    run(size(), f);
  }

  // Inside run(): waits for every member; what any of them wrote before is visible to all after.
  void barrier();

  // Inside run(), by every member: f(item) once for each item, each taken by whichever thread is free; ends with a barrier.
  template <class F>
  void share(int64_t items, F&& f) {
    if (members_ == 1) {
      for (int64_t item = 0; item < items; item++) f(item);
      return;
    }
    for (int64_t item; (item = next_item_.fetch_add(1, std::memory_order_relaxed)) < items;) f(item);
    barrier();
  }

 private:
  using Job = void (*)(void* context, int thread);
  void run_job(int members, Job job, void* context);
  void work(int thread);
  void stop();
  // The announcement after `seen`: a run's number and, in the low 16 bits, its members.
  uint64_t await_announcement(uint64_t seen);

  std::vector<std::thread> workers_;
  Job job_ = nullptr;
  void* context_ = nullptr;
  int members_ = 1;

  // Apart, because every waiting thread reads one of them all the time.
  alignas(64) std::atomic<uint64_t> announcement_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};
  alignas(64) std::atomic<int64_t> next_item_{0};

  alignas(64) std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace deep_rnn::cpu
