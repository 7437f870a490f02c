// Launching a kernel by its name, with arguments checked against its prototype when the host code is compiled.
#pragma once
#include <cstdint>

#include "core/desc.h"
#include "cuda/gpu.h"
#include "cuda/kernels/kernels.h"

namespace deep_rnn::cuda {

// A launch that waits: the tail holds each argument's words, one with their number before them.
struct LaunchOperation {
  int32_t kernel, arguments;
  Launch shape;
  void issue(Gpu& gpu, const uint64_t* tail) const;
};

template <class Kernel>
struct TypedLaunch;

template <class... Parameters>
struct TypedLaunch<void (*)(Parameters...)> {
  static void run(Gpu& gpu, int kernel, const Launch& shape, Parameters... arguments) {
    if (gpu.graphs().gathering()) return gather(gpu, kernel, shape, arguments...);
    void* pointers[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
    gpu.launch(kernel, shape, pointers);
  }

  static void gather(Gpu& gpu, int kernel, const Launch& shape, const Parameters&... arguments) {
    constexpr size_t kWords = (size_t(0) + ... + (1 + words_for(sizeof(Parameters))));
    uint64_t tail[kWords] = {};
    size_t at = 0;
    const auto put = [&](const auto& argument) {
      const size_t words = words_for(sizeof argument);
      tail[at] = words;
      put_bytes(tail + at + 1, argument);
      at += 1 + words;
    };
    (put(arguments), ...);
    gpu.push(LaunchOperation{kernel, int32_t(sizeof...(Parameters)), shape}, tail, kWords);
  }
};

}  // namespace deep_rnn::cuda

// Pushes `kernel` on the stream.
#define DEEP_RNN_LAUNCH(gpu, shape, kernel, ...)                                                          \
  do {                                                                                                    \
    static const int number = deep_rnn::cuda::kernel_number(#kernel);                                     \
    deep_rnn::cuda::TypedLaunch<decltype(&deep_rnn::cuda::kernel)>::run(gpu, number, shape, __VA_ARGS__); \
  } while (false)

// The kernel of a floating type, of any type, and the one that moves elements of this size.
#define DEEP_RNN_LAUNCH_FLOATING(gpu, shape, dtype, kernel, ...)  \
  do {                                                            \
    if ((dtype) == deep_rnn::DType::float64) {                    \
      DEEP_RNN_LAUNCH(gpu, shape, kernel##_float64, __VA_ARGS__); \
    } else {                                                      \
      DEEP_RNN_LAUNCH(gpu, shape, kernel##_float32, __VA_ARGS__); \
    }                                                             \
  } while (false)
#define DEEP_RNN_LAUNCH_NUMERIC(gpu, shape, dtype, kernel, ...)         \
  do {                                                                  \
    if ((dtype) == deep_rnn::DType::int32) {                            \
      DEEP_RNN_LAUNCH(gpu, shape, kernel##_int32, __VA_ARGS__);         \
    } else {                                                            \
      DEEP_RNN_LAUNCH_FLOATING(gpu, shape, dtype, kernel, __VA_ARGS__); \
    }                                                                   \
  } while (false)
#define DEEP_RNN_LAUNCH_BITS(gpu, shape, dtype, kernel, ...)     \
  do {                                                           \
    if (deep_rnn::size_of(dtype) == 8) {                         \
      DEEP_RNN_LAUNCH(gpu, shape, kernel##_bits64, __VA_ARGS__); \
    } else {                                                     \
      DEEP_RNN_LAUNCH(gpu, shape, kernel##_bits32, __VA_ARGS__); \
    }                                                            \
  } while (false)
