// Which of cuDNN's algorithms runs a pass: pinned, read from the cache file, or the fastest one as measured.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/desc.h"
#include "core/rnn_explanation.h"
#include "cuda/api.h"
#include "cuda/rnn_choice_file.h"

namespace deep_rnn::cuda {

// One kind of pass. Forward and backward of a training step are one kind, since the algorithm decides what the reserve holds.
struct RnnPassKind {
  RnnDesc desc;  // dropout as it is in effect; the algorithm automatic or pinned
  int64_t steps, batch;
  bool keeps;   // a reserve for backward
  bool uneven;  // sequences of different lengths, which only the standard algorithm takes
};

// The algorithms that cuDNN's descriptors take for a stack, standard first; the pinned one alone where one is.
std::vector<RnnAlgorithm> rnn_candidates(const Api& api, const RnnDesc& desc);

// Used by the stream's thread.
class RnnTuner {
 public:
  // Milliseconds of one pass with this algorithm. Throws CudnnError where cuDNN refuses, std::bad_alloc without memory for it.
  using Measure = std::function<double(RnnAlgorithm)>;

  // `machine`: GPU, driver and cuDNN, all that times depend on.
  RnnTuner(const Api& api, const std::string& machine) : api_(api), file_(machine) {}

  // Measures at most once for each kind. The reference holds until the tuner ends.
  RnnChoice& choose(const RnnPassKind& kind, const Measure& measure);
  const RnnChoice* find(const RnnPassKind& kind) const;
  // cuDNN refused the choice when it was to run: takes the next best. False where there is none, where the choice is pinned,
  // and where it has run before: reserves that it wrote may await their backward.
  bool refuse(const RnnPassKind& kind, RnnChoice& choice, const std::string& words);

 private:
  using Key = std::tuple<std::tuple<Cell, int64_t, int64_t, int64_t, int64_t, bool, InputMode, BiasMode, double, double, DType,
                                    Precision, RnnAlgorithm>,
                         int64_t, int64_t, bool, bool>;
  static Key key_of(const RnnPassKind& kind);
  RnnChoice decide(const RnnPassKind& kind, const Measure& measure);

  const Api& api_;
  RnnChoiceFile file_;
  std::map<Key, RnnChoice> choices_;
};

}  // namespace deep_rnn::cuda
