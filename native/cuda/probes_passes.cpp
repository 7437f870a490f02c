// What passes over a stack do with null states, lengths, padding, clipping, dropout and the reserve.
#include <algorithm>
#include <cstring>

#include "cuda/probes.h"

namespace deep_rnn::cuda {

namespace {

constexpr cudnnRNNMode_t kCells[] = {CUDNN_RNN_TANH, CUDNN_RNN_RELU, CUDNN_LSTM, CUDNN_GRU};

BareConfig two_layers(cudnnRNNMode_t cell = CUDNN_LSTM) {
  BareConfig config;
  config.cell = cell;
  config.input = 20;
  config.hidden = 32;
  config.layers = 2;
  config.steps = 6;
  config.batch = 4;
  return config;
}

Verdict within(double difference, double allowed, const std::string& what) {
  return {difference <= allowed, what + " differ by " + number(difference) + " at most, allowed is " + number(allowed)};
}

Verdict ask_null_states(Gpu& gpu, bool) {
  double most = 0;
  for (const cudnnRNNMode_t cell : kCells) {
    BareStack stack(gpu, two_layers(cell));
    for (BareArray* array : {&stack.hx, &stack.cx, &stack.dhy, &stack.dcy}) stack.zero(*array);
    const PassResults with_zeros = run_pass(stack, true);
    most = std::max(most, distance(run_pass(stack, false), with_zeros));
  }
  return within(most, 0, "passes of the four cells with null hx, cx, dhy, dcy and with zeros in their place");
}

// Sequences of a batch computed one by one, without padding, are what a batch with lengths must give.
Verdict ask_lengths(Gpu& gpu, const std::vector<int32_t>& lengths) {
  double most = 0;
  for (const cudnnRNNMode_t cell : kCells) {
    for (const cudnnDirectionMode_t direction : {CUDNN_UNIDIRECTIONAL, CUDNN_BIDIRECTIONAL}) {
      BareConfig config = two_layers(cell);
      config.direction = direction;
      config.type = config.sums = CUDNN_DATA_DOUBLE;
      config.lengths = lengths;
      config.batch = int(lengths.size());
      BareStack stack(gpu, config);
      const PassResults batch = run_pass(stack);
      const std::vector<double> x = stack.read(stack.x), hx = stack.read(stack.hx), cx = stack.read(stack.cx);
      const std::vector<double> weights = stack.read(stack.weights);
      const int width = config.directions() * config.hidden, states = config.layers * config.directions();
      for (int sequence = 0; sequence < config.batch; sequence++) {
        const int steps = lengths[size_t(sequence)];
        if (steps == 0) continue;
        BareConfig one = config;
        one.lengths.clear();
        one.batch = 1;
        one.steps = steps;
        BareStack alone(gpu, one);
        const auto part = [&](const std::vector<double>& all, int rows, int columns) {
          std::vector<double> rows_of_one;
          for (int row = 0; row < rows; row++) {
            const auto begin = all.begin() + (ptrdiff_t(row) * config.batch + sequence) * columns;
            rows_of_one.insert(rows_of_one.end(), begin, begin + columns);
          }
          return rows_of_one;
        };
        alone.write(alone.x, part(x, steps, config.input));
        alone.write(alone.hx, part(hx, states, config.hidden));
        alone.write(alone.cx, part(cx, states, config.hidden));
        alone.write(alone.weights, weights);
        gpu.api().check(alone.forward(), "cudnnRNNForward");
        most = std::max(most, distance(alone.read(alone.y), part(batch.y, steps, width)));
        most = std::max(most, distance(alone.read(alone.hy), part(batch.hy, states, config.hidden)));
      }
    }
  }
  return within(most, 1e-10, "outputs and final states of a padded batch and of its sequences one by one, float64,");
}

Verdict ask_unequal_lengths(Gpu& gpu, bool) { return ask_lengths(gpu, {2, 6, 1, 4}); }
Verdict ask_zero_lengths(Gpu& gpu, bool) { return ask_lengths(gpu, {0, 6, 0, 3}); }

Verdict ask_padding(Gpu& gpu, bool) {
  BareConfig config = two_layers();
  config.lengths = {2, 6, 0, 4};
  config.fill = 7.5;
  BareStack stack(gpu, config);
  gpu.api().check(stack.forward(), "cudnnRNNForward");
  const std::vector<double> y = stack.read(stack.y);
  size_t padding = 0, filled = 0;
  for (int step = 0; step < config.steps; step++)
    for (int sequence = 0; sequence < config.batch; sequence++)
      for (int column = 0; column < config.hidden; column++) {
        if (step < config.lengths[size_t(sequence)]) continue;
        padding++;
        filled += y[size_t((step * config.batch + sequence) * config.hidden + column)] == 7.5;
      }
  return {padding == filled, std::to_string(filled) + " of " + std::to_string(padding) + " padded values of y hold the fill"};
}

Verdict ask_reserve_of_lengths(Gpu& gpu, bool) {
  for (const cudnnRNNMode_t cell : kCells) {
    for (int size = 1; size <= 4; size++) {
      BareConfig config = two_layers(cell);
      config.steps = 8 * size;
      config.hidden = 16 * size;
      const BareStack full(gpu, config);
      for (const std::vector<int32_t>& lengths : {std::vector<int32_t>{1, 2, 3, 4}, {8, 1, 1, 1}, {0, 0, 0, 1}, {8, 8, 8, 7}}) {
        config.lengths = lengths;
        const BareStack shorter(gpu, config);
        if (shorter.reserve_bytes() > full.reserve_bytes())
          return {false, std::to_string(shorter.reserve_bytes()) + " bytes for shorter sequences, " +
                             std::to_string(full.reserve_bytes()) + " for full ones"};
      }
    }
  }
  return {true, "64 sets of lengths need no more than full sequences"};
}

Verdict ask_clip(Gpu& gpu, bool) {
  BareConfig config;
  config.input = config.hidden = config.batch = config.steps = 1;
  config.clip = 0.12;
  config.type = config.sums = CUDNN_DATA_DOUBLE;
  BareStack stack(gpu, config);
  stack.write(stack.cx, {5});
  stack.write(stack.dhy, {0});
  stack.write(stack.dcy, {1});
  stack.write(stack.dy, {1});
  stack.step();
  const double c = stack.read(stack.cy)[0], dcx = stack.read(stack.dcx)[0];
  return {c == 0.12 && dcx == 0,
          "the cell state ended at " + number(c) + ", the gradient of the initial one is " + number(dcx)};
}

Verdict ask_wgrad_set(Gpu& gpu, bool) {
  BareStack stack(gpu, two_layers());
  stack.step();
  gpu.api().check(stack.forward(), "cudnnRNNForward");
  gpu.api().check(stack.backward_data(), "cudnnRNNBackwardData_v8");
  const cudnnStatus_t status = stack.backward_weights(true, CUDNN_WGRAD_MODE_SET);
  return {status != CUDNN_STATUS_SUCCESS, std::string("the call gave ") + gpu.api().cudnnGetErrorString(status)};
}

Verdict ask_wgrad_add(Gpu& gpu, bool) {
  BareStack stack(gpu, two_layers());
  const std::vector<double> once = run_pass(stack).dweights;
  gpu.api().check(stack.forward(), "cudnnRNNForward");
  gpu.api().check(stack.backward_data(), "cudnnRNNBackwardData_v8");
  gpu.api().check(stack.backward_weights(), "cudnnRNNBackwardWeights_v8");
  std::vector<double> twice = stack.read(stack.dweights);
  double scale = 0;
  for (size_t i = 0; i < twice.size(); i++) {
    scale = std::max(scale, std::abs(once[i]));
    twice[i] /= 2;
  }
  return within(distance(once, twice) / scale, 1e-6, "gradients of one pass and half of what two passes added up, relatively,");
}

std::vector<unsigned char> reserve_of(Gpu& gpu, const BareStack& stack) {
  std::vector<unsigned char> bytes(stack.reserve_bytes());
  gpu.download(bytes.data(), stack.reserve(), bytes.size());
  return bytes;
}

Verdict ask_reserve_changes(Gpu& gpu, bool) {
  BareStack stack(gpu, two_layers());
  gpu.api().check(stack.forward(), "cudnnRNNForward");
  const std::vector<unsigned char> before = reserve_of(gpu, stack);
  gpu.api().check(stack.backward_data(), "cudnnRNNBackwardData_v8");
  const std::vector<unsigned char> after = reserve_of(gpu, stack);
  size_t changed = 0;
  for (size_t i = 0; i < before.size(); i++) changed += before[i] != after[i];
  return {changed > 0, std::to_string(changed) + " of " + std::to_string(before.size()) + " bytes changed"};
}

// The stand-in ends the process here, which is an answer too.
Verdict ask_weights_first(Gpu& gpu, bool) {
  BareStack stack(gpu, two_layers());
  const std::vector<double> wanted = run_pass(stack).dweights;
  gpu.api().check(stack.forward(), "cudnnRNNForward");
  stack.zero(stack.dweights);
  const cudnnStatus_t status = stack.backward_weights();
  if (status != CUDNN_STATUS_SUCCESS) return {true, std::string("the call gave ") + gpu.api().cudnnGetErrorString(status)};
  const double difference = distance(stack.read(stack.dweights), wanted);
  return {difference > 1e-3,
          "without the gradient of the data before it, that of the weights differs by " + number(difference)};
}

Verdict ask_dropout_none(Gpu& gpu, bool) {
  BareStack stack(gpu, two_layers());
  return {distance(run_pass(stack), run_pass(stack)) == 0, "a pass with probability 0 and no states ran twice alike"};
}

Verdict ask_dropout_sizes(Gpu& gpu, bool) {
  BareConfig config = two_layers();
  config.dropout = 0.5f;
  const BareStack with_states(gpu, config);
  config.dropout_states = false;
  const BareStack without(gpu, config);
  return {with_states.reserve_bytes() == without.reserve_bytes(),
          std::to_string(without.reserve_bytes()) + " bytes without states, " + std::to_string(with_states.reserve_bytes()) +
              " with them"};
}

Verdict ask_dropout_repeats(Gpu& gpu, bool) {
  BareConfig config = two_layers();
  config.dropout = 0.5f;
  BareStack stack(gpu, config), again(gpu, config);
  const PassResults first = run_pass(stack), same_seed = run_pass(again), next = run_pass(stack);
  size_t bytes = 0;
  DEEP_RNN_CALL(gpu.api(), cudnnDropoutGetStatesSize, gpu.cudnn(), &bytes);
  DEEP_RNN_CALL(gpu.api(), cudnnSetDropoutDescriptor, stack.dropout(), gpu.cudnn(), config.dropout, stack.dropout_states(),
                bytes, config.seed);
  const PassResults seeded = run_pass(stack);
  const double fresh = distance(first, same_seed), repeated = distance(first, seeded), moved = distance(first, next);
  return {fresh == 0 && repeated == 0 && moved > 0, "the same seed in another descriptor: " + number(fresh) +
                                                        " apart; seeded again: " + number(repeated) +
                                                        "; not seeded again: " + number(moved)};
}

Verdict ask_dropout_restored(Gpu& gpu, bool) {
  BareConfig config = two_layers();
  config.dropout = 0.5f;
  BareStack stack(gpu, config), twin(gpu, config);
  run_pass(stack);
  run_pass(twin);
  size_t bytes = 0;
  DEEP_RNN_CALL(gpu.api(), cudnnDropoutGetStatesSize, gpu.cudnn(), &bytes);
  DEEP_RNN_CALL(gpu.api(), cudnnRestoreDropoutDescriptor, twin.dropout(), gpu.cudnn(), config.dropout, twin.dropout_states(),
                bytes, config.seed);
  const double difference = distance(run_pass(stack), run_pass(twin));
  return {difference == 0, "second passes with and without restored states are " + number(difference) + " apart"};
}

Verdict ask_determinism(Gpu& gpu, bool quick) {
  double most = 0;
  for (const cudnnRNNMode_t cell : kCells) {
    BareConfig config = two_layers(cell);
    config.hidden = quick ? 48 : 256;
    config.input = 28;
    config.steps = quick ? 5 : 35;
    config.batch = 32;
    BareStack stack(gpu, config);
    const PassResults first = run_pass(stack);
    for (int i = 0; i < 4; i++) most = std::max(most, distance(first, run_pass(stack)));
  }
  return within(most, 0, "five passes over each cell, 2 layers, float32,");
}

}  // namespace

std::vector<ProbeCode> pass_probes() {
  return {
      {{"null states", true, "hx, cx, dhy and dcy that are null mean zeros, bit for bit"}, ask_null_states},
      {{"unequal lengths", true, "unequal lengths run unpacked without an array of lengths on the device"},
       ask_unequal_lengths},
      {{"zero lengths", true, "sequences of length zero run in the unpacked layout and leave the others alone"},
       ask_zero_lengths},
      {{"padding", true, "y past a length holds the fill value of the data descriptor"}, ask_padding},
      {{"reserve of lengths", true, "the reserve of shorter lengths is no larger than that of full ones"},
       ask_reserve_of_lengths},
      {{"clipped cells", true, "the gradient of a cell state is zero where the state was clipped"}, ask_clip},
      {{"weights add", true, "CUDNN_WGRAD_MODE_ADD adds the gradients of the weights to what is there"}, ask_wgrad_add},
      {{"weights set", false, "CUDNN_WGRAD_MODE_SET is refused, so that the gradients must be set to zero before"},
       ask_wgrad_set},
      {{"reserve changes", false, "cudnnRNNBackwardData_v8 changes the reserve"}, ask_reserve_changes},
      {{"data before weights", false, "the gradient of the weights needs that of the data computed before"}, ask_weights_first},
      {{"no dropout", true, "dropout of probability 0 needs no states"}, ask_dropout_none},
      {{"dropout sizes", true, "a dropout descriptor without states is enough to ask for sizes"}, ask_dropout_sizes},
      {{"dropout repeats", true, "seeding the dropout generators again repeats their masks"}, ask_dropout_repeats},
      {{"dropout restored", false, "cudnnRestoreDropoutDescriptor leaves the generators where they were"},
       ask_dropout_restored},
      {{"determinism", true, "passes in float32 repeat bit for bit"}, ask_determinism},
  };
}

}  // namespace deep_rnn::cuda
