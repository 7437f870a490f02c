#include "cuda/rnn_tuner.h"

#include <algorithm>
#include <new>
#include <sstream>

#include "cuda/rnn_descriptors.h"

namespace deep_rnn::cuda {

namespace {

// So much faster another algorithm must be before it replaces the standard one, which repeats best from run to run.
constexpr double kWorthwhile = 0.97;

// Without a backward that must fit, steps of about the same number share a choice: prompts have any length.
int64_t measured_steps(const RnnPassKind& kind) {
  if (kind.keeps) return kind.steps;
  int64_t steps = 1;
  while (steps < kind.steps) steps *= 2;
  return steps;
}

std::string line_of(const RnnPassKind& kind) {
  const RnnDesc& desc = kind.desc;
  std::ostringstream line;
  line << int(desc.cell) << ' ' << desc.input_size << ' ' << desc.hidden_size << ' ' << desc.proj_size << ' ' << desc.layers
       << ' ' << desc.bidirectional << ' ' << int(desc.input_mode) << ' ' << int(desc.bias) << ' ' << desc.dropout << ' '
       << desc.clip << ' ' << int(desc.dtype) << ' ' << int(desc.precision) << ' ' << measured_steps(kind) << ' ' << kind.batch
       << ' ' << kind.keeps;
  return line.str();
}

// Takes the best of the trials that were not refused; false: there is none.
bool take_fastest(RnnChoice& choice) {
  const auto score = [](const RnnTrial& trial) {
    return trial.milliseconds * (trial.algorithm == RnnAlgorithm::standard ? kWorthwhile : 1);
  };
  const RnnTrial* best = nullptr;
  for (const RnnTrial& trial : choice.trials)
    if (trial.refusal.empty() && (!best || score(trial) < score(*best))) best = &trial;
  if (best) choice.chosen = *best;
  return best != nullptr;
}

}  // namespace

std::vector<RnnAlgorithm> rnn_candidates(const Api& api, const RnnDesc& desc) {
  if (desc.algorithm != RnnAlgorithm::automatic) return {desc.algorithm};
  std::vector<RnnAlgorithm> accepted;
  RnnDesc tried = desc;
  for (int i = int(RnnAlgorithm::standard); i < int(RnnAlgorithm::count); i++) {
    tried.algorithm = RnnAlgorithm(i);
    try {
      RnnDescriptors(api).set_stack(tried);
      accepted.push_back(tried.algorithm);
    } catch (const CudnnError&) {
    }
  }
  return accepted;
}

RnnTuner::Key RnnTuner::key_of(const RnnPassKind& kind) {
  return {fields(kind.desc), measured_steps(kind), kind.batch, kind.keeps, kind.uneven};
}

const RnnChoice* RnnTuner::find(const RnnPassKind& kind) const {
  const auto found = choices_.find(key_of(kind));
  return found == choices_.end() ? nullptr : &found->second;
}

RnnChoice& RnnTuner::choose(const RnnPassKind& kind, const Measure& measure) {
  const Key key = key_of(kind);
  const auto found = choices_.find(key);
  if (found != choices_.end()) return found->second;
  return choices_[key] = decide(kind, measure);
}

RnnChoice RnnTuner::decide(const RnnPassKind& kind, const Measure& measure) {
  RnnChoice choice;
  const bool pinned = kind.desc.algorithm != RnnAlgorithm::automatic;
  std::vector<RnnAlgorithm> candidates = rnn_candidates(api_, kind.desc);
  if (kind.uneven && !pinned) candidates = {RnnAlgorithm::standard};
  if (pinned || candidates.size() == 1) {
    choice.chosen.algorithm = candidates.front();
    choice.source = pinned ? RnnChoice::Source::pinned : RnnChoice::Source::only;
    choice.trials = {choice.chosen};
    return choice;
  }
  const std::string line = line_of(kind);
  if (const RnnChoice* known = file_.find(line)) return *known;
  choice.source = RnnChoice::Source::measured;
  for (const RnnAlgorithm algorithm : candidates) {
    RnnTrial trial;
    trial.algorithm = algorithm;
    try {
      trial.milliseconds = measure(algorithm);
    } catch (const CudnnError& refusal) {
      trial.refusal = refusal.what();
    } catch (const std::bad_alloc&) {
      // Half of the candidates measured is none.
      choice.source = RnnChoice::Source::unmeasured;
      choice.chosen = RnnTrial{};
      choice.trials = {choice.chosen};
      return choice;
    }
    choice.trials.push_back(trial);
  }
  if (take_fastest(choice)) file_.add(line, choice);
  // Where cuDNN refused all of them, the standard one says why once more.
  return choice;
}

bool RnnTuner::refuse(const RnnPassKind& kind, RnnChoice& choice, const std::string& words) {
  if ((choice.has_run && kind.keeps) || choice.source == RnnChoice::Source::pinned) return false;
  for (RnnTrial& trial : choice.trials)
    if (trial.algorithm == choice.chosen.algorithm) trial.refusal = words;
  if (!take_fastest(choice)) return false;
  file_.add(line_of(kind), choice);
  return true;
}

}  // namespace deep_rnn::cuda
