// The stream of a device: one thread that runs commands in the order in which they were pushed.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/allocator.h"
#include "core/backend.h"

namespace deep_rnn {

using BackendFactory = std::function<std::unique_ptr<Backend>()>;

struct Command {
  // A kernel is skipped after an error and when the stream closes; housekeeping (memory) always runs.
  enum class Kind { kernel, housekeeping };

  std::function<void(Backend&)> run;
  // The operation and its shapes, asked for only when it fails.
  std::function<std::string()> describe;
  Kind kind = Kind::kernel;
  // Host memory that the command holds until it has run.
  size_t staged_bytes = 0;
  // Called exactly once, on the stream thread, when the command has run (empty), was skipped or was discarded (the reason).
  std::function<void(const std::string& error)> settle;
};

// The first failure is sticky: until clear_error every kernel is skipped and settles with its message.
//
// The backend and the allocator are made, used and destroyed on the stream's thread. The backend's const functions may be
// called from any thread while the stream is open.
class Stream {
 public:
  static constexpr size_t kMaxCommands = 4096;
  static constexpr size_t kMaxStagedBytes = size_t(256) << 20;

  // Throws Error when the factory fails. `memory_limit` and `poison` are the allocator's.
  Stream(BackendFactory factory, size_t memory_limit, bool poison);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Blocks while kMaxCommands commands are queued, or kMaxStagedBytes would be passed (one larger command is admitted
  // alone). Throws Error when closed. Never called from a command.
  void push(Command command);

  // In order, like any command: what was pushed before is still skipped, what is pushed after runs.
  void clear_error();

  // Finishes the running command, discards queued kernels, runs queued housekeeping, frees all memory, joins the thread.
  void close();

  const Backend& backend() const { return *backend_; }
  Allocator& allocator() { return *allocator_; }
  const Allocator& allocator() const { return *allocator_; }
  uint64_t commands_run() const { return commands_run_.load(std::memory_order_relaxed); }

 private:
  struct Start;
  void thread_main(BackendFactory factory, size_t memory_limit, bool poison, Start& start);
  // False when closed and drained.
  bool pop(Command& command, bool& closing);
  void execute(Command& command, bool closing);
  void wait_briefly() const;

  std::mutex mutex_;
  std::condition_variable work_, space_;
  std::deque<Command> queue_;
  size_t staged_bytes_ = 0;
  bool closing_ = false, sleeping_ = false;
  std::atomic<size_t> pending_{0};  // queue_.size(), readable without the lock
  std::atomic<uint64_t> commands_run_{0};

  std::string error_;  // stream thread only
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Allocator> allocator_;
  std::thread thread_;
};

}  // namespace deep_rnn
