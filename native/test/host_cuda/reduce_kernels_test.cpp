#include "host_cuda/kernels.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

struct Reduced {
  Axes kept, kept_strides, reduced, reduced_strides;
};

template <class E>
void test_reduce() {
  const Reduced cases[] = {{{40}, {25}, {25}, {1}},             // rows of a warp
                           {{3}, {1200}, {1200}, {1}},          // rows of a block
                           {{1}, {1}, {9001}, {1}},             // one output, in splits
                           {{28}, {1}, {300}, {28}},            // columns, in splits
                           {{70}, {1}, {5}, {70}},              // columns
                           {{4, 3}, {1, 80}, {5, 4}, {16, 4}},  // neither
                           {{2, 3}, {0, 1}, {3}, {0}}};         // broadcast
  const std::vector<E> plain = random_values<E>(9600, -9, 9, 1);
  std::vector<E> special = special_values<E>(9600, 2);
  for (const std::vector<E>& x : {plain, special}) {
    for (const Reduced& shapes : cases) {
      for (int op = 0; op < int(ReduceOp::count); op++) {
        const ReduceDesc desc{ReduceOp(op), dtype_of<E>(), strided(shapes.kept, {shapes.kept_strides}),
                              strided(shapes.reduced, {shapes.reduced_strides})};
        const std::string what = "reduce " + std::to_string(op) + suffix<E>() + " " + std::to_string(&shapes - cases);
        const cuda::ReducePlan plan = cuda::plan_reduce(desc);
        const auto run = [&](auto zero) {
          using Out = decltype(zero);
          std::vector<Out> expected = fresh<Out>(plan.kept.count);
          oracle().reduce(desc, x.data(), expected.data());
          const auto out = under_all_schedules(what, [&](const Launcher& launch) {
            std::vector<Out> values = fresh<Out>(plan.kept.count);
            std::vector<char> partial = fresh<char>(int64_t(plan.partial_bytes()));
            cuda::Partial* states = reinterpret_cast<cuda::Partial*>(partial.data());
            launch((plan.columns ? "reduce_columns" : "reduce_rows") + suffix<E>(), plan.launch, int32_t(op), plan.kept,
                   plan.reduced, plan.chunk, static_cast<const void*>(x.data()), static_cast<void*>(values.data()), states);
            if (plan.splits > 1)
              launch("reduce_join" + suffix<E>(), cuda::over_elements(plan.kept.count, kMultiprocessors), int32_t(op),
                     plan.kept.count, plan.splits, static_cast<const cuda::Partial*>(states),
                     static_cast<void*>(values.data()));
            return values;
          });
          if (desc.op == ReduceOp::sum && std::is_floating_point_v<E>)
            expect_close(out, expected, std::is_same_v<E, float> ? 1e-7 : 1e-13, what);
          else
            expect_same(out, expected, what);
        };
        if (desc.op == ReduceOp::argmax)
          run(int32_t());
        else
          run(E());
      }
    }
  }
}

template <class E>
void test_norm() {
  for (const int64_t count : {1, 300, 9001}) {
    std::vector<E> x = random_values<E>(count, -1, 1, 3);
    for (const bool accumulate : {false, true}) {
      E expected = 2;
      oracle().sum_squares(dtype_of<E>(), count, accumulate, x.data(), &expected);
      const cuda::SumSquaresPlan plan = cuda::plan_sum_squares(count);
      const auto sum = under_all_schedules("sum_squares", [&](const Launcher& launch) {
        std::vector<double> partial = fresh<double>(plan.chunks);
        std::vector<E> out(1, E(2));
        launch("sum_squares" + suffix<E>(), plan.launch(), count, plan.chunk, static_cast<const void*>(x.data()),
               partial.data());
        launch("sum_squares_join" + suffix<E>(), cuda::Launch{}, plan.chunks, int32_t(accumulate),
               static_cast<const double*>(partial.data()), static_cast<void*>(out.data()));
        return out;
      });
      check_close(sum[0], expected, std::is_same_v<E, float> ? 2e-7 : 1e-14, "sum_squares");
      if (accumulate) continue;
      for (const double limit : {0.25, 1e6}) {
        const auto clipped = under_all_schedules("clip_norm", [&](const Launcher& launch) {
          std::vector<E> values = x;
          values.push_back(E(0));
          launch("clip_norm" + suffix<E>(), cuda::over_elements(count, kMultiprocessors), count, limit,
                 static_cast<const void*>(sum.data()), static_cast<void*>(values.data()),
                 static_cast<void*>(values.data() + count));
          return values;
        });
        const E norm = std::sqrt(sum[0]), factor = std::min(E(limit) / norm, E(1));
        for (size_t i = 0; i < x.size(); i++) check(clipped[i] == x[i] * factor, "clip_norm");
        check(clipped[x.size()] == norm, "clip_norm gives the norm");
      }
    }
  }
}

