// Operations on a GPU as values: a list of them can be compared with another one, and issued as often as one likes.
#pragma once
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <vector>

#include "cuda/kernels/kernels.h"

namespace deep_rnn::cuda {

class Gpu;

// What has gaps between its members, or numbers that have no unique bytes, names its members: the bytes of a value are theirs,
// and zeros in between.
inline auto members(const GatherDesc& d) { return std::tie(d.dtype, d.outer, d.axis, d.count, d.inner, d.index_strides); }
inline auto members(const SoftmaxDesc& d) { return std::tie(d.dtype, d.rows, d.columns, d.log); }
inline auto members(const CrossEntropyDesc& d) {
  return std::tie(d.dtype, d.rows, d.columns, d.ignore_index, d.label_smoothing);
}
inline auto members(const RandomDesc& d) { return std::tie(d.kind, d.dtype, d.count, d.seed, d.offset, d.a, d.b); }
inline auto members(const SampleDesc& d) {
  return std::tie(d.vocabulary, d.temperature, d.top_k, d.top_p, d.seed, d.offset, d.number);
}
inline auto members(const OptimizerScalars& d) {
  return std::tie(d.rate, d.decay, d.shrink, d.momentum, d.beta1, d.take1, d.beta2, d.take2, d.correction, d.epsilon, d.first,
                  d.flag);
}

constexpr size_t words_for(size_t bytes) { return (bytes + 7) / 8; }

// The bytes of `value` into words_for(sizeof(T)) zeroed words.
template <class T>
void put_bytes(uint64_t* words, const T& value) {
  if constexpr (std::is_arithmetic_v<T> || std::has_unique_object_representations_v<T>) {
    std::memcpy(words, &value, sizeof value);
  } else {
    const char* start = reinterpret_cast<const char*>(&value);
    std::apply(
        [&](const auto&... member) {
          (std::memcpy(reinterpret_cast<char*>(words) + (reinterpret_cast<const char*>(&member) - start), &member,
                       sizeof member),
           ...);
        },
        members(value));
  }
}

// An operation is a struct without gaps that has `void issue(Gpu&, const uint64_t* tail) const`, and a tail of words where one
// needs more than a struct can hold. All its addresses are the device's, or of what lives as long as the GPU.
class Operations {
 public:
  template <class Operation>
  void add(const Operation& operation, const uint64_t* tail, size_t tail_words) {
    static_assert(std::is_trivially_copyable_v<Operation> && std::has_unique_object_representations_v<Operation>);
    constexpr size_t kWords = words_for(sizeof(Operation));
    const size_t at = words_.size();
    words_.resize(at + kHead + kWords + tail_words, 0);
    words_[at] = uint64_t(reinterpret_cast<uintptr_t>(&issue_one<Operation>));
    words_[at + 1] = kWords + tail_words;
    std::memcpy(&words_[at + kHead], &operation, sizeof operation);
    if (tail_words > 0) std::memcpy(&words_[at + kHead + kWords], tail, tail_words * sizeof *tail);
  }

  // In order.
  void issue(Gpu& gpu) const {
    for (size_t at = 0; at < words_.size(); at += kHead + words_[at + 1])
      reinterpret_cast<Issue>(uintptr_t(words_[at]))(gpu, &words_[at + kHead]);
  }

  void clear() { words_.clear(); }
  bool empty() const { return words_.empty(); }
  // Of 8 bytes.
  size_t words() const { return words_.size(); }
  bool operator==(const Operations& other) const { return words_ == other.words_; }

 private:
  using Issue = void (*)(Gpu&, const uint64_t*);
  static constexpr size_t kHead = 2;  // how an operation is issued, and how many words it has

  template <class Operation>
  static void issue_one(Gpu& gpu, const uint64_t* words) {
    Operation operation;
    std::memcpy(static_cast<void*>(&operation), words, sizeof operation);
    operation.issue(gpu, words + words_for(sizeof operation));
  }

  std::vector<uint64_t> words_;
};

}  // namespace deep_rnn::cuda
