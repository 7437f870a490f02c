// Products through cuBLAS, whose matrices are column-major: C' = B' A' reads the same memory as C = A B.
#include <algorithm>
#include <climits>

#include "core/error.h"
#include "cuda/dtypes.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

namespace {

int checked(int64_t size, const char* name) {
  if (size > INT_MAX)
    throw Error("cuBLAS takes sizes up to " + std::to_string(INT_MAX) + " but " + name + " is " + std::to_string(size));
  return int(size);
}

struct ProductOperation {
  const void *a, *b;
  void* c;
  int64_t stride_a, stride_b, stride_c;
  int32_t m, n, k, lda, ldb, ldc, batch;
  cublasOperation_t op_a, op_b;
  int32_t accumulate;
  DType dtype;
  int32_t unused;  // fills the last word

  template <class E, class Gemm>
  cublasStatus_t call(const Gpu& gpu, Gemm gemm) const {
    const E one = 1, beta = accumulate ? 1 : 0;
    return gemm(gpu.cublas(), op_b, op_a, n, m, k, &one, static_cast<const E*>(b), ldb, stride_b, static_cast<const E*>(a), lda,
                stride_a, &beta, static_cast<E*>(c), ldc, stride_c, batch);
  }
  void issue(Gpu& gpu, const uint64_t*) const {
    const Api& api = gpu.api();
    if (dtype == DType::float64) {
      api.check(call<double>(gpu, api.cublasDgemmStridedBatched), "cublasDgemmStridedBatched");
    } else {
      api.check(call<float>(gpu, api.cublasSgemmStridedBatched), "cublasSgemmStridedBatched");
    }
  }
};

}  // namespace

void matmul(Gpu& gpu, const MatmulDesc& desc, const void* a, const void* b, void* c) {
  expect_floating("matmul", desc.dtype);
  if (desc.batch == 0 || desc.m == 0 || desc.n == 0) return;
  const int m = checked(desc.m, "m"), n = checked(desc.n, "n"), k = checked(desc.k, "k"), batch = checked(desc.batch, "batch");
  // cuBLAS wants at least 1 even where there are no columns.
  const int lda = checked(std::max<int64_t>(desc.lda, 1), "lda"), ldb = checked(std::max<int64_t>(desc.ldb, 1), "ldb");
  const int ldc = checked(desc.ldc, "ldc");
  const cublasOperation_t op_a = desc.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t op_b = desc.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  gpu.push(ProductOperation{a, b, c, desc.batch_stride_a, desc.batch_stride_b, desc.batch_stride_c, m, n, k, lda, ldb, ldc,
                            batch, op_a, op_b, int32_t(desc.accumulate), desc.dtype, 0});
}

}  // namespace deep_rnn::cuda
