// Gathers, scatters, optimizers and sampling.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cpu/sampler.h"
#include "host_cuda/kernels.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

template <class E>
std::vector<E> scatter(const Launcher& launch, const GatherDesc& desc, const std::vector<E>& src,
                       const std::vector<int32_t>& index, std::vector<E> dst, const cuda::Fault& fault) {
  const cuda::ScatterPlan plan = cuda::plan_scatter(desc);
  const int32_t* entries = index.data();
  if (!plan.sorted) {
    launch("scatter_columns" + suffix<E>(), cuda::over_elements(desc.outer * desc.inner, kMultiprocessors), desc, entries,
           static_cast<const void*>(src.data()), static_cast<void*>(dst.data()), fault);
    return dst;
  }
  std::vector<uint64_t> workspace = fresh<uint64_t>(int64_t(plan.bytes / 8));
  char* memory = reinterpret_cast<char*>(workspace.data());
  const auto words = [&](size_t offset) { return reinterpret_cast<uint32_t*>(memory + offset); };
  const auto reading = [](const uint32_t* data) { return data; };
  launch("scatter_keys", cuda::over_elements(plan.rows, kMultiprocessors), desc, entries, words(plan.keys[0]),
         words(plan.sources[0]), fault);
  for (int pass = 0; pass < plan.passes; pass++) {
    const int from = pass % 2, to = 1 - from;
    const int32_t shift = pass * cuda::kDigitBits;
    launch("sort_count", plan.over_tiles, plan.rows, plan.tile, shift, reading(words(plan.keys[from])), words(plan.counts));
    launch("sort_offsets", cuda::Launch{1, 1, cuda::kScanThreads, 1}, plan.tiles << cuda::kDigitBits, words(plan.counts));
    launch("sort_move", plan.over_tiles, plan.rows, plan.tile, shift, reading(words(plan.keys[from])),
           reading(words(plan.sources[from])), reading(words(plan.counts)), words(plan.keys[to]), words(plan.sources[to]));
  }
  const uint32_t* keys = words(plan.keys[plan.passes % 2]);
  if (!std::is_sorted(keys, keys + plan.rows)) throw host_cuda::Violation("the sort does not sort");
  void* partial = memory + plan.partial;
  launch("scatter_pieces" + suffix<E>(), plan.over_pieces, plan.rows, plan.destinations, desc.inner, keys,
         reading(words(plan.sources[plan.passes % 2])), static_cast<const void*>(src.data()), static_cast<void*>(dst.data()),
         partial);
  launch("scatter_join" + suffix<E>(), plan.over_pieces, plan.rows, plan.destinations, desc.inner, keys,
         static_cast<const void*>(partial), static_cast<void*>(dst.data()));
  return dst;
}