template <class E>
void test_softmax() {
  const double tolerance = std::is_same_v<E, float> ? 2e-6 : 1e-13;
  for (const auto& shape : {std::pair<int64_t, int64_t>{37, 28}, {2, 1}, {3, 1500}}) {
    const int64_t rows = shape.first, columns = shape.second;
    for (const bool log : {false, true}) {
      const SoftmaxDesc desc{dtype_of<E>(), rows, columns, log};
      const int64_t count = rows * columns;
      std::vector<E> x = random_values<E>(count, -8, 8, 4);
      const std::vector<E> dy = random_values<E>(count, -1, 1, 5);
      if (columns > 1) x[size_t(columns + 3)] = E(NAN), x[2] = -E(INFINITY);
      std::vector<E> expected = fresh<E>(count), expected_dx = fresh<E>(count);
      oracle().softmax(desc, x.data(), expected.data());
      oracle().softmax_backward(desc, expected.data(), dy.data(), expected_dx.data());
      const auto y = under_all_schedules("softmax", [&](const Launcher& launch) {
        std::vector<E> values = x;  // in place
        launch("softmax" + suffix<E>(), cuda::over_rows(rows, columns, kMultiprocessors), desc,
               static_cast<const void*>(values.data()), static_cast<void*>(values.data()));
        return values;
      });
      expect_close(y, expected, tolerance, "softmax");
      const auto dx = under_all_schedules("softmax_backward", [&](const Launcher& launch) {
        std::vector<E> values = fresh<E>(count);
        launch("softmax_backward" + suffix<E>(), cuda::over_rows(rows, columns, kMultiprocessors), desc,
               static_cast<const void*>(expected.data()), static_cast<const void*>(dy.data()),
               static_cast<void*>(values.data()));
        return values;
      });
      expect_close(dx, expected_dx, 4 * tolerance, "softmax_backward");
    }
  }
}

template <class E>
void test_cross_entropy() {
  const double tolerance = std::is_same_v<E, float> ? 2e-6 : 1e-13;
  for (const auto& shape : {std::pair<int64_t, int64_t>{37, 28}, {3, 1500}}) {
    const int64_t rows = shape.first, columns = shape.second;
    for (const bool weighted : {false, true}) {
      for (const double smoothing : {0.0, 0.1}) {
        const CrossEntropyDesc desc{dtype_of<E>(), rows, columns, -100, smoothing};
        const int64_t count = rows * columns;
        const std::vector<E> x = random_values<E>(count, -8, 8, 6), dlosses = random_values<E>(rows, -1, 1, 7);
        const std::vector<E> weights = random_values<E>(columns, 0, 2, 8);
        const void* class_weights = weighted ? weights.data() : nullptr;
        std::vector<int32_t> targets(size_t(rows), 0);
        for (int64_t row = 0; row < rows; row++) targets[size_t(row)] = row == 1 ? -100 : int32_t(row * 11 % columns);
        // losses, weights, probabilities
        std::vector<E> expected = fresh<E>(2 * rows + count), expected_dx = fresh<E>(count);
        oracle().cross_entropy(desc, x.data(), targets.data(), class_weights, expected.data(), expected.data() + rows,
                               expected.data() + 2 * rows);
        oracle().cross_entropy_backward(desc, expected.data() + 2 * rows, targets.data(), class_weights, dlosses.data(),
                                        expected_dx.data());
        Reports reports;
        const auto forward = [&](const Launcher& launch) {
          std::vector<E> values = fresh<E>(2 * rows + count);
          launch("cross_entropy" + suffix<E>(), cuda::over_rows(rows, columns, kMultiprocessors), desc,
                 static_cast<const void*>(x.data()), static_cast<const int32_t*>(targets.data()), class_weights,
                 static_cast<void*>(values.data()), static_cast<void*>(values.data() + rows),
                 static_cast<void*>(values.data() + 2 * rows), reports.fault());
          return values;
        };
        const auto backward = [&](const Launcher& launch) {
          std::vector<E> values(expected.begin() + 2 * rows, expected.end());  // in place
          launch("cross_entropy_backward" + suffix<E>(), cuda::over_rows(rows, columns, kMultiprocessors), desc,
                 static_cast<const void*>(values.data()), static_cast<const int32_t*>(targets.data()), class_weights,
                 static_cast<const void*>(dlosses.data()), static_cast<void*>(values.data()), reports.fault());
          return values;
        };
        expect_close(under_all_schedules("cross_entropy", forward), expected, tolerance, "cross_entropy");
        expect_close(under_all_schedules("cross_entropy_backward", backward), expected_dx, tolerance, "cross_entropy_backward");
        check(reports.position() == -1, "nothing is reported");
        targets[2] = int32_t(columns);
        if (rows > 3) targets[size_t(rows - 1)] = -5;
        const auto losses = under_all_schedules("cross_entropy with wrong targets", forward);
        check(std::isnan(losses[2]) && !std::isnan(losses[0]), "a wrong target gives a loss of NaN");
        check(reports.position() == 2 && reports.value() == columns, "the first wrong target is reported");
        reports = {};
        const auto dx = under_all_schedules("cross_entropy_backward with wrong targets", backward);
        check(reports.position() == 2 && dx[size_t(2 * columns)] == 0, "a wrong target gives no gradient");
      }
    }
  }
}

}  // namespace

int main() {
  test_reduce<float>(), test_reduce<double>(), test_reduce<int32_t>();
  test_norm<float>(), test_norm<double>();
  test_softmax<float>(), test_softmax<double>();
  test_cross_entropy<float>(), test_cross_entropy<double>();
}
