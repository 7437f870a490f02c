// Buffer handles: integers that JavaScript may invent, lose or use too late without harm.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/device.h"

namespace deep_rnn::addon {

// A handle is generation * 2^22 + slot, a safe integer. The generation of a slot starts at 1, so 0 is never a handle, and
// grows with every reuse, so the handle of a freed buffer is never taken for another one.
class HandleTable {
 public:
  struct Entry {
    std::shared_ptr<Buffer> buffer;  // null: the slot is free
    Device* device = nullptr;
    int64_t generation = 1;
  };

  double insert(std::shared_ptr<Buffer> buffer, Device& device) {
    size_t slot;
    if (!free_.empty()) {
      slot = free_.back();
      free_.pop_back();
    } else {
      if (entries_.size() >= size_t(kSlots)) throw Error("too many live buffers: " + std::to_string(kSlots));
      slot = entries_.size();
      entries_.emplace_back();
    }
    Entry& entry = entries_[slot];
    entry.buffer = std::move(buffer);
    entry.device = &device;
    return double(entry.generation * kSlots + int64_t(slot));
  }

  // Null when `handle` names no live buffer; any number may be asked for.
  const Entry* find(double handle) const {
    if (!(handle >= double(kSlots) && handle < double(kGenerations * kSlots))) return nullptr;
    const int64_t whole = int64_t(handle);
    const size_t slot = size_t(whole % kSlots);
    if (double(whole) != handle || slot >= entries_.size()) return nullptr;
    const Entry& entry = entries_[slot];
    return entry.buffer && entry.generation == whole / kSlots ? &entry : nullptr;
  }

  // `entry` comes from find().
  void remove(const Entry* entry) { retire(size_t(entry - entries_.data())); }

  void remove_all_of(const Device& device) {
    for (size_t slot = 0; slot < entries_.size(); slot++) {
      if (entries_[slot].buffer && entries_[slot].device == &device) retire(slot);
    }
  }

 private:
  static constexpr int64_t kSlots = int64_t(1) << 22;
  static constexpr int64_t kGenerations = int64_t(1) << 31;

  void retire(size_t slot) {
    Entry& entry = entries_[slot];
    entry.buffer.reset();
    entry.device = nullptr;
    // A slot whose generations are used up is left out for good.
    if (++entry.generation < kGenerations) free_.push_back(slot);
  }

  std::vector<Entry> entries_;
  std::vector<size_t> free_;
};

}  // namespace deep_rnn::addon
