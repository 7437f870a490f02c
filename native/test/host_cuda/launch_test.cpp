// The host build itself: small kernels with the mistakes that it must find.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <memory>

#include "check.h"
#include "host_cuda/device.h"
#include "host_cuda/launch.h"

using namespace deep_rnn;
using namespace deep_rnn::test;
using host_cuda::Kernel;
using host_cuda::Order;
using host_cuda::Schedule;

namespace {

float* output = nullptr;
int count = 0;

constexpr unsigned kAll = ~0u;

unsigned lane() { return threadIdx.x % 32; }

// 1 + 2 + ... + 64 by every thread of two warps.
void good(void**) {
  DEEP_RNN_SHARED(float, parts, 2);
  float sum = float(threadIdx.x + 1);
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(kAll, sum, distance);
  if (lane() == 0) parts[threadIdx.x / 32] = sum;
  __syncthreads();
  output[threadIdx.x] = parts[0] + parts[1];
}

void without_barrier(void**) {
  DEEP_RNN_SHARED(float, parts, 2);
  if (lane() == 0) parts[threadIdx.x / 32] = float(threadIdx.x + 1);
  output[threadIdx.x] = parts[0] + parts[1];
}

void barrier_after_exit(void**) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
}

void divergent_barriers(void**) {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
}

void partial_shuffle(void**) {
  if (lane() < 20) output[threadIdx.x] = __shfl_xor_sync(kAll, 1.f, 1);
}

void narrow_mask(void**) { output[threadIdx.x] = __shfl_xor_sync(0xffffu, 1.f, 1); }

void never_written(void**) {
  DEEP_RNN_SHARED(float, parts, 2);
  output[threadIdx.x] = parts[0];
}

// Blocks that add to the same place in the order in which they happen to run.
void between_blocks(void**) { output[0] = output[0] / 3 + float(blockIdx.x); }

void too_much_shared(void**) {
  DEEP_RNN_SHARED(float, parts, 20000);
  parts[threadIdx.x] = 0;
}

[[maybe_unused]] void beyond(void**) {
  if (int(threadIdx.x) <= count) output[threadIdx.x] = 1;
}

const std::vector<Schedule>& schedules() {
  static const std::vector<Schedule> all = {
      {Order::forward}, {Order::reverse}, {Order::round_robin}, {Order::shuffled, 1}, {Order::shuffled, 2}};
  return all;
}

std::vector<float> run(const char* name, void (*body)(void**), const Schedule& schedule, host_cuda::Size grid = {},
                       host_cuda::Size block = {64}) {
  std::vector<float> values(64, 1);
  output = values.data();
  host_cuda::launch(Kernel{name, {}, body}, grid, block, nullptr, schedule);
  return values;
}

bool depends_on_order(const char* name, void (*body)(void**), host_cuda::Size grid = {}) {
  const std::vector<float> first = run(name, body, schedules()[0], grid);
  for (const Schedule& schedule : schedules())
    if (std::memcmp(run(name, body, schedule, grid).data(), first.data(), first.size() * sizeof(float)) != 0) return true;
  return false;
}

void expect_violation(const char* name, void (*body)(void**), const char* part, host_cuda::Size grid = {},
                      host_cuda::Size block = {64}) {
  for (const Schedule& schedule : schedules()) {
    const std::string message = message_of([&] { run(name, body, schedule, grid, block); });
    CHECK_CONTAINS(message, name);
    CHECK_CONTAINS(message, part);
  }
}

}  // namespace

int main() {
  CHECK(!depends_on_order("good", good));
  for (float value : run("good", good, schedules()[3])) CHECK_EQUAL(value, 2080.f);
  CHECK(depends_on_order("without_barrier", without_barrier));
  CHECK(depends_on_order("between_blocks", between_blocks, {5}));
  CHECK(std::isnan(run("never_written", never_written, schedules()[0])[0]));
  expect_violation("barrier_after_exit", barrier_after_exit, "has ended");
  expect_violation("divergent_barriers", divergent_barriers, "waits for the block at launch_test.cpp");
  expect_violation("partial_shuffle", partial_shuffle, "has ended");
  expect_violation("narrow_mask", narrow_mask, "mask that leaves lanes out");
  expect_violation("too_much_shared", too_much_shared, "80000 bytes of shared memory");
  expect_violation("partial_warp", good, "Expected whole warps", {}, {48});
  expect_violation("empty_grid", good, "Expected a grid", {0});
  // Abandoned fibers leave nothing behind.
  CHECK(!depends_on_order("good", good));
  for (const Kernel& kernel : host_cuda::kernels()) CHECK(host_cuda::find(kernel.name) == &kernel);
  CHECK(host_cuda::find("nothing") == nullptr);
#if defined(__SANITIZE_ADDRESS__)
  // An element too many is AddressSanitizer's to find, which ends the process.
  const pid_t child = fork();
  if (child == 0) {
    if (!std::freopen("/dev/null", "w", stderr)) std::_Exit(0);
    std::unique_ptr<float[]> few(new float[40]);
    output = few.get();
    count = 40;
    host_cuda::launch(Kernel{"beyond", {}, beyond}, {}, {64}, nullptr);
    std::_Exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
#endif
}
