#include "cuda/capture.h"

namespace deep_rnn::cuda {

CUgraphExec capture(Gpu& gpu, const std::function<void()>& push, std::string* refusal) {
  const Api& api = gpu.api();
  std::string words;
  const auto attempt = [&](const auto& work) {
    try {
      work();
    } catch (const std::exception& failure) {
      // What a refusal leads to is not told.
      if (words.empty()) words = failure.what();
    }
  };
  DEEP_RNN_CALL(api, cuStreamBeginCapture, gpu.stream(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  attempt(push);
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  attempt([&] { DEEP_RNN_CALL(api, cuStreamEndCapture, gpu.stream(), &graph); });
  if (words.empty()) attempt([&] { DEEP_RNN_CALL(api, cuGraphInstantiate, &executable, graph, 0); });
  if (!words.empty()) executable = nullptr;
  if (graph) api.cuGraphDestroy(graph);
  if (refusal) *refusal = words;
  return executable;
}

}  // namespace deep_rnn::cuda
