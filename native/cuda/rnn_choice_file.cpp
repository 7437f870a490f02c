#include "cuda/rnn_choice_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace deep_rnn::cuda {

namespace {

constexpr const char* kFirstLine = "deep-rnn cuDNN algorithms 1";
constexpr size_t kMost = 4096;  // lines: programs with ever new shapes must not fill the disk

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Empty: there is none.
std::string folder() {
  const std::string own = variable("DEEP_RNN_TUNING_CACHE");
  if (own == "off") return "";
  if (!own.empty()) return own;
  const std::string cache = variable("XDG_CACHE_HOME"), home = variable("HOME");
  return !cache.empty() ? cache + "/deep-rnn" : home.empty() ? "" : home + "/.cache/deep-rnn";
}

std::string path_of(const std::string& folder, const std::string& machine) {
  uint64_t hash = 1469598103934665603u;
  for (const char c : machine) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return folder + "/cudnn-algorithms-" + digits + ".txt";
}

void make_folders(const std::string& path) {
  for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1))
    mkdir(path.substr(0, end).c_str(), 0777);
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

// key, then each trial as "algorithm milliseconds refusal", the chosen one first; separated by tabs.
std::string to_line(const std::string& key, const RnnChoice& choice) {
  std::ostringstream line;
  line.precision(9);
  line << key;
  const auto put = [&](const RnnTrial& trial) {
    line << '\t' << int(trial.algorithm) << ' ' << trial.milliseconds << ' ' << one_line(trial.refusal);
  };
  put(choice.chosen);
  for (const RnnTrial& trial : choice.trials) put(trial);
  return line.str();
}

bool from_line(const std::string& line, std::string& key, RnnChoice& choice) {
  std::istringstream fields(line);
  std::string field;
  if (!std::getline(fields, key, '\t') || key.empty()) return false;
  choice.source = RnnChoice::Source::cached;
  bool first = true;
  while (std::getline(fields, field, '\t')) {
    std::istringstream words(field);
    int algorithm = 0;
    RnnTrial trial;
    if (!(words >> algorithm >> trial.milliseconds) || algorithm < 1 || algorithm >= int(RnnAlgorithm::count)) return false;
    trial.algorithm = RnnAlgorithm(algorithm);
    words.get();
    std::getline(words, trial.refusal);
    if (first) choice.chosen = trial;
    if (!first) choice.trials.push_back(trial);
    first = false;
  }
  return !choice.trials.empty() && choice.chosen.refusal.empty();
}

}  // namespace

std::map<std::string, RnnChoice> RnnChoiceFile::read() const {
  std::map<std::string, RnnChoice> all;
  const std::string where = folder();
  if (where.empty()) return all;
  std::ifstream file(path_of(where, machine_));
  std::string line, key;
  if (!std::getline(file, line) || line != kFirstLine) return all;
  if (!std::getline(file, line) || line != machine_) return all;
  while (std::getline(file, line)) {
    RnnChoice choice;
    if (all.size() >= kMost || !from_line(line, key, choice)) return {};
    all[key] = choice;
  }
  return all;
}

const RnnChoice* RnnChoiceFile::find(const std::string& key) {
  if (!is_read_) known_ = read();
  is_read_ = true;
  const auto found = known_.find(key);
  return found == known_.end() ? nullptr : &found->second;
}

void RnnChoiceFile::add(const std::string& key, const RnnChoice& choice) {
  const std::string where = folder();
  if (where.empty()) return;
  std::map<std::string, RnnChoice> all = read();
  if (all.size() + 1 >= kMost) all.clear();
  all[key] = choice;
  const std::string path = path_of(where, machine_), temporary = path + "." + std::to_string(getpid()) + ".part";
  make_folders(path);
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << kFirstLine << '\n' << machine_ << '\n';
    for (const auto& [each, its] : all) file << to_line(each, its) << '\n';
    file.flush();
    if (!file) {
      std::remove(temporary.c_str());
      return;
    }
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) std::remove(temporary.c_str());
}

}  // namespace deep_rnn::cuda
