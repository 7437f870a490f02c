// How a backend runs the passes of a recurrent stack, and why; what Device.explain() tells.
#pragma once
#include <string>
#include <vector>

#include "core/desc.h"

namespace deep_rnn {

// One way that was there to choose from. A GPU's is an algorithm, a CPU's a number of threads and what they share out.
struct RnnTrial {
  RnnAlgorithm algorithm = RnnAlgorithm::standard;
  int threads = 0;  // 0: of a GPU
  bool by_rows = false;
  double milliseconds = 0;  // of one pass; 0: not measured
  std::string refusal;      // the library's words; empty: it runs
};

struct RnnChoice {
  enum class Source {
    pinned,      // the program or the environment said so
    only,        // there is no other
    measured,    // the fastest in this process
    cached,      // the fastest in an earlier one
    unmeasured,  // there was no memory to measure with
    measuring    // still trying
  };
  RnnTrial chosen;
  Source source = Source::only;
  std::vector<RnnTrial> trials;  // the chosen one among them
  bool has_run = false;
};

// A choice and the pass that it is for: "inference", "training", "forward" or "backward".
struct RnnPassExplanation {
  std::string pass;
  RnnChoice choice;
};

const char* name_of(RnnAlgorithm algorithm);
const char* name_of(RnnChoice::Source source);

// A JSON array of one object for each pass.
std::string to_json(const std::vector<RnnPassExplanation>& passes);

}  // namespace deep_rnn
