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
  if (desc.dtype == DType::float64) {
    const double one = 1, beta = desc.accumulate ? 1 : 0;
    DEEP_RNN_CALL(gpu.api(), cublasDgemmStridedBatched, gpu.cublas(), op_b, op_a, n, m, k, &one, static_cast<const double*>(b),
                  ldb, desc.batch_stride_b, static_cast<const double*>(a), lda, desc.batch_stride_a, &beta,
                  static_cast<double*>(c), ldc, desc.batch_stride_c, batch);
  } else {
    const float one = 1, beta = desc.accumulate ? 1 : 0;
    DEEP_RNN_CALL(gpu.api(), cublasSgemmStridedBatched, gpu.cublas(), op_b, op_a, n, m, k, &one, static_cast<const float*>(b),
                  ldb, desc.batch_stride_b, static_cast<const float*>(a), lda, desc.batch_stride_a, &beta,
                  static_cast<float*>(c), ldc, desc.batch_stride_c, batch);
  }
}

}  // namespace deep_rnn::cuda
