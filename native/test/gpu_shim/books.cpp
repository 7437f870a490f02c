#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "gpu_shim/device.h"

namespace deep_rnn::gpu_shim {

namespace {

struct Count {
  uint64_t calls = 0, bytes = 0;
};

struct Books {
  std::map<std::string, Count> calls;
  std::map<std::string, int64_t> living;
};

Books& books() {
  static Books& one = *new Books;
  return one;
}

// {"cuStreamSynchronize":{"calls":3,"bytes":0}, ...}
void write_calls() {
  const std::lock_guard<std::recursive_mutex> entered(everything());
  std::FILE* file = std::fopen(std::getenv("DEEP_RNN_SHIM_CALLS"), "w");
  if (!file) violation("DEEP_RNN_SHIM_CALLS names a file that cannot be written");
  const char* before = "{";
  for (const auto& [call, count] : books().calls) {
    std::fprintf(file, "%s\"%s\":{\"calls\":%llu,\"bytes\":%llu}", before, call.c_str(),
                 static_cast<unsigned long long>(count.calls), static_cast<unsigned long long>(count.bytes));
    before = ",\n";
  }
  std::fprintf(file, "%s}\n", *before == '{' ? "{" : "");
  std::fclose(file);
}

}  // namespace

void note_call(const std::string& call, size_t bytes) {
  static const bool wanted = [] {
    const char* file = std::getenv("DEEP_RNN_SHIM_CALLS");
    return file && *file && std::atexit(write_calls) == 0;
  }();
  if (!wanted) return;
  Count& count = books().calls[call];
  count.calls++;
  count.bytes += bytes;
}

void note_object(const char* kind, int change) {
  const std::lock_guard<std::recursive_mutex> entered(everything());
  int64_t& living = books().living[kind];
  living += change;
  demand(living >= 0, kind, "more were given back than made");
}

void demand_nothing_left(const char* call) {
  std::string left;
  for (const auto& [kind, living] : books().living)
    if (living > 0) left += (left.empty() ? "" : ", ") + std::to_string(living) + " " + kind;
  demand(left.empty(), call, "never given back: " + left);
}

}  // namespace deep_rnn::gpu_shim
