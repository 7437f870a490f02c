#include "cuda/probes.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "core/error.h"

namespace deep_rnn {

namespace {

const std::vector<cuda::ProbeCode>& all_probes() {
  static const std::vector<cuda::ProbeCode> all = [] {
    std::vector<cuda::ProbeCode> list = cuda::weight_probes();
    for (const auto& more : {cuda::pass_probes(), cuda::limit_probes(), cuda::graph_probes()})
      list.insert(list.end(), more.begin(), more.end());
    return list;
  }();
  return all;
}

}  // namespace

std::vector<Probe> cuda_probes() {
  std::vector<Probe> probes;
  for (const cuda::ProbeCode& code : all_probes()) probes.push_back(code.probe);
  return probes;
}

Verdict cuda_probe(size_t probe, bool quick) {
  if (probe >= all_probes().size()) throw Error("Expected the index of a probe");
  cuda::Gpu gpu;
  const Verdict verdict = all_probes()[probe].ask(gpu, quick);
  gpu.synchronize();
  return verdict;
}

}  // namespace deep_rnn

namespace deep_rnn::cuda {

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (size_t i = 0; i < a.size(); i++) {
    const double difference = std::abs(a[i] - b[i]);
    if (!(difference <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::infinity();
    most = std::max(most, difference);
  }
  return most;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", value);
  return text;
}

PassResults results_of(BareStack& stack) {
  const bool has_cell = stack.config.cell == CUDNN_LSTM;
  const auto of_cell = [&](const BareArray& array) { return has_cell ? stack.read(array) : std::vector<double>(); };
  return {stack.read(stack.y),   stack.read(stack.hy), of_cell(stack.cy),         stack.read(stack.dx),
          stack.read(stack.dhx), of_cell(stack.dcx),   stack.read(stack.dweights)};
}

PassResults run_pass(BareStack& stack, bool states) {
  stack.step(states);
  return results_of(stack);
}

double distance(const PassResults& a, const PassResults& b) {
  double most = 0;
  for (const auto results : {&PassResults::y, &PassResults::hy, &PassResults::cy, &PassResults::dx, &PassResults::dhx,
                             &PassResults::dcx, &PassResults::dweights})
    most = std::max(most, distance(a.*results, b.*results));
  return most;
}

}  // namespace deep_rnn::cuda
