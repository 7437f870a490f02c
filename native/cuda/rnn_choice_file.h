// The file in the user's cache folder that remembers measured choices from one process to the next.
#pragma once
#include <map>
#include <string>

#include "core/rnn_explanation.h"

namespace deep_rnn::cuda {

// One text file for each combination of GPU, driver and cuDNN, in $XDG_CACHE_HOME/deep-rnn or ~/.cache/deep-rnn. Nothing here
// throws: a file that is missing or broken holds nothing and is written anew, one that cannot be written is left alone.
// DEEP_RNN_TUNING_CACHE names another folder, or `off` for none.
class RnnChoiceFile {
 public:
  explicit RnnChoiceFile(const std::string& machine) : machine_(machine) {}

  // key: one line. Null where the file has none.
  const RnnChoice* find(const std::string& key);
  // Joins it to what the file holds by now; readers see the old file or the new one.
  void add(const std::string& key, const RnnChoice& choice);

 private:
  std::map<std::string, RnnChoice> read() const;

  const std::string machine_;
  bool is_read_ = false;
  std::map<std::string, RnnChoice> known_;
};

}  // namespace deep_rnn::cuda
