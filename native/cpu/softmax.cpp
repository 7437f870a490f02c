#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

namespace {

// Elements of a row cost about as much as eight additions.
constexpr int64_t kCost = 8;

// Calls body(offset in bytes) for every row.
template <class Body>
void for_rows(const Context& context, const SoftmaxDesc& desc, const Body& body) {
  if (desc.columns <= 0) return;
  const int64_t row_bytes = desc.columns * int64_t(size_of(desc.dtype));
  parallel_for(context.team, desc.rows, grain_of(desc.columns * kCost), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) body(row * row_bytes);
  });
}

const char* operation(const SoftmaxDesc& desc) { return desc.log ? "log softmax" : "softmax"; }

}  // namespace

void softmax(const Context& context, const SoftmaxDesc& desc, const void* x, void* y) {
  expect_floating(operation(desc), desc.dtype);
  const auto plain = context.kernels.softmax_row[int(desc.dtype)];
  const auto log = context.kernels.log_softmax_row[int(desc.dtype)];
  for_rows(context, desc, [=](int64_t offset) {
    const char* from = static_cast<const char*>(x) + offset;
    char* to = static_cast<char*>(y) + offset;
    if (desc.log)
      log(desc.columns, from, to);
    else
      plain(desc.columns, from, to);
  });
}

void softmax_backward(const Context& context, const SoftmaxDesc& desc, const void* y, const void* dy, void* dx) {
  expect_floating(operation(desc), desc.dtype);
  const auto kernel =
      (desc.log ? context.kernels.log_softmax_backward_row : context.kernels.softmax_backward_row)[int(desc.dtype)];
  for_rows(context, desc, [=](int64_t offset) {
    kernel(desc.columns, static_cast<const char*>(y) + offset, static_cast<const char*>(dy) + offset,
           static_cast<char*>(dx) + offset);
  });
}

}  // namespace deep_rnn::cpu
