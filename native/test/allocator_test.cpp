#include "core/allocator.h"

#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "check.h"
#include "memory_backend.h"

using deep_rnn::Allocator;
using deep_rnn::test::MemoryBackend;
using deep_rnn::test::message_of;

namespace {

constexpr size_t kRoom = size_t(1) << 30;

void block_sizes_waste_at_most_an_eighth() {
  CHECK_EQUAL(Allocator::block_size(0), 256u);
  CHECK_EQUAL(Allocator::block_size(256), 256u);
  CHECK_EQUAL(Allocator::block_size(257), 320u);
  CHECK_EQUAL(Allocator::block_size(4096), 4096u);
  CHECK_EQUAL(Allocator::block_size(4097), 4608u);
  for (size_t bytes = 512; bytes < (size_t(1) << 34); bytes = bytes * 17 / 13 + 1) {
    const size_t size = Allocator::block_size(bytes);
    CHECK(size >= bytes && size % 64 == 0 && size - bytes <= bytes / 8);
    CHECK_EQUAL(Allocator::block_size(size), size);
  }
}

void freed_blocks_are_handed_out_again() {
  MemoryBackend backend(kRoom);
  Allocator allocator(backend, 0, false);
  void* first = allocator.allocate(1000);
  allocator.release(first, 1000);
  CHECK(allocator.allocate(1010) == first);
  CHECK_EQUAL(backend.allocations(), 1);
  CHECK(allocator.allocate(1010) != first);
  CHECK_EQUAL(backend.allocations(), 2);
}

void live_blocks_are_aligned_and_apart() {
  MemoryBackend backend(kRoom);
  Allocator allocator(backend, 0, false);
  std::set<std::pair<uintptr_t, uintptr_t>> ranges;
  for (size_t i = 0; i < 500; i++) {
    const size_t bytes = i * i % 7919;
    const auto begin = reinterpret_cast<uintptr_t>(allocator.allocate(bytes));
    CHECK_EQUAL(begin % 64, 0u);
    ranges.insert({begin, begin + bytes});
  }
  uintptr_t end = 0;
  for (const auto& range : ranges) {
    CHECK(range.first >= end);
    end = range.second;
  }
}

void the_books_balance() {
  size_t leaked = 1;
  {
    MemoryBackend backend(kRoom, &leaked);
    Allocator allocator(backend, 0, false);
    void* a = allocator.allocate(256);
    void* b = allocator.allocate(512);
    CHECK_EQUAL(allocator.in_use(), 768u);
    CHECK_EQUAL(allocator.held(), 768u);
    allocator.release(b, 512);
    CHECK_EQUAL(allocator.in_use(), 256u);
    CHECK_EQUAL(allocator.held(), 768u);
    allocator.trim();
    CHECK_EQUAL(allocator.held(), 256u);
    CHECK_EQUAL(backend.used(), 256u);
    allocator.release(nullptr, 100);
    CHECK(a != nullptr);
  }
  CHECK_EQUAL(leaked, 0u);  // `a` was given back by the destructor
}

void cached_blocks_are_given_back_when_memory_runs_out() {
  MemoryBackend backend(2048);
  Allocator allocator(backend, 0, false);
  void* a = allocator.allocate(1024);
  void* b = allocator.allocate(1024);
  allocator.release(a, 1024);
  allocator.release(b, 1024);
  void* whole = allocator.allocate(2048);
  CHECK(whole != nullptr);
  const std::string message = message_of([&] { allocator.allocate(4096); });
  CHECK_EQUAL(message, "out of memory: needed 4096 bytes, 2048 in use");
  CHECK_EQUAL(allocator.in_use(), 2048u);
  allocator.release(whole, 2048);
  CHECK(allocator.allocate(1024) != nullptr);
}

void sizes_that_never_come_back_do_not_pile_up() {
  MemoryBackend backend(kRoom);
  Allocator allocator(backend, 0, false);
  for (size_t i = 1; i <= 1000; i++) {
    const size_t bytes = 1024 + i * 997 % 65536;
    allocator.release(allocator.allocate(bytes), bytes);
    CHECK(allocator.held() <= 3 * 73728);
  }
}

void the_cache_respects_the_limit() {
  MemoryBackend backend(kRoom);
  Allocator allocator(backend, 8192, false);
  void* a = allocator.allocate(4096);
  void* b = allocator.allocate(4096);
  allocator.release(a, 4096);
  void* c = allocator.allocate(2048);
  CHECK(allocator.held() <= 8192);
  CHECK(b != nullptr && c != nullptr);
}

void poisoned_memory_is_nan() {
  MemoryBackend backend(kRoom);
  Allocator allocator(backend, 0, true);
  for (int round = 0; round < 2; round++) {
    auto* values = static_cast<float*>(allocator.allocate(400));
    for (int i = 0; i < 100; i++) {
      CHECK(std::isnan(values[i]));
      values[i] = 1;
    }
    allocator.release(values, 400);
  }
}

}  // namespace

int main() {
  block_sizes_waste_at_most_an_eighth();
  freed_blocks_are_handed_out_again();
  live_blocks_are_aligned_and_apart();
  the_books_balance();
  cached_blocks_are_given_back_when_memory_runs_out();
  sizes_that_never_come_back_do_not_pile_up();
  the_cache_respects_the_limit();
  poisoned_memory_is_nan();
}
