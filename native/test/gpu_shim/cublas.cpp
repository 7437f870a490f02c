// cuBLAS: products of column-major matrices with sums in double.
#include <cublas_v2.h>

#include <algorithm>

#include "gpu_shim/device.h"
#include "gpu_shim/half.h"

using namespace deep_rnn::gpu_shim;

struct cublasContext {
  CUstream stream = nullptr;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
};

namespace {

template <class E, class Operand>
cublasStatus_t gemm(const char* call, cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                    int k, const E* alpha, const Operand* a, int lda, long long stride_a, const Operand* b, int ldb,
                    long long stride_b, const E* beta, E* c, int ldc, long long stride_c, int batch) {
  const Entry entered(call);
  const bool ta = op_a != CUBLAS_OP_N, tb = op_b != CUBLAS_OP_N;
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (m < 0 || n < 0 || k < 0 || batch < 0 || lda < std::max(1, ta ? k : m) || ldb < std::max(1, tb ? n : k) ||
      ldc < std::max(1, m))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  demand(handle->workspace || !is_capturing(), call,
         "without cublasSetWorkspace this allocates, which a capture does not allow");
  if (handle->workspace) Memory::all().check(handle->workspace, handle->workspace_bytes, call, "the workspace");
  const auto check = [&](const auto* data, int rows, int columns, int leading, long long stride, const char* name) {
    if (rows == 0 || columns == 0) return;
    const long long matrix = (long long)(columns - 1) * leading + rows;
    Memory::all().check(data, size_t((batch - 1) * stride + matrix) * sizeof *data, call, name);
  };
  check(a, ta ? k : m, ta ? m : k, lda, stride_a, "A");
  check(b, tb ? n : k, tb ? k : n, ldb, stride_b, "B");
  check(c, m, n, ldc, stride_c, "C");
  push(handle->stream, call, [=, alpha = double(*alpha), beta = double(*beta)] {
    // Without columns to add up, a and b need not be anywhere.
    const Operand *host_a = k > 0 ? host(a) : nullptr, *host_b = k > 0 ? host(b) : nullptr;
    E* host_c = host(c);
    for (int one = 0; one < batch; one++) {
      const Operand *from_a = host_a + one * stride_a, *from_b = host_b + one * stride_b;
      E* to = host_c + one * stride_c;
      for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
          double sum = 0;
          const Operand* row = ta ? from_a + size_t(i) * lda : from_a + i;
          const Operand* column = tb ? from_b + j : from_b + size_t(j) * ldb;
          const size_t step_a = ta ? 1 : size_t(lda), step_b = tb ? size_t(ldb) : 1;
          for (int l = 0; l < k; l++) sum += double(row[l * step_a]) * double(column[l * step_b]);
          E& result = to[i + size_t(j) * ldc];
          result = E(alpha * sum + (beta == 0 ? 0 : beta * double(result)));
        }
    }
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  if (!is_context_current()) return CUBLAS_STATUS_NOT_INITIALIZED;
  forbid_capture(__func__);
  *handle = new cublasContext;
  note_object("cuBLAS handles", 1);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  note_object("cuBLAS handles", -1);
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetVersion(cublasHandle_t, int* version) {
  *version = CUBLAS_VERSION;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  forbid_capture(__func__);
  // The workspace is cuBLAS's own again.
  *handle = {stream, nullptr, 0};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, size_t bytes) {
  const std::lock_guard<std::recursive_mutex> entered(everything());
  forbid_capture(__func__);
  if (uintptr_t(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  Memory::all().check(workspace, bytes, __func__, "the workspace");
  handle->workspace = workspace;
  handle->workspace_bytes = bytes;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                                         int k, const float* alpha, const float* a, int lda, long long stride_a, const float* b,
                                         int ldb, long long stride_b, const float* beta, float* c, int ldc, long long stride_c,
                                         int batch) {
  return gemm(__func__, handle, op_a, op_b, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc, stride_c, batch);
}
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                                         int k, const double* alpha, const double* a, int lda, long long stride_a,
                                         const double* b, int ldb, long long stride_b, const double* beta, double* c, int ldc,
                                         long long stride_c, int batch) {
  return gemm(__func__, handle, op_a, op_b, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc, stride_c, batch);
}
cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int64_t m, int64_t n,
                               int64_t k, const void* alpha, const void* a, cudaDataType type_a, int64_t lda, const void* b,
                               cudaDataType type_b, int64_t ldb, const void* beta, void* c, cudaDataType type_c, int64_t ldc,
                               cublasComputeType_t compute, cublasGemmAlgo_t) {
  const bool sums_in_float = compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  if (type_a != type_b || type_c != CUDA_R_32F || !sums_in_float) return CUBLAS_STATUS_NOT_SUPPORTED;
  const char* call = __func__;
  const auto* one = static_cast<const float*>(alpha);
  const auto* zero = static_cast<const float*>(beta);
  const auto run = [&](const auto* left, const auto* right) {
    return gemm(call, handle, op_a, op_b, int(m), int(n), int(k), one, left, int(lda), 0, right, int(ldb), 0, zero,
                static_cast<float*>(c), int(ldc), 0, 1);
  };
  if (type_a == CUDA_R_32F) return run(static_cast<const float*>(a), static_cast<const float*>(b));
  if (type_a == CUDA_R_16BF) return run(static_cast<const BFloat16*>(a), static_cast<const BFloat16*>(b));
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

}  // extern "C"
