#include "addon/arguments.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace deep_rnn::addon {

namespace {

std::string describe_value(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return value.As<Napi::Boolean>().Value() ? "true" : "false";
    case napi_number:
      return text_of(value.As<Napi::Number>().DoubleValue());
    case napi_string:
      return "a string";
    case napi_symbol:
      return "a symbol";
    case napi_bigint:
      return "a bigint";
    case napi_function:
      return "a function";
    default:
      break;
  }
  if (!value.IsTypedArray()) return "an object";
  size_t length = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, nullptr, nullptr, nullptr) != napi_ok) return "an object";
  static constexpr const char* kNames[] = {"Int8Array",    "Uint8Array",    "Uint8ClampedArray", "Int16Array",
                                           "Uint16Array",  "Int32Array",    "Uint32Array",       "Float32Array",
                                           "Float64Array", "BigInt64Array", "BigUint64Array"};
  const size_t index = size_t(type);
  const std::string kind = index < sizeof(kNames) / sizeof(*kNames) ? kNames[index] : "typed array";
  return kind + "(" + std::to_string(length) + ")";
}

std::string range_text(int64_t low, int64_t high) {
  if (high == kMaxSafeInteger) return "an integer from " + std::to_string(low) + " to 2^53-1";
  return "an integer from " + std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

std::string text_of(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  char text[32];
  const bool integer = std::floor(number) == number && std::fabs(number) < 1e15;
  std::snprintf(text, sizeof(text), integer ? "%.0f" : "%.17g", number);
  return text;
}

int64_t check_integer(double value, int64_t low, int64_t high, const std::string& name) {
  if (!(value >= double(low) && value <= double(high)) || std::floor(value) != value) {
    throw RangeMistake("Expected " + range_text(low, high) + " for " + name + " but received " + text_of(value));
  }
  return int64_t(value);
}

double check_number(double value, double low, double high, const std::string& name) {
  if (!std::isfinite(value) || value < low || value > high) {
    std::string range;
    if (std::isfinite(low) && std::isfinite(high)) range = " from " + text_of(low) + " to " + text_of(high);
    if (std::isfinite(low) && !std::isfinite(high)) range = " not below " + text_of(low);
    throw RangeMistake("Expected a finite number" + range + " for " + name + " but received " + text_of(value));
  }
  return value;
}

int64_t checked_multiply(int64_t a, int64_t b, const std::string& name) {
  if (a != 0 && b > kMaxSafeInteger / a) {
    throw RangeMistake("Expected sizes with a product below 2^53 for " + name + " but received " + std::to_string(a) +
                       " times " + std::to_string(b));
  }
  return a * b;
}

int64_t checked_add(int64_t a, int64_t b, const std::string& name) {
  if (b > kMaxSafeInteger - a) {
    throw RangeMistake("Expected an extent below 2^53 for " + name + " but received " + std::to_string(a) + " plus " +
                       std::to_string(b));
  }
  return a + b;
}

int64_t checked_count(std::initializer_list<int64_t> sizes, const std::string& name) {
  int64_t count = 1;
  for (int64_t size : sizes) {
    if (size == 0) return 0;
  }
  for (int64_t size : sizes) {
    if (size > kMaxElements / count) {
      throw RangeMistake("Expected at most 2^40 elements for " + name + " but received " + std::to_string(count) + " times " +
                         std::to_string(size));
    }
    count *= size;
  }
  return count;
}

int64_t reach_of(const Strided& layout, int operand, const std::string& name) {
  int64_t last = 0;
  for (int axis = 0; axis < layout.rank; axis++) {
    if (layout.shape[axis] == 0) return 0;
  }
  for (int axis = 0; axis < layout.rank; axis++) {
    last = checked_add(last, checked_multiply(layout.shape[axis] - 1, layout.strides[operand][axis], name), name);
  }
  return checked_add(last, 1, name);
}

bool is_contiguous(const Strided& layout, int operand) {
  int64_t expected = 1;
  for (int axis = layout.rank - 1; axis >= 0; axis--) {
    if (layout.shape[axis] == 1) continue;
    if (layout.strides[operand][axis] != expected) return false;
    expected *= layout.shape[axis];
  }
  return true;
}

bool is_injective(const Strided& layout, int operand) {
  std::vector<std::pair<int64_t, int64_t>> axes;  // stride, size
  for (int axis = 0; axis < layout.rank; axis++) {
    if (layout.shape[axis] > 1) axes.emplace_back(layout.strides[operand][axis], layout.shape[axis]);
  }
  std::sort(axes.begin(), axes.end());
  int64_t extent = 0;  // the largest offset within the axes seen so far
  for (const auto& [stride, size] : axes) {
    if (stride <= extent) return false;
    extent = checked_add(extent, checked_multiply(size - 1, stride, "layout"), "layout");
  }
  return true;
}

bool typed_array_bytes(napi_env env, napi_value value, Bytes& bytes) {
  bool is_typed_array = false;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array) return false;
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  switch (type) {
    case napi_float64_array:
      bytes = {data, length * 8};
      return true;
    case napi_float32_array:
    case napi_int32_array:
      bytes = {data, length * 4};
      return true;
    case napi_uint8_array:
      bytes = {data, length};
      return true;
    default:
      return false;
  }
}