template <class E>
void test_gather() {
  struct Shapes {
    int64_t outer, axis, count, inner;
    Axes strides;
  };
  const Shapes cases[] = {{1, 28, 333, 40, {0, 1, 0}},  // an embedding whose rows come again and again
                          {1, 700, 900, 3, {0, 1, 0}},  // two passes of the sort
                          {1, 3, 200, 1, {0, 1, 0}},    // runs over many pieces
                          {40, 28, 1, 1, {1, 0, 0}},    // one of each row
                          {3, 7, 20, 4, {20, 1, 0}},    // rows of several tables
                          {3, 7, 20, 4, {0, 1, 0}},     // the same rows of several tables
                          {2, 5, 6, 8, {48, 8, 1}}};    // every element its own index
  for (const Shapes& shapes : cases) {
    const std::string what = "gather " + std::to_string(&shapes - cases) + suffix<E>();
    const GatherDesc desc{dtype_of<E>(), shapes.outer, shapes.axis,
                          shapes.count,  shapes.inner, {shapes.strides[0], shapes.strides[1], shapes.strides[2]}};
    const int64_t table = desc.outer * desc.axis * desc.inner, rows = desc.outer * desc.count * desc.inner;
    const double reach = std::is_integral_v<E> ? 100 : 1;
    const std::vector<E> src = random_values<E>(table, -reach, reach, 1), grads = random_values<E>(rows, -reach, reach, 2);
    std::vector<int32_t> index = random_values<int32_t>(rows, 0, double(desc.axis), 3);
    std::vector<E> expected = fresh<E>(rows), expected_table = src;
    oracle().gather(desc, src.data(), index.data(), expected.data());
    oracle().scatter_add(desc, grads.data(), index.data(), expected_table.data());
    Reports reports;
    const auto gathered = [&](const Launcher& launch) {
      std::vector<E> dst = fresh<E>(rows);
      launch("gather" + bits_suffix<E>(), cuda::over_elements(rows, kMultiprocessors), desc,
             static_cast<const int32_t*>(index.data()), static_cast<const void*>(src.data()), static_cast<void*>(dst.data()),
             reports.fault());
      return dst;
    };
    const auto scattered = [&](const Launcher& launch) { return scatter(launch, desc, grads, index, src, reports.fault()); };
    expect_same(under_all_schedules(what, gathered), expected, what);
    const auto sums = under_all_schedules("scatter of " + what, scattered);
    if (std::is_integral_v<E>)
      expect_same(sums, expected_table, "scatter of " + what);
    else
      expect_close(sums, expected_table, std::is_same_v<E, float> ? 1e-5 : 1e-13, "scatter of " + what);
    check(reports.position() == -1, what + " reports nothing");

    // Wrong indices: the first is reported by its place among the stored ones, nothing is read or written outside.
    const size_t wrong = index.size() > 5 && desc.count > 5 ? 5 : 0;
    index[wrong] = -3;
    index[wrong + 1] = int32_t(desc.axis);
    for (int twice = 0; twice < 2; twice++) {
      if (twice == 0)
        under_all_schedules(what, gathered);
      else
        under_all_schedules(what, scattered);
      const int64_t stored = int64_t(wrong) * (desc.index_strides[2] == 1 ? 1 : desc.inner);
      check(reports.position() == stored && reports.value() == -3, what + " reports the first wrong index");
      reports = {};
    }
  }
}

template <class E>
void test_optimizers() {
  const char* names[] = {"sgd", "adam", "rmsprop", "adagrad"};
  const int64_t count = 333;
  for (int kind = 0; kind < int(OptimizerKind::count); kind++) {
    for (const double decay : {0.0, 0.01}) {
      for (const double beta2 : {0.0, 0.9}) {
        for (const bool flag : {false, true}) {
          for (const int64_t step : {1, 3}) {
            const OptimizerDesc desc{OptimizerKind(kind),    dtype_of<E>(), count, 0.1,  decay,
                                     kind == 3 ? 0.01 : 0.8, beta2,         1e-3,  step, flag};
            const std::vector<E> grads = random_values<E>(count, -1, 1, 1);
            // params and three states that could be squares, each in its place; unused ones must stay.
            std::vector<E> before = random_values<E>(4 * count, 0.5, 1, 2), expected = before;
            oracle().optimizer_step(desc, grads.data(), expected.data(), expected.data() + count, expected.data() + 2 * count,
                                    expected.data() + 3 * count);
            const cuda::OptimizerScalars scalars = cuda::optimizer_scalars(desc);
            for (const bool live : {false, true}) {
              const auto after = under_all_schedules(names[kind], [&](const Launcher& launch) {
                std::vector<E> values = before;
                const auto part = [&](int64_t i) { return static_cast<void*>(values.data() + i * count); };
                launch(names[kind] + suffix<E>(), cuda::over_elements(count, kMultiprocessors),
                       live ? cuda::OptimizerScalars{} : scalars,
                       static_cast<const cuda::OptimizerScalars*>(live ? &scalars : nullptr), count,
                       static_cast<const void*>(grads.data()), part(0), part(1), part(2), part(3));
                return values;
              });
              expect_same(after, expected, names[kind] + std::string(", decay ") + std::to_string(decay));
            }
          }
        }
      }
    }
  }
}

