#include "core/allocator.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <new>

#include "core/error.h"

namespace deep_rnn {

Allocator::Allocator(Backend& backend, size_t limit, bool poison) : backend_(backend), limit_(limit), poison_(poison) {}

Allocator::~Allocator() {
  for (const auto& [data, size] : blocks_) backend_.release(data, size);
}

size_t Allocator::block_size(size_t bytes) {
  constexpr size_t kSmallest = 256;
  if (bytes <= kSmallest) return kSmallest;
  size_t power = kSmallest;
  while (power <= bytes / 2) power *= 2;
  const size_t step = std::max<size_t>(power / 8, 64);
  if (bytes > std::numeric_limits<size_t>::max() - step) return bytes;
  return (bytes + step - 1) / step * step;
}

void* Allocator::allocate(size_t bytes) {
  const size_t size = block_size(bytes);
  void* data = nullptr;
  const auto cached = cache_.find(size);
  if (cached != cache_.end() && !cached->second.empty()) {
    data = cached->second.back();
    cached->second.pop_back();
    cached_ -= size;
  } else {
    data = take(size);
    if (!data) {
      throw Error("out of memory: needed " + std::to_string(bytes) + " bytes, " + std::to_string(in_use_) + " in use");
    }
  }
  in_use_ += size;
  peak_ = std::max(peak_, in_use_);
  if (poison_) backend_.fill(DType::int32, int64_t(size / 4), -1, data);
  return data;
}

void Allocator::release(void* data, size_t bytes) {
  if (!data) return;
  const size_t size = block_size(bytes);
  cache_[size].push_back(data);
  in_use_ -= size;
  cached_ += size;
}

void Allocator::arrange() {
  for (auto& [size, blocks] : cache_) std::sort(blocks.begin(), blocks.end(), std::greater<void*>());
}

void Allocator::trim() {
  for (const auto& [size, blocks] : cache_) {
    for (void* data : blocks) {
      backend_.release(data, size);
      blocks_.erase(data);
    }
  }
  cache_.clear();
  held_.fetch_sub(cached_, std::memory_order_relaxed);
  cached_ = 0;
}

void* Allocator::take(size_t size) {
  const bool past_limit = limit_ > 0 && (size > limit_ || held() > limit_ - size);
  if (cached_ > 0 && (cached_ > peak_ || past_limit)) trim();
  for (int attempt = 0; attempt < 2; attempt++) {
    try {
      void* data = backend_.allocate(size);
      blocks_.emplace(data, size);
      held_.fetch_add(size, std::memory_order_relaxed);
      allocations_.fetch_add(1, std::memory_order_relaxed);
      return data;
    } catch (const std::bad_alloc&) {
      trim();
    }
  }
  return nullptr;
}

}  // namespace deep_rnn
