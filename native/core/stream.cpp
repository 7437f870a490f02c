#include "core/stream.h"

#include <chrono>
#include <new>
#include <utility>

#include "core/denormals.h"
#include "core/error.h"
#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace deep_rnn {

namespace {

// Waits are timed and repeated: the untimed wait would bind the binary to a newer C++ runtime than the rest needs.
constexpr auto kWait = std::chrono::hours(1);

// Longer than JavaScript takes between two pushes of a step, too short to matter on an idle machine.
constexpr auto kSpin = std::chrono::microseconds(30);

void pause() {
#if defined(__SSE2__) || defined(_M_X64)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

struct Stream::Start {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::string error;
};

Stream::Stream(BackendFactory factory, size_t memory_limit, bool poison) {
  Start start;
  thread_ = std::thread([&] { thread_main(std::move(factory), memory_limit, poison, start); });
  {
    std::unique_lock<std::mutex> lock(start.mutex);
    while (!start.done) start.changed.wait_for(lock, kWait);
  }
  if (!start.error.empty()) {
    thread_.join();
    throw Error(start.error);
  }
}

Stream::~Stream() { close(); }

void Stream::push(Command command) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto full = [&] {
    return queue_.size() >= kMaxCommands ||
           (staged_bytes_ > 0 && command.staged_bytes > 0 && staged_bytes_ + command.staged_bytes > kMaxStagedBytes);
  };
  while (!closing_ && full()) space_.wait_for(lock, kWait);
  if (closing_) throw Error("the device is closed");
  staged_bytes_ += command.staged_bytes;
  queue_.push_back(std::move(command));
  pending_.store(queue_.size(), std::memory_order_release);
  if (sleeping_) work_.notify_one();
}

void Stream::clear_error() {
  Command command;
  command.run = [this](Backend& backend) {
    // A failure that the backend has not told of yet is forgotten as well.
    try {
      backend.synchronize();
    } catch (const std::exception&) {
    }
    error_.clear();
  };
  command.describe = [] { return std::string("clearError"); };
  command.kind = Command::Kind::housekeeping;
  push(std::move(command));
}

void Stream::close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    work_.notify_all();
    space_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Stream::thread_main(BackendFactory factory, size_t memory_limit, bool poison, Start& start) {
  flush_denormals();
  std::string error;
  try {
    backend_ = factory();
    allocator_ = std::make_unique<Allocator>(*backend_, memory_limit, poison);
  } catch (const std::exception& failure) {
    error = failure.what();
    if (error.empty()) error = "the backend failed to start";
  }
  const bool failed = !error.empty();
  {
    std::lock_guard<std::mutex> lock(start.mutex);
    start.error = std::move(error);
    start.done = true;
    start.changed.notify_one();  // under the lock: `start` is gone as soon as the constructor sees it done
  }
  if (failed) return;

  bool closing = false;
  for (;;) {
    Command command;
    if (!pop(command, closing)) break;
    execute(command, closing);
    const size_t staged = command.staged_bytes;
    command = Command();  // drops what it captured before its staged bytes are counted as free
    if (staged > 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      staged_bytes_ -= staged;
      space_.notify_all();
    }
  }
  allocator_.reset();
  backend_.reset();
}

void Stream::wait_briefly() const {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  while (pending_.load(std::memory_order_acquire) == 0 && std::chrono::steady_clock::now() < end) pause();
}

bool Stream::pop(Command& command, bool& closing) {
  if (pending_.load(std::memory_order_acquire) == 0) wait_briefly();
  std::unique_lock<std::mutex> lock(mutex_);
  while (queue_.empty() && !closing_) {
    sleeping_ = true;
    work_.wait_for(lock, kWait);
    sleeping_ = false;
  }
  closing = closing_;
  if (queue_.empty()) return false;
  if (queue_.size() >= kMaxCommands) space_.notify_all();
  command = std::move(queue_.front());
  queue_.pop_front();
  pending_.store(queue_.size(), std::memory_order_release);
  return true;
}

void Stream::execute(Command& command, bool closing) {
  const bool kernel = command.kind == Command::Kind::kernel;
  std::string outcome;
  if (kernel && !error_.empty()) {
    outcome = error_;
  } else if (kernel && closing) {
    outcome = "the device was closed";
  } else {
    try {
      command.run(*backend_);
    } catch (const std::bad_alloc&) {
      outcome = "out of memory: " + std::to_string(allocator_->in_use()) + " bytes in use by buffers";
    } catch (const std::exception& failure) {
      outcome = failure.what();
    } catch (...) {
      outcome = "unknown failure";
    }
    if (!outcome.empty()) {
      outcome = command.describe() + ": " + outcome;
      if (error_.empty()) error_ = outcome;
    }
    commands_run_.fetch_add(1, std::memory_order_relaxed);
  }
  if (command.settle) command.settle(outcome);
}

}  // namespace deep_rnn