template <class E>
void test_sample() {
  for (const int64_t vocabulary : {1, 28, 700}) {
    std::vector<E> logits = random_values<E>(vocabulary, -3, 3, 1);
    if (vocabulary > 9) logits[7] = logits[3], logits[9] = E(NAN);
    for (const double temperature : {0.0, 1.0, 0.5}) {
      for (const int64_t top_k : {0, 5}) {
        for (const double top_p : {1.0, 0.6}) {
          GenerateDesc rules{};
          rules.vocabulary = vocabulary;
          rules.temperature = temperature;
          rules.top_k = top_k;
          rules.top_p = top_p;
          rules.seed = 17;
          rules.offset = 1000;
          std::vector<char> memory(size_t(vocabulary) * 32 + 256);
          cpu::Carver carver(memory.data());
          cpu::Sampler<E> sampler(rules, carver);
          const int draws = vocabulary > 100 ? 3 : 6;
          std::vector<int32_t> expected;
          for (int i = 0; i < draws; i++) expected.push_back(sampler.draw(logits.data(), i));
          expected.push_back(expected.back());
          const auto drawn = under_all_schedules("sample", [&](const Launcher& launch) {
            std::vector<int32_t> tokens(size_t(draws) + 1, -1);
            std::vector<double> workspace = fresh<double>(int64_t(cuda::sample_workspace_bytes(vocabulary) / 8));
            for (int i = 0; i < draws; i++) {
              const cuda::SampleDesc desc{vocabulary, temperature, top_k, top_p, 17, 1000, i};
              launch("sample" + suffix<E>(), cuda::over_classes(vocabulary), desc, static_cast<const void*>(logits.data()),
                     static_cast<void*>(workspace.data()), tokens.data(), tokens.data() + draws);
            }
            return tokens;
          });
          expect_same(drawn, expected, "sample of " + std::to_string(vocabulary));
        }
      }
    }
  }
}

// What body returns; false when it throws or does worse, which happens to a process of its own.
template <class Body>
bool in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    if (!std::freopen("/dev/null", "w", stderr)) std::_Exit(1);
    bool result = false;
    try {
      result = body();
    } catch (const std::exception&) {
    }
    std::_Exit(result ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Every barrier is needed: without it some order of threads gives another result or
// meets in a way that CUDA gives no meaning to.
void test_barriers() {
  const std::vector<float> x = random_values<float>(5000, -1, 1, 1);
  const GatherDesc desc{DType::float32, 1, 28, 1300, 3, {0, 1, 0}};
  const std::vector<int32_t> index = random_values<int32_t>(1300, 0, 28, 2);
  const auto work = [&](const Launcher& launch) {
    std::vector<float> out = fresh<float>(5200 + 4500);
    launch("softmax_float32", cuda::Launch{1}, SoftmaxDesc{DType::float32, 3, 1500, false}, static_cast<const void*>(x.data()),
           static_cast<void*>(out.data()));
    // One meeting a row, so that a block comes to the same one again at once.
    launch("softmax_backward_float32", cuda::Launch{1}, SoftmaxDesc{DType::float32, 3, 1500, false},
           static_cast<const void*>(x.data()), static_cast<const void*>(x.data() + 100), static_cast<void*>(out.data() + 5200));
    launch("reduce_columns_float32", cuda::Launch{1, 1, 32, 8}, int32_t(0), cuda::walk_of(strided({64}, {{1}}), 1),
           cuda::walk_of(strided({70}, {{64}}), 1), int64_t(70), static_cast<const void*>(x.data()),
           static_cast<void*>(out.data() + 5000), static_cast<cuda::Partial*>(nullptr));
    Reports reports;
    const std::vector<float> sums = scatter(launch, desc, x, index, std::vector<float>(28 * 3), reports.fault());
    std::copy(sums.begin(), sums.end(), out.begin() + 5064);
    std::vector<double> workspace = fresh<double>(int64_t(cuda::sample_workspace_bytes(700) / 8));
    int32_t tokens[2];
    for (int64_t i = 0; i < 3; i++) {
      launch("sample_float32", cuda::over_classes(700), cuda::SampleDesc{700, 1, 0, 0.9, 3, 0, 0},
             static_cast<const void*>(x.data() + i), static_cast<void*>(workspace.data()), tokens, tokens + 1);
      out[size_t(4990 + i)] = float(tokens[0]);
    }
    return out;
  };
  const std::vector<float> right = work(Launcher({}));
  const std::vector<std::string> places = host_cuda::places();
  check(places.size() > 8, "the kernels have barriers");
  std::string unnoticed;
  for (const std::string& place : places) {
    const bool same = in_child([&] {
      for (host_cuda::Schedule schedule : all_schedules()) {
        schedule.without = place.c_str();
        if (!same_bits(work(Launcher(schedule)), right)) return false;
      }
      return true;
    });
    if (same) unnoticed += " " + place;
  }
  check(unnoticed.empty(), "nobody notices that barriers are missing:" + unnoticed);
}

}  // namespace

int main() {
  test_gather<float>(), test_gather<double>(), test_gather<int32_t>();
  test_optimizers<float>(), test_optimizers<double>();
  test_sample<float>(), test_sample<double>();
  test_barriers();
}