Arguments::Arguments(const Napi::CallbackInfo& info, const char* function, size_t count) : info_(info), function_(function) {
  if (info.Length() != count) {
    throw TypeMistake("Expected " + std::to_string(count) + " arguments for " + function + " but received " +
                      std::to_string(info.Length()));
  }
}

void Arguments::reject(size_t i, const char* what, const char* argument) const {
  throw TypeMistake(std::string("Expected ") + what + " for " + name(argument) + " but received " + describe_value(info_[i]));
}

bool Arguments::boolean(size_t i, const char* argument) const {
  if (!info_[i].IsBoolean()) reject(i, "a boolean", argument);
  return info_[i].As<Napi::Boolean>().Value();
}

double Arguments::any_number(size_t i, const char* argument) const {
  double value;
  if (napi_get_value_double(info_.Env(), info_[i], &value) != napi_ok) reject(i, "a number", argument);
  return value;
}

double Arguments::number(size_t i, const char* argument, double low, double high) const {
  return check_number(any_number(i, argument), low, high, name(argument));
}

int64_t Arguments::integer(size_t i, const char* argument, int64_t low, int64_t high) const {
  const double value = any_number(i, argument);
  // The name is built only for a message: this runs several times in every call.
  if (value >= double(low) && value <= double(high) && std::floor(value) == value) return int64_t(value);
  return check_integer(value, low, high, name(argument));
}

DType Arguments::dtype(size_t i, const char* argument) const { return DType(integer(i, argument, 0, int64_t(DType::int32))); }

DType Arguments::float_dtype(size_t i, const char* argument) const {
  return DType(integer(i, argument, 0, int64_t(DType::float64)));
}

template <class T>
bool Arguments::elements(size_t i, napi_typedarray_type type, const T*& first, size_t& length) const {
  napi_typedarray_type actual;
  void* data = nullptr;
  if (!info_[i].IsTypedArray()) return false;
  if (napi_get_typedarray_info(info_.Env(), info_[i], &actual, &length, &data, nullptr, nullptr) != napi_ok) return false;
  first = static_cast<const T*>(data);
  return actual == type;
}

std::vector<double> Arguments::numbers(size_t i, const char* argument, size_t count) const {
  const double* first = nullptr;
  size_t length = 0;
  if (!elements(i, napi_float64_array, first, length) || length != count) {
    reject(i, ("a Float64Array of " + std::to_string(count) + " numbers").c_str(), argument);
  }
  return count == 0 ? std::vector<double>() : std::vector<double>(first, first + count);
}

Strided Arguments::layout(size_t i, const char* argument, int operands) const {
  constexpr size_t kMaxLength = 1 + kMaxRank * 4;
  const double* first = nullptr;
  size_t length = 0;
  if (!elements(i, napi_float64_array, first, length) || length < 1 || length > kMaxLength) {
    reject(i, "a layout (a Float64Array of rank, shape and strides)", argument);
  }
  double values[kMaxLength];
  std::copy_n(first, length, values);

  Strided layout;
  layout.rank = int(check_integer(values[0], 0, kMaxRank, name(argument) + " rank"));
  if (length != size_t(1 + layout.rank * (1 + operands))) {
    throw RangeMistake("Expected " + std::to_string(1 + layout.rank * (1 + operands)) + " numbers for " + name(argument) +
                       " but received " + std::to_string(length));
  }
  const double* next = values + 1;
  int64_t count = 1;
  for (int axis = 0; axis < layout.rank; axis++) {
    layout.shape[axis] = check_integer(*next++, 0, kMaxElements, name(argument) + " shape");
  }
  // An empty shape becomes zero in every axis, so that no product of sizes overflows before it meets the zero.
  if (std::find(layout.shape, layout.shape + layout.rank, 0) != layout.shape + layout.rank) {
    std::fill(layout.shape, layout.shape + layout.rank, 0);
  }
  for (int axis = 0; axis < layout.rank; axis++) count = checked_count({count, layout.shape[axis]}, name(argument));
  for (int operand = 0; operand < operands; operand++) {
    for (int axis = 0; axis < layout.rank; axis++) {
      layout.strides[operand][axis] = check_integer(*next++, 0, kMaxSafeInteger, name(argument) + " strides");
    }
  }
  return layout;
}

std::vector<int32_t> Arguments::integers(size_t i, const char* argument) const {
  const int32_t* first = nullptr;
  size_t length = 0;
  if (!elements(i, napi_int32_array, first, length)) reject(i, "an Int32Array", argument);
  return length == 0 ? std::vector<int32_t>() : std::vector<int32_t>(first, first + length);
}

Bytes Arguments::bytes(size_t i, const char* argument) const {
  Bytes bytes{};
  if (!typed_array_bytes(info_.Env(), info_[i], bytes)) {
    reject(i, "a Float32Array, Float64Array, Int32Array or Uint8Array", argument);
  }
  return bytes;
}

}  // namespace deep_rnn::addon
