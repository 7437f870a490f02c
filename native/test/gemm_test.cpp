// matmul against plain double loops: odd shapes, all transposes, leading dimensions, batches; the same bits for 1 to 4 threads.
#include <memory>
#include <vector>

#include "cpu/gemm.h"
#include "primitives.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

struct Shape {
  int64_t batch, m, n, k;
};

const std::vector<Shape> kShapes = {
    {1, 1, 1, 1},     {1, 1, 28, 256},  {1, 3, 65, 33},    {1, 5, 7, 3},     {1, 14, 32, 64},  {1, 15, 33, 65},
    {1, 40, 1, 77},   {1, 90, 4, 31},   {1, 16, 100, 9},   {1, 17, 96, 9},   {1, 70, 70, 130}, {1, 200, 31, 64},
    {1, 0, 3, 4},     {1, 3, 0, 4},     {1, 3, 40, 0},     {1, 2, 40, 0},    {3, 5, 37, 8},    {4, 1, 40, 33},
    {5, 33, 2, 17},   {0, 4, 4, 4},     {1, 1, 900, 700},  {1, 700, 1, 900}, {1, 90, 70, 150}, {1, 15, 33, 2100},
    {24, 20, 33, 40}, {2, 97, 64, 130}, {1, 260, 170, 20},
};

struct Problem {
  Problem(const Shape& shape, int options) {
    const bool padded = options & 8;
    const int64_t pad = padded ? 3 : 0;
    desc.batch = shape.batch;
    desc.m = shape.m;
    desc.n = shape.n;
    desc.k = shape.k;
    desc.transpose_a = options & 1;
    desc.transpose_b = options & 2;
    desc.accumulate = options & 4;
    desc.lda = (desc.transpose_a ? shape.m : shape.k) + pad;
    desc.ldb = (desc.transpose_b ? shape.k : shape.n) + pad;
    desc.ldc = shape.n + pad;
    desc.batch_stride_a = desc.lda * (desc.transpose_a ? shape.k : shape.m);
    // Padded cases also share the right operand.
    desc.batch_stride_b = padded ? 0 : desc.ldb * (desc.transpose_b ? shape.n : shape.k);
    desc.batch_stride_c = desc.ldc * shape.m;
    a = random_values<double>(desc.batch_stride_a * shape.batch, -1, 1, 1);
    b = random_values<double>(desc.ldb * (desc.transpose_b ? shape.n : shape.k) * std::max<int64_t>(shape.batch, 1), -1, 1, 2);
    before = random_values<double>(desc.batch_stride_c * shape.batch, -1, 1, 3);
    name = "matmul " + std::to_string(shape.batch) + "x" + std::to_string(shape.m) + "x" + std::to_string(shape.n) + "x" +
           std::to_string(shape.k) + " options " + std::to_string(options);
  }

  MatmulDesc desc{};
  std::vector<double> a, b, before;
  std::string name;
};

template <class E>
void test_matmul(std::vector<std::unique_ptr<cpu::Team>>& teams, Problem& problem) {
  MatmulDesc& desc = problem.desc;
  desc.dtype = dtype_of<E>();
  const std::vector<E> a(problem.a.begin(), problem.a.end()), b(problem.b.begin(), problem.b.end());
  const std::vector<E> before(problem.before.begin(), problem.before.end());
  std::vector<double> expected(before.begin(), before.end()), sizes(before.size(), 1.0);
  for (int64_t i = 0; i < desc.batch; i++) {
    for (int64_t row = 0; row < desc.m; row++) {
      for (int64_t column = 0; column < desc.n; column++) {
        const E* x = a.data() + i * desc.batch_stride_a + row * (desc.transpose_a ? 1 : desc.lda);
        const E* y = b.data() + i * desc.batch_stride_b + column * (desc.transpose_b ? desc.ldb : 1);
        const int64_t x_step = desc.transpose_a ? desc.lda : 1, y_step = desc.transpose_b ? 1 : desc.ldb;
        const size_t at = size_t(i * desc.batch_stride_c + row * desc.ldc + column);
        double sum = desc.accumulate ? expected[at] : 0, size = 1;
        for (int64_t k = 0; k < desc.k; k++) {
          const double term = double(x[k * x_step]) * double(y[k * y_step]);
          sum += term;
          size += std::fabs(term);
        }
        expected[at] = sum;
        sizes[at] = size;
      }
    }
  }
  for (const cpu::KernelSet* kernels : cpu::available_kernels()) {
    std::vector<E> alone;
    for (const std::unique_ptr<cpu::Team>& team : teams) {
      cpu::Workspace workspace;
      std::vector<E> c = before;
      cpu::matmul(*team, workspace, *kernels, desc, a.data(), b.data(), c.data());
      const std::string what = std::string(kernels->name) + " " + problem.name;
      if (alone.empty()) {
        alone = c;
        for (size_t at = 0; at < c.size(); at++)
          check_close(double(c[at]), expected[at], (sizeof(E) == 4 ? 3e-7 : 1e-15) * sizes[at], what);
      }
      check(c == alone, what + ": " + std::to_string(team->size()) + " threads change the result");
    }
  }
}

}  // namespace

int main() {
  std::vector<std::unique_ptr<cpu::Team>> teams;
  for (int threads = 1; threads <= 4; threads++) teams.push_back(std::make_unique<cpu::Team>(threads));
  for (const Shape& shape : kShapes) {
    for (int options = 0; options < 16; options++) {
      Problem problem(shape, options);
      test_matmul<float>(teams, problem);
      test_matmul<double>(teams, problem);
    }
  }
}
