#include "core/rnn_explanation.h"

#include <cstdio>

namespace deep_rnn {

namespace {

std::string quoted(const std::string& text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return json + "\"";
}

std::string to_json(const RnnTrial& trial) {
  std::string json = trial.threads == 0 ? "{\"algorithm\":" + quoted(name_of(trial.algorithm))
                                        : "{\"threads\":" + std::to_string(trial.threads) +
                                              ",\"split\":" + (trial.by_rows ? "\"rows\"" : "\"units\"");
  if (trial.milliseconds > 0) {
    char number[32];
    std::snprintf(number, sizeof number, "%.9g", trial.milliseconds);
    json += std::string(",\"milliseconds\":") + number;
  }
  if (!trial.refusal.empty()) json += ",\"refused\":" + quoted(trial.refusal);
  return json + "}";
}

}  // namespace

const char* name_of(RnnAlgorithm algorithm) {
  static constexpr const char* kNames[] = {"auto", "standard", "persistStatic", "persistDynamic", "persistStaticSmallH"};
  static_assert(sizeof(kNames) / sizeof(*kNames) == size_t(RnnAlgorithm::count), "every algorithm has a name");
  return kNames[size_t(algorithm)];
}

const char* name_of(RnnChoice::Source source) {
  static constexpr const char* kNames[] = {"pinned", "only", "measured", "cached", "unmeasured", "measuring"};
  return kNames[size_t(source)];
}

std::string to_json(const std::vector<RnnPassExplanation>& passes) {
  std::string json = "[";
  for (const RnnPassExplanation& each : passes) {
    if (json.size() > 1) json += ',';
    json += "{\"pass\":" + quoted(each.pass) + ",\"source\":" + quoted(name_of(each.choice.source)) +
            ",\"chosen\":" + to_json(each.choice.chosen) + ",\"candidates\":[";
    for (size_t i = 0; i < each.choice.trials.size(); i++) json += (i > 0 ? "," : "") + to_json(each.choice.trials[i]);
    json += "]}";
  }
  return json + "]";
}

}  // namespace deep_rnn
