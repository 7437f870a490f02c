// Turns the buffer handles of one call into views: alive, on one device, in range, and aliased only where that is allowed.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/environment.h"

namespace deep_rnn::addon {

enum class Access {
  read,
  shared_read,  // an output may be exactly this operand
  write
};

class Operands {
 public:
  Operands(Environment& environment, const char* function) : environment_(environment), function_(function) {}

  // `count` elements of `element` bytes at `offset` (in elements). Throws for a dead or null handle, another device's buffer,
  // a range outside the buffer, and an output that overlaps another operand.
  View view(const char* name, double handle, double offset, size_t element, int64_t count, Access access);
  // Demands that the operands lie on this device.
  void expect(Device& device) { device_ = &device; }
  // Of the operands so far, at least one.
  Device& device() const { return *device_; }

 private:
  struct Range {
    const Buffer* buffer;
    uint64_t begin, end;
    Access access;
    const char* name;
  };
  void check_overlap(const Range& range) const;
  std::string name_of(const char* operand) const { return std::string(function_) + " " + operand; }

  Environment& environment_;
  const char* function_;
  Device* device_ = nullptr;
  std::vector<Range> ranges_;
};

// Operands that come as one array of handle, offset pairs.
class PackedOperands : public Operands {
 public:
  PackedOperands(Environment& environment, const char* function, std::vector<double> pairs)
      : Operands(environment, function), pairs_(std::move(pairs)) {}

  // `i` counts pairs.
  View view(size_t i, const char* name, size_t element, int64_t count, Access access) {
    return Operands::view(name, pairs_[2 * i], pairs_[2 * i + 1], element, count, access);
  }
  // As view, but the null handle 0 gives an empty view.
  View optional(size_t i, const char* name, size_t element, int64_t count, Access access) {
    return is_null(i) ? View() : view(i, name, element, count, access);
  }
  bool is_null(size_t i) const { return pairs_[2 * i] == 0; }

 private:
  std::vector<double> pairs_;
};

}  // namespace deep_rnn::addon
