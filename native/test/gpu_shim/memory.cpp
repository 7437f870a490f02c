#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "gpu_shim/device.h"

namespace deep_rnn::gpu_shim {

namespace {

// No program has anything there, on x86-64 and arm64 alike. Addresses are never used twice.
constexpr uintptr_t kFirstAddress = uintptr_t(0xD5) << 48;
constexpr size_t kDeviceBytes = size_t(3) << 30, kAlignment = 512;
// In front of and behind each block, full of NaN like fresh memory: what a kernel must neither change nor rely on.
constexpr size_t kMargin = 512;

struct Free {
  void operator()(char* memory) const { std::free(memory); }
};

struct Block {
  size_t bytes;
  std::unique_ptr<char, Free> memory;  // kMargin, the block, kMargin
  char* begin() const { return memory.get() + kMargin; }
};

struct Arena {
  uintptr_t next = kFirstAddress;
  size_t live = 0;
  std::map<uintptr_t, Block> blocks;
  std::map<const char*, size_t> host;
};

Arena& arena() {
  static Arena& one = *new Arena;
  return one;
}

size_t rounded(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// The last one that begins at or below.
template <class Address, class Value>
const std::pair<const Address, Value>* below(const std::map<Address, Value>& blocks, Address address) {
  auto block = blocks.upper_bound(address);
  return block == blocks.begin() ? nullptr : &*--block;
}

// Null unless the range lies inside one block.
const std::pair<const uintptr_t, Block>* block_of(const void* data, size_t bytes) {
  const auto* block = below(arena().blocks, uintptr_t(data));
  return block && uintptr_t(data) + bytes <= block->first + block->second.bytes ? block : nullptr;
}

bool is_untouched(const char* margin) {
  return std::all_of(margin, margin + kMargin, [](char byte) { return byte == '\xFF'; });
}

}  // namespace

Memory& Memory::all() {
  static Memory one;
  return one;
}

void* Memory::allocate(size_t bytes) {
  Arena& one = arena();
  if (bytes > kDeviceBytes - one.live) return nullptr;
  const size_t whole = rounded(bytes) + 2 * kMargin;
  Block block{bytes, std::unique_ptr<char, Free>(static_cast<char*>(std::aligned_alloc(kAlignment, whole)))};
  if (!block.memory) return nullptr;
  std::memset(block.memory.get(), 0xFF, whole);
  const uintptr_t address = one.next;
  one.next += rounded(bytes) + kAlignment;
  one.live += bytes;
  one.blocks.emplace(address, std::move(block));
  note_object("device allocations", 1);
  return reinterpret_cast<void*>(address);
}

void Memory::free(void* data) {
  const auto block = arena().blocks.find(uintptr_t(data));
  demand(block != arena().blocks.end(), "cuMemFree", "not the address of an allocation (freed twice?)");
  check_margins(data, "cuMemFree", "the block");
  arena().live -= block->second.bytes;
  arena().blocks.erase(block);
  note_object("device allocations", -1);
}

void Memory::check(const void* data, size_t bytes, const char* call, const std::string& operand) const {
  demand(block_of(data, bytes) || pinned(data, bytes), call,
         operand + " does not lie inside one device allocation (" + std::to_string(bytes) + " bytes)");
  // A graph outlives the moment: the memory must be there whenever it is launched.
  if (is_capturing())
    check_at_launch([=] {
      demand(block_of(data, bytes) || pinned(data, bytes), "cuGraphLaunch",
             operand + " of " + call + " was freed since the capture");
    });
}

void Memory::check_margins(const void* data, const char* call, const std::string& operand) const {
  if (pinned(data, 1)) return;
  const auto* block = block_of(data, 0);
  demand(block != nullptr, call, operand + " was freed");
  const Block& one = block->second;
  demand(is_untouched(one.begin() - kMargin), call, operand + ": something was written in front of its allocation");
  demand(is_untouched(one.begin() + one.bytes), call, operand + ": something was written behind its allocation");
}

char* Memory::at(uintptr_t address) const {
  if (address == 0) return nullptr;
  if (pinned(reinterpret_cast<void*>(address), 1)) return reinterpret_cast<char*>(address);
  const auto* block = block_of(reinterpret_cast<void*>(address), 0);
  if (!block) violation("queued work uses memory that was freed, or no memory of the device at all");
  return block->second.begin() + (address - block->first);
}

bool Memory::pinned(const void* data, size_t bytes) const {
  const auto* block = below(arena().host, static_cast<const char*>(data));
  return block && static_cast<const char*>(data) + bytes <= block->first + block->second;
}

void* Memory::allocate_host(size_t bytes) {
  void* data = std::malloc(bytes);
  arena().host[static_cast<const char*>(data)] = bytes;
  note_object("pinned allocations", 1);
  return data;
}

void Memory::free_host(void* data) {
  demand(arena().host.erase(static_cast<const char*>(data)) == 1, "cuMemFreeHost", "not the address of pinned memory");
  note_object("pinned allocations", -1);
  std::free(data);
}

}  // namespace deep_rnn::gpu_shim
