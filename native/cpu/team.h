// A fixed team of threads that work through one function together, with a barrier cheap enough for every time step.
#pragma once
#include <atomic>
#include <chrono>
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

  // Calls f(item, member) once for each item, on the caller (member 0) from the first item on and on up to members - 1 workers
  // from the last one back, so that neighbouring calls over the same memory find it in the same caches. Sleeping workers are
  // woken only if `wake` says so, and nobody is waited for who has not begun. No barriers inside; f must not throw.
  template <class F>
  void spread(int members, int64_t items, bool wake, F&& f) {
    if (members <= 1 || items <= 1 || workers_.empty()) {
      flush();
      for (int64_t item = 0; item < items; item++) f(item, 0);
      return;
    }
    auto work = [&](int member) {
      for (uint64_t claims; (claims = claim(member == 0)), claimed(claims) < items;)
        f(member == 0 ? front(claims) : items - 1 - back(claims), member);
    };
    run_open_job(
        members, wake, [](void* context, int member) { (*static_cast<decltype(work)*>(context))(member); }, &work);
  }

  // Inside run(): waits for every member; what any of them wrote before is visible to all after.
  void barrier();

  // Inside run(), by every member: f(item) once for each item; ends with a barrier. Each member begins with its own part of the
  // items, so that neighbouring calls over the same memory find it in the same caches, and then helps the others.
  template <class F>
  void share(int thread, int64_t items, F&& f) {
    share(thread, &items, 1, [&](int, int64_t item) { f(item); });
  }

  // The same for `count` lists of so many items each: f(list, item). A member's part is its part of every list.
  template <class F>
  void share(int thread, const int64_t* lists, int count, F&& f) {
    if (members_ == 1) {
      for (int list = 0; list < count; list++)
        for (int64_t item = 0; item < lists[list]; item++) f(list, item);
      return;
    }
    for (int i = 0; i < members_; i++) {
      const int part = (thread + i) % members_;
      int64_t before = 0;  // of the part, in earlier lists
      int64_t taken = take(part);
      for (int list = 0; list < count; list++) {
        const int64_t first = lists[list] * part / members_, size = lists[list] * (part + 1) / members_ - first;
        for (; taken - before < size; taken = take(part)) f(list, first + taken - before);
        before += size;
      }
    }
    barrier();
  }

 private:
  using Job = void (*)(void* context, int thread);
  void run_job(int members, Job job, void* context);
  void run_open_job(int members, bool wake, Job job, void* context);
  void announce(uint64_t members, bool wake);
  // Whether the worker may take part in the open job of this announcement, and as which member.
  bool enter(uint64_t announcement, int& member);
  static void flush();

  struct alignas(64) Counter {
    std::atomic<int64_t> value{0};
  };

  // The number of the next item of a member's part.
  int64_t take(int part) { return taken_[size_t(part)].value.fetch_add(1, std::memory_order_relaxed); }
  void forget_taken();

  // Items claimed so far: from the front in the low half, from the back in the high one.
  uint64_t claim(bool from_front) { return claims_.fetch_add(from_front ? 1 : uint64_t(1) << 32, std::memory_order_relaxed); }
  static int64_t front(uint64_t claims) { return int64_t(claims & 0xFFFFFFFF); }
  static int64_t back(uint64_t claims) { return int64_t(claims >> 32); }
  static int64_t claimed(uint64_t claims) { return front(claims) + back(claims); }

  void work(int thread);
  void stop();
  using Clock = std::chrono::steady_clock;
  // The announcement after `seen`: a job's number and, in the low 16 bits, its members, or kOpen or kStop. worked: when this
  // worker last had a part in one.
  uint64_t await_announcement(uint64_t seen, Clock::time_point worked);

  std::vector<std::thread> workers_;
  std::vector<Counter> taken_;  // of each member's part
  Job job_ = nullptr;
  void* context_ = nullptr;
  int members_ = 1;

  // Apart, because every waiting thread reads one of them all the time.
  alignas(64) std::atomic<uint64_t> announcement_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};
  alignas(64) std::atomic<uint64_t> claims_{0};
  // Of an open job: its number and, in the low 16 bits, how many workers may still begin; 0 when nobody may. And who has ended.
  alignas(64) std::atomic<uint64_t> places_{0};
  alignas(64) std::atomic<int> left_{0};

  alignas(64) std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace deep_rnn::cpu
