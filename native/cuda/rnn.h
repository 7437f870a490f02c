// The recurrent stack in cuDNN; the functions of Backend of the same names, see core/backend.h and core/desc.h. Passes that
// cuDNN does not take at once are cut in time, which stacks of one direction can be.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/desc.h"
#include "cuda/gpu.h"
#include "cuda/rnn_chunks.h"
#include "cuda/rnn_reserve.h"
#include "cuda/rnn_tuner.h"

namespace deep_rnn::cuda {

class RnnPlan;

class Rnn {
 public:
  explicit Rnn(Gpu& gpu);
  ~Rnn();
  Rnn(const Rnn&) = delete;
  Rnn& operator=(const Rnn&) = delete;

  // Any thread.
  std::string supports(const RnnDesc& desc) const;
  bool takes_at_once(const RnnDesc& desc, int64_t steps, int64_t batch) const;
  size_t reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const;

  // The stream's thread.
  // same_params: the parameters have not changed since the forward pass before. operation: who met a wrong token.
  void forward(const RnnDesc& desc, const RnnForwardArgs& args, bool same_params = false, const char* operation = "rnnForward");
  void backward(const RnnDesc& desc, const RnnBackwardArgs& args);
  // The passes of this shape that have run, and what decided how.
  std::vector<RnnPassExplanation> explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool uneven) const;

 private:
  struct Less {
    bool operator()(const RnnDesc& a, const RnnDesc& b) const { return fields(a) < fields(b); }
  };

  RnnDesc pinned(RnnDesc desc) const;
  // desc: with the dropout in effect.
  RnnPlan& plan_for(RnnDesc desc, RnnAlgorithm algorithm);
  RnnChoice& choose(const RnnPassKind& kind, const void* params);
  void forward(const RnnDesc& desc, RnnPlan& plan, const RnnChunks& chunks, const RnnForwardArgs& args, bool same_params,
               const char* operation);
  void backward(const RnnDesc& desc, RnnPlan& plan, const RnnChunks& chunks, const RnnBackwardArgs& args);
  // One call of each of cuDNN's functions for a chunk that begins with step `first` of the pass.
  struct Part {
    int64_t first;
    const void* weights;   // packed
    size_t reserve_bytes;  // of the arguments' reserve
    const char* operation;
  };
  void forward(const RnnDesc& desc, RnnPlan& plan, const Part& part, const RnnForwardArgs& args);
  void backward(const RnnDesc& desc, RnnPlan& plan, const Part& part, const RnnBackwardArgs& args);
  RnnCarriage carriage(const RnnDesc& desc, int64_t batch);
  void zero_from(int64_t step, int64_t steps, int64_t batch, int64_t width, DType dtype, void* array);

  Gpu& gpu_;
  const RnnAlgorithm pinned_;  // for all stacks that pin none
  const RnnLimits limits_;
  RnnTuner tuner_;
  mutable RnnReserves reserves_;  // locks itself
  DeviceMemory carried_;          // between the chunks of the pass that is being pushed
  uint64_t params_version_ = 0;
  std::map<RnnDesc, std::unique_ptr<RnnPlan>, Less> plans_;
};

}  // namespace deep_rnn::cuda
