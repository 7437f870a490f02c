#include "cpu/team.h"

#include <algorithm>
#include <chrono>

#include "core/denormals.h"
#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace deep_rnn::cpu {

namespace {

constexpr uint64_t kMembersMask = 0xFFFF;
// In the place of the members:
constexpr uint64_t kStop = 0xFFFF;
constexpr uint64_t kOpen = 0xFFFE;

void pause() {
#if defined(__SSE2__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ volatile("yield");
#endif
}

// The spin-th wait for another thread that is at work.
void wait(int spin) {
  constexpr int kSpins = 1000;
  if (spin < kSpins) {
    pause();
  } else {
    std::this_thread::yield();
  }
}

}  // namespace

Team::Team(int threads) : taken_(size_t(threads > 1 ? threads : 1)) {
  try {
    for (int thread = 1; thread < threads; thread++) workers_.emplace_back([this, thread] { work(thread); });
  } catch (...) {
    stop();
    throw;
  }
}

Team::~Team() { stop(); }

void Team::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    announcement_.store((announcement_.load() & ~kMembersMask) + (kMembersMask + 1) + kStop);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Team::flush() { flush_denormals(); }

void Team::announce(uint64_t members, bool wake) {
  // Sequentially consistent, as is the sleepers' side: one of the two sees the other.
  announcement_.store((announcement_.load() & ~kMembersMask) + (kMembersMask + 1) + members);
  if (wake && sleepers_.load() > 0) {
    { std::lock_guard<std::mutex> lock(mutex_); }
    wake_.notify_all();
  }
}

void Team::run_job(int members, Job job, void* context) {
  flush_denormals();
  members_ = members < size() ? members : size();
  forget_taken();
  if (members_ == 1) {
    job(context, 0);
    return;
  }
  job_ = job;
  context_ = context;
  announce(uint64_t(members_), true);
  job(context, 0);
  barrier();
}

void Team::run_open_job(int members, bool wake, Job job, void* context) {
  flush_denormals();
  job_ = job;
  context_ = context;
  claims_.store(0, std::memory_order_relaxed);
  left_.store(0, std::memory_order_relaxed);
  const uint64_t number = (announcement_.load(std::memory_order_relaxed) & ~kMembersMask) + (kMembersMask + 1);
  const uint64_t places = uint64_t(members < size() ? members : size()) - 1;
  places_.store(number | places, std::memory_order_release);
  announce(kOpen, wake);
  job(context, 0);
  const int entered = int(places - (places_.exchange(0, std::memory_order_acq_rel) & kMembersMask));
  for (int spin = 0; left_.load(std::memory_order_acquire) < entered; spin++) wait(spin);
}

bool Team::enter(uint64_t announcement, int& member) {
  const uint64_t number = announcement & ~kMembersMask;
  uint64_t places = places_.load(std::memory_order_acquire);
  do {
    if ((places & ~kMembersMask) != number || (places & kMembersMask) == 0) return false;
  } while (!places_.compare_exchange_weak(places, places - 1, std::memory_order_acq_rel, std::memory_order_acquire));
  member = int(places & kMembersMask);
  return true;
}

void Team::forget_taken() {
  for (Counter& taken : taken_) taken.value.store(0, std::memory_order_relaxed);
}

void Team::barrier() {
  const int members = members_;
  if (members == 1) return;
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == members - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    forget_taken();
    phase_.store(phase + 1, std::memory_order_release);
    return;
  }
  // Reads nothing else: once all have arrived, the next job may begin.
  for (int spin = 0; phase_.load(std::memory_order_acquire) == phase; spin++) wait(spin);
}

uint64_t Team::await_announcement(uint64_t seen, Clock::time_point worked) {
  // Who sleeps takes long to wake up, and often does so on the processor of whoever wakes it. So a worker that has had work
  // stays awake from one pass to the next, but soon leaves its processor to anybody else who wants it.
  constexpr std::chrono::microseconds kAlone(20), kAwake(80), kAwakeAfterWork(3000);
  const Clock::time_point start = Clock::now(), bedtime = std::max(start + kAwake, worked + kAwakeAfterWork);
  for (Clock::time_point now = start; now < bedtime; now = Clock::now()) {
    for (int spin = 0; spin < 64; spin++) {
      const uint64_t announcement = announcement_.load(std::memory_order_acquire);
      if (announcement != seen) return announcement;
      pause();
    }
    if (now > start + kAlone) std::this_thread::yield();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1);
  uint64_t announcement;
  while ((announcement = announcement_.load()) == seen) wake_.wait_for(lock, std::chrono::seconds(1));
  sleepers_.fetch_sub(1);
  return announcement;
}

void Team::work(int thread) {
  flush_denormals();
  Clock::time_point worked{};
  for (uint64_t seen = 0;;) {
    seen = await_announcement(seen, worked);
    const uint64_t members = seen & kMembersMask;
    if (members == kStop) return;
    if (members == kOpen) {
      int member;
      if (!enter(seen, member)) continue;
      job_(context_, member);
      left_.fetch_add(1, std::memory_order_release);
    } else {
      if (uint64_t(thread) >= members) continue;
      job_(context_, thread);
      barrier();
    }
    worked = Clock::now();
  }
}

}  // namespace deep_rnn::cpu
