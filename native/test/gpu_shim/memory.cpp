#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <map>

#include "gpu_shim/device.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes) (void)0
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes) (void)0
#endif

namespace deep_rnn::gpu_shim {

namespace {

// Addresses are never used twice while anything lives, so a stale pointer is never a good one.
constexpr size_t kAddresses = size_t(1) << 36, kDeviceBytes = size_t(3) << 30, kAlignment = 512, kPage = 4096;

struct Arena {
  char* base = nullptr;
  size_t top = 0, live = 0;
  int open = 0;
  std::map<const char*, size_t> blocks, host;
};

Arena& arena() {
  static Arena& one = *new Arena;
  if (!one.base) {
    void* memory = mmap(nullptr, kAddresses, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) violation("the shim cannot reserve addresses");
    one.base = static_cast<char*>(memory);
  }
  return one;
}

size_t pages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

void protect(int protection) {
  if (arena().top > 0) mprotect(arena().base, pages(arena().top), protection);
}

bool inside(const std::map<const char*, size_t>& blocks, const void* data, size_t bytes) {
  const char* begin = static_cast<const char*>(data);
  auto block = blocks.upper_bound(begin);
  if (block == blocks.begin()) return false;
  --block;
  return begin + bytes <= block->first + block->second;
}

}  // namespace

Memory& Memory::all() {
  static Memory one;
  return one;
}

Memory::Access::Access() {
  if (arena().open++ == 0) protect(PROT_READ | PROT_WRITE);
}
Memory::Access::~Access() {
  if (--arena().open == 0) protect(PROT_NONE);
}

void* Memory::allocate(size_t bytes) {
  Arena& one = arena();
  if (one.blocks.empty() && one.open == 0) one.top = 0;
  // A gap after each block, where nothing lives.
  const size_t begin = (one.top + kAlignment - 1) / kAlignment * kAlignment;
  if (bytes > kDeviceBytes - one.live || begin + bytes + kAlignment > kAddresses) return nullptr;
  char* data = one.base + begin;
  one.top = begin + bytes + kAlignment;
  one.live += bytes;
  one.blocks[data] = bytes;
  if (one.open > 0) protect(PROT_READ | PROT_WRITE);
  const Access access;
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  std::memset(data, 0xFF, bytes);
  ASAN_POISON_MEMORY_REGION(data + bytes, kAlignment);
  return data;
}

void Memory::free(void* data) {
  Arena& one = arena();
  const auto block = one.blocks.find(static_cast<const char*>(data));
  demand(block != one.blocks.end(), "cuMemFree", "not the address of an allocation (freed twice?)");
  const size_t bytes = block->second;
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  {
    const Access access;
    std::memset(data, 0xFF, bytes);
  }
  ASAN_POISON_MEMORY_REGION(data, bytes);
  // Whole pages inside go back to the system.
  const uintptr_t begin = (uintptr_t(data) + kPage - 1) / kPage * kPage, end = (uintptr_t(data) + bytes) / kPage * kPage;
  if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  one.live -= bytes;
  one.blocks.erase(block);
}

void Memory::check(const void* data, size_t bytes, const char* call, const std::string& operand) const {
  demand(inside(arena().blocks, data, bytes), call,
         operand + " does not lie inside one device allocation (" + std::to_string(bytes) + " bytes)");
}

bool Memory::pinned(const void* data, size_t bytes) const { return inside(arena().host, data, bytes); }

void* Memory::allocate_host(size_t bytes) {
  void* data = std::malloc(bytes);
  arena().host[static_cast<const char*>(data)] = bytes;
  return data;
}

void Memory::free_host(void* data) {
  demand(arena().host.erase(static_cast<const char*>(data)) == 1, "cuMemFreeHost", "not the address of pinned memory");
  std::free(data);
}

}  // namespace deep_rnn::gpu_shim
