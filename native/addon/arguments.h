// Checked reading of the arguments of one call from JavaScript. Numbers in typed arrays are copied before they are checked,
// since another thread may write a shared array at any time.
#pragma once
#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/desc.h"
#include "core/error.h"

namespace deep_rnn::addon {

// Become TypeError and RangeError in JavaScript.
class TypeMistake : public Error {
 public:
  using Error::Error;
};
class RangeMistake : public Error {
 public:
  using Error::Error;
};

constexpr int64_t kMaxSafeInteger = (int64_t(1) << 53) - 1;
// The largest number of elements in one index space.
constexpr int64_t kMaxElements = int64_t(1) << 40;

// A number as JavaScript would print an integer, shortest digits otherwise.
std::string text_of(double number);

// Throws RangeMistake unless `value` is an integer in [low, high].
int64_t check_integer(double value, int64_t low, int64_t high, const std::string& name);
// Throws RangeMistake unless `value` is finite and in [low, high].
double check_number(double value, double low, double high, const std::string& name);
// a * b for a, b >= 0; throws RangeMistake past 2^53 - 1.
int64_t checked_multiply(int64_t a, int64_t b, const std::string& name);
int64_t checked_add(int64_t a, int64_t b, const std::string& name);
// The product of sizes >= 0, at most kMaxElements.
int64_t checked_count(std::initializer_list<int64_t> sizes, const std::string& name);

// How many elements an operand spans from its first to its last; 0 for an empty shape.
int64_t reach_of(const Strided& layout, int operand, const std::string& name);
bool is_contiguous(const Strided& layout, int operand);
// Whether no two indices name the same element, as far as sorted strides tell.
bool is_injective(const Strided& layout, int operand);

// The bytes of a typed array at this moment. `data` is null for an empty or detached one.
struct Bytes {
  void* data;
  size_t size;
};

class Arguments {
 public:
  // Throws TypeMistake unless there are exactly `count` arguments.
  Arguments(const Napi::CallbackInfo& info, const char* function, size_t count);

  // `function` and an argument's name, for messages.
  std::string name(const char* argument) const { return std::string(function_) + " " + argument; }
  const char* function() const { return function_; }

  bool boolean(size_t i, const char* argument) const;
  // Any number, NaN and infinities included.
  double any_number(size_t i, const char* argument) const;
  double number(size_t i, const char* argument, double low, double high) const;
  int64_t integer(size_t i, const char* argument, int64_t low, int64_t high) const;

  template <class Code>
  Code code(size_t i, const char* argument) const {
    return Code(integer(i, argument, 0, int64_t(Code::count) - 1));
  }
  DType dtype(size_t i, const char* argument = "dtype") const;
  // float32 or float64.
  DType float_dtype(size_t i, const char* argument = "dtype") const;

  // A Float64Array of exactly `count` numbers.
  std::vector<double> numbers(size_t i, const char* argument, size_t count) const;
  // [rank, shape…, strides of each operand…]; strides are not negative, and the index space holds at most kMaxElements.
  Strided layout(size_t i, const char* argument, int operands) const;
  // An Int32Array, copied.
  std::vector<int32_t> integers(size_t i, const char* argument) const;
  bool is_null(size_t i) const { return info_[i].IsNull(); }
  // A Float32Array, Float64Array, Int32Array or Uint8Array.
  Bytes bytes(size_t i, const char* argument) const;
  Napi::Value value(size_t i) const { return info_[i]; }

 private:
  [[noreturn]] void reject(size_t i, const char* what, const char* argument) const;
  // The elements of a typed array of this type; false for anything else.
  template <class T>
  bool elements(size_t i, napi_typedarray_type type, const T*& first, size_t& length) const;

  const Napi::CallbackInfo& info_;
  const char* function_;
};

// The present extent of a typed array of one of the four kinds; false for any other value.
bool typed_array_bytes(napi_env env, napi_value value, Bytes& bytes);

}  // namespace deep_rnn::addon
