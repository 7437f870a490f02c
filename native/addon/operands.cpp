#include "addon/operands.h"

namespace deep_rnn::addon {

View Operands::view(const char* name, double handle, double offset, size_t element, int64_t count, Access access) {
  const HandleTable::Entry* entry = environment_.handles().find(handle);
  if (!entry)
    throw RangeMistake("Expected the handle of a live buffer for " + name_of(name) + " but received " + text_of(handle));
  if (device_ && entry->device != device_) {
    throw RangeMistake("Expected a buffer of the same device for " + name_of(name) + " but received one of another device");
  }
  device_ = entry->device;

  const std::string offset_name = name_of(name) + " offset";
  const uint64_t begin = uint64_t(check_integer(offset, 0, kMaxSafeInteger, offset_name)) * element;
  // Offset and count are below 2^53 and elements at most 8 bytes, so nothing here overflows.
  const uint64_t end = begin + uint64_t(count) * element;
  if (end > entry->buffer->bytes) {
    throw RangeMistake("Expected a buffer of at least " + std::to_string(end) + " bytes for " + name_of(name) +
                       " but received one of " + std::to_string(entry->buffer->bytes) + " bytes (offset " + text_of(offset) +
                       ", " + std::to_string(count) + " elements)");
  }
  const Range range{entry->buffer.get(), begin, end, access, name};
  check_overlap(range);
  ranges_.push_back(range);
  return {entry->buffer, size_t(begin)};
}

void Operands::check_overlap(const Range& range) const {
  for (const Range& other : ranges_) {
    if (range.access != Access::write && other.access != Access::write) continue;
    if (range.buffer != other.buffer || range.begin >= other.end || other.begin >= range.end) continue;
    const bool same = range.begin == other.begin && range.end == other.end;
    if (same && (range.access == Access::shared_read || other.access == Access::shared_read)) continue;
    throw RangeMistake("Expected memory apart from " + name_of(other.name) + " for " + name_of(range.name) +
                       " but received an overlapping range");
  }
}

}  // namespace deep_rnn::addon
