#include "cuda/fatbin.h"

// The assembler copies the file in; DEEP_RNN_FATBIN is its path.
extern "C" const unsigned char deep_rnn_fatbin[];
__asm__(
    ".pushsection .rodata\n"
    ".balign 64\n"
    ".hidden deep_rnn_fatbin\n"
    ".globl deep_rnn_fatbin\n"
    "deep_rnn_fatbin:\n"
    ".incbin \"" DEEP_RNN_FATBIN
    "\"\n"
    ".byte 0\n"
    ".popsection\n");

namespace deep_rnn::cuda {

const void* fatbin() { return deep_rnn_fatbin; }

// The words before the list are what tests look for in a stripped binary.
const char* fatbin_targets() {
  static constexpr char kText[] = "deep-rnn kernels: " DEEP_RNN_KERNEL_TARGETS;
  return kText + sizeof "deep-rnn kernels: " - 1;
}

}  // namespace deep_rnn::cuda
