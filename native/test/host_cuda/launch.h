// Runs the CUDA kernels on the host, one block after another, each thread of a block a fiber: barriers, shuffles and votes
// are real meetings of the threads, and the order in which warps come to them can be chosen. What CUDA leaves undefined (a
// barrier that some threads never reach, a shuffle of an incomplete warp) throws here.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace deep_rnn::host_cuda {

// A program that CUDA gives no meaning to.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Order { forward, reverse, round_robin, shuffled };

// In which order blocks, warps and lanes run where CUDA promises none.
struct Schedule {
  Order order = Order::forward;
  uint64_t seed = 1;              // of shuffled
  const char* without = nullptr;  // a place of places(): its barrier is left out, to see whether anybody notices
};

struct Size {
  unsigned x = 1, y = 1, z = 1;
};

struct Parameter {
  size_t bytes;
  std::vector<size_t> addresses;  // at which of its bytes addresses of device memory stand
};

struct Kernel {
  const char* name;
  std::vector<Parameter> parameters;
  void (*call)(void** arguments);  // as cuLaunchKernel takes them: the address of each
};

// Of native/cuda/kernels/kernel_list.h, in its order.
const std::vector<Kernel>& kernels();

// Null when there is none of that name.
const Kernel* find(const std::string& name);

// The barriers of blocks that any launch has come to, as file:line. Those of warps are not among them: between shuffles, which
// are meetings here, they only order memory, and a host's memory is in order.
std::vector<std::string> places();

// Any thread may call it; launches wait for each other. Throws Violation.
void launch(const Kernel& kernel, Size grid, Size block, void** arguments, const Schedule& schedule = {});

}  // namespace deep_rnn::host_cuda
