// What doctor, verify-gpu and bench ask: which sources this was built from, and questions to the CUDA backend.
#include <cstring>

#include "addon/bindings.h"
#include "addon/rnn_arguments.h"
#include "core/cuda_diagnostics.h"
#include "source_hash.h"

namespace deep_rnn::addon {

namespace {

Napi::Value source_hash(Environment&, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "sourceHash", 0);
  return Napi::String::New(info.Env(), DEEP_RNN_SOURCE_HASH);
}

Napi::Value cuda_report(Environment&, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "cudaReport", 0);
  return Napi::String::New(info.Env(), deep_rnn::cuda_report());
}

Napi::Value cuda_kernels(Environment&, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "cudaKernels", 0);
  std::string lines;
  for (const KernelUse& use : deep_rnn::cuda_kernels()) lines += use.name + (use.launched ? "\t1\n" : "\t0\n");
  return Napi::String::New(info.Env(), lines);
}

Napi::Value cuda_probes(Environment&, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "cudaProbes", 0);
  std::string lines;
  for (const Probe& probe : deep_rnn::cuda_probes())
    lines += std::string(probe.name) + (probe.relied_on ? "\t1\t" : "\t0\t") + probe.claim + "\n";
  return Napi::String::New(info.Env(), lines);
}

Napi::Value cuda_probe(Environment&, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "cudaProbe", 2);
  const int64_t last = int64_t(deep_rnn::cuda_probes().size()) - 1;
  const Verdict verdict = deep_rnn::cuda_probe(size_t(arguments.integer(0, "probe", 0, last)), arguments.boolean(1, "quick"));
  const char* word = verdict.left_out ? "LEFT OUT" : verdict.confirmed ? "CONFIRMED" : "REFUTED";
  return Napi::String::New(info.Env(), std::string(word) + "\t" + verdict.evidence);
}

Napi::Value cuda_bare_loop(Environment&, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "cudaBareLoop", 5);
  BareLoop loop;
  loop.rnn = rnn_desc(arguments.numbers(0, "numbers", 13));
  loop.algorithm = int(arguments.integer(1, "algorithm", 0, 3));
  loop.steps = arguments.integer(2, "steps", 1, kMaxSize);
  loop.batch = arguments.integer(3, "batch", 1, kMaxSize);
  loop.rounds = int(arguments.integer(4, "rounds", 1, 100000));
  check_extent(loop.rnn, loop.steps, loop.batch, "cudaBareLoop");
  const BareTimes times = deep_rnn::cuda_bare_loop(loop);
  const double numbers[] = {times.forward, times.backward_data, times.backward_weights, times.step,
                            times.wall,    times.workspace,     times.reserve};
  auto result = Napi::Float64Array::New(info.Env(), sizeof(numbers) / sizeof(*numbers));
  std::memcpy(result.Data(), numbers, sizeof(numbers));
  return result;
}

}  // namespace

void define_diagnostic_bindings(Napi::Object exports) {
  define<source_hash>(exports, "sourceHash");
  define<cuda_report>(exports, "cudaReport");
  define<cuda_kernels>(exports, "cudaKernels");
  define<cuda_probes>(exports, "cudaProbes");
  define<cuda_probe>(exports, "cudaProbe");
  define<cuda_bare_loop>(exports, "cudaBareLoop");
}

}  // namespace deep_rnn::addon
