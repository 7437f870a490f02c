#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__linux__) && defined(__x86_64__)
#define DEEP_RNN_SWITCH_BY_HAND
#else
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#define DEEP_RNN_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DEEP_RNN_ASAN
#endif
#endif
#if defined(DEEP_RNN_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(DEEP_RNN_SWITCH_BY_HAND)
// Saves what the System V ABI lets no function change on the stack and the stack pointer in *from, then takes both from `to`.
// swapcontext() would do the same with two system calls.
extern "C" void deep_rnn_switch_stacks(void** from, void* to);
__asm__(
    ".text\n"
    ".hidden deep_rnn_switch_stacks\n"
    ".globl deep_rnn_switch_stacks\n"
    ".type deep_rnn_switch_stacks, @function\n"
    "deep_rnn_switch_stacks:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size deep_rnn_switch_stacks, .-deep_rnn_switch_stacks\n");
#endif

namespace deep_rnn::host_cuda {

namespace {

Fiber* running = nullptr;
void* resumer_context = nullptr;
#if defined(DEEP_RNN_ASAN)
const void* resumer_stack = nullptr;
size_t resumer_stack_bytes = 0;
#endif
#if !defined(DEEP_RNN_SWITCH_BY_HAND)
ucontext_t resumer;
#endif

}  // namespace

struct FiberSwitch {
  static void into(Fiber& fiber) {
#if defined(DEEP_RNN_ASAN)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, fiber.stack_, Stacks::kBytes);
#endif
#if defined(DEEP_RNN_SWITCH_BY_HAND)
    deep_rnn_switch_stacks(&resumer_context, fiber.context_);
#else
    swapcontext(&resumer, static_cast<ucontext_t*>(fiber.context_));
#endif
#if defined(DEEP_RNN_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  static void out_of(Fiber& fiber) {
#if defined(DEEP_RNN_ASAN)
    __sanitizer_start_switch_fiber(fiber.finished_ ? nullptr : &fiber.fake_stack_, resumer_stack, resumer_stack_bytes);
#endif
#if defined(DEEP_RNN_SWITCH_BY_HAND)
    deep_rnn_switch_stacks(&fiber.context_, resumer_context);
#else
    swapcontext(static_cast<ucontext_t*>(fiber.context_), &resumer);
#endif
    arrived(fiber.fake_stack_);
  }

  static void arrived(void* fake_stack) {
#if defined(DEEP_RNN_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, &resumer_stack, &resumer_stack_bytes);
#else
    (void)fake_stack;
#endif
  }

  static void begin() {
    Fiber& fiber = *running;
    arrived(nullptr);
    fiber.entry_(fiber.argument_);
    fiber.finished_ = true;
    out_of(fiber);
    std::abort();  // a finished fiber is never resumed
  }
};

Stacks::Stacks(size_t count) : count_(count) {
  const size_t bytes = count * (kBytes + kGuard);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<char*>(memory);
  for (size_t i = 0; i < count; i++) mprotect(of(i) - kGuard, kGuard, PROT_NONE);
}

Stacks::~Stacks() { munmap(memory_, count_ * (kBytes + kGuard)); }

void Fiber::start(char* stack, Entry entry, void* argument) {
#if defined(DEEP_RNN_ASAN)
  // Frames that were abandoned have left their red zones behind.
  if (!finished_) __asan_unpoison_memory_region(stack, Stacks::kBytes);
#endif
  stack_ = stack;
  entry_ = entry;
  argument_ = argument;
  finished_ = false;
  fake_stack_ = nullptr;
#if defined(DEEP_RNN_SWITCH_BY_HAND)
  // Six registers, then where to return to; above it a function finds its stack as if it had been called.
  // Stacks begin in different cache lines, because all of them are hot at the same time.
  const size_t line = uintptr_t(stack) / (Stacks::kBytes + Stacks::kGuard) % 64;
  void** top = reinterpret_cast<void**>(stack + Stacks::kBytes - 64 - line * 256);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&FiberSwitch::begin);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  context_ = top;
#else
  ucontext_t* context = reinterpret_cast<ucontext_t*>(stack);
  getcontext(context);
  context->uc_stack.ss_sp = stack + sizeof(ucontext_t);
  context->uc_stack.ss_size = Stacks::kBytes - sizeof(ucontext_t);
  context->uc_link = nullptr;
  makecontext(context, &FiberSwitch::begin, 0);
  context_ = context;
#endif
}

void Fiber::resume() {
  running = this;
  FiberSwitch::into(*this);
  running = nullptr;
}

void Fiber::suspend() { FiberSwitch::out_of(*running); }

}  // namespace deep_rnn::host_cuda
