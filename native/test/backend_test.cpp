// The CPU backend through its contract alone; the primitives and the recurrent stack have tests of their own.
#include "core/backend.h"

#include <cstdint>
#include <vector>

#include "check.h"
#include "cpu/kernels.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

int main() {
  const std::unique_ptr<Backend> backend = make_cpu_backend(2);
  CHECK_EQUAL(backend->threads(), 2);
  CHECK_EQUAL(backend->describe(), std::string("CPU, ") + cpu::kernels().name + ", 2 threads");
  CHECK(make_cpu_backend(0)->threads() >= 1);
  CHECK_CONTAINS(message_of([] { make_cpu_backend(100000); }), "Expected 0..1024 for threads but received 100000");

  for (const size_t bytes : {size_t(0), size_t(1), size_t(4096)}) {
    void* memory = backend->allocate(bytes);
    CHECK(memory != nullptr && reinterpret_cast<uintptr_t>(memory) % 64 == 0);
    backend->release(memory, bytes);
  }
  // Upload, compute in place, download.
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  void* device = backend->allocate(sizeof(float) * x.size());
  backend->upload(device, x.data(), sizeof(float) * x.size());
  backend->unary(UnaryOp::multiply_scalar, DType::float32, 6, 2, device, device);
  std::vector<float> y(6);
  backend->synchronize();
  backend->download(y.data(), device, sizeof(float) * y.size());
  CHECK(y == (std::vector<float>{2, 4, 6, 8, 10, 12}));
  backend->release(device, sizeof(float) * x.size());

  // [2,3] · [3,1], straight from host memory, which is this backend's own.
  const MatmulDesc product = {DType::float32, 1, 2, 1, 3, false, false, false, 3, 1, 1, 0, 0, 0};
  const std::vector<float> b = {1, 10, 100};
  std::vector<float> c(2);
  backend->matmul(product, x.data(), b.data(), c.data());
  CHECK(c == (std::vector<float>{321, 654}));

  RnnDesc rnn;
  rnn.input_size = 3;
  rnn.hidden_size = 4;
  CHECK_EQUAL(backend->supports(rnn), "");
  CHECK(backend->rnn_param_layout(rnn).count >= 4 * 4 * (3 + 4 + 2));
}
