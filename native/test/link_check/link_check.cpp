// Links all functions of cuBLAS and cuDNN in the table against NVIDIA's own libraries: a name that they lack stays undefined.
#include <cstdio>

#include "cuda/api.h"

int main() {
#define DEEP_RNN_ADDRESS(name) reinterpret_cast<const void*>(&::name),
  // Volatile, so that each address is asked for.
  const void* const volatile table[] = {DEEP_RNN_CUBLAS_API(DEEP_RNN_ADDRESS) DEEP_RNN_CUDNN_API(DEEP_RNN_ADDRESS)};
  int cublas = 0;
  // Neither version needs a GPU.
  const bool answers = cublasGetVersion(nullptr, &cublas) == CUBLAS_STATUS_SUCCESS && cudnnGetVersion() > 0;
  std::printf("%zu functions linked against cuBLAS %d and cuDNN %zu\n", sizeof table / sizeof *table, cublas,
              cudnnGetVersion());
  return answers ? 0 : 1;
}
