// A function that can be left in its middle and continued later, on a stack of its own and on the caller's thread.
#pragma once
#include <cstddef>

namespace deep_rnn::host_cuda {

// The stacks of `count` fibers, with a page between them that nobody may touch.
class Stacks {
 public:
  static constexpr size_t kBytes = 256 * 1024;
  static constexpr size_t kGuard = 64 * 1024;  // a multiple of every page size
  explicit Stacks(size_t count);
  ~Stacks();
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;
  char* of(size_t number) const { return memory_ + number * (kBytes + kGuard) + kGuard; }
  size_t count() const { return count_; }

 private:
  size_t count_;
  char* memory_;
};

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  // The next resume() calls entry(argument) on this stack. Whatever ran there before is abandoned, not unwound.
  void start(char* stack, Entry entry, void* argument);
  // Returns when the fiber suspends or its entry returns. Not to be called from a fiber.
  void resume();
  // By the running fiber only: back to whoever resumed it.
  static void suspend();
  bool finished() const { return finished_; }

 private:
  friend struct FiberSwitch;
  void* context_ = nullptr;  // where it stands; what this means is fiber.cpp's business
  char* stack_ = nullptr;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  bool finished_ = true;
};

}  // namespace deep_rnn::host_cuda
