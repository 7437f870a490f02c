// The recurrent stack in cuDNN; the functions of Backend of the same names, see core/backend.h and core/desc.h.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/desc.h"
#include "cuda/gpu.h"

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
  size_t reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const;

  // The stream's thread.
  void forward(const RnnDesc& desc, const RnnForwardArgs& args);
  void backward(const RnnDesc& desc, const RnnBackwardArgs& args);

 private:
  struct Less {
    bool operator()(const RnnDesc& a, const RnnDesc& b) const { return fields(a) < fields(b); }
  };
  struct Queries;

  // Of the stack with dropout active or not.
  RnnPlan& plan_for(const RnnDesc& desc, bool training);

  Gpu& gpu_;
  std::map<RnnDesc, std::unique_ptr<RnnPlan>, Less> plans_;
  const std::unique_ptr<Queries> queries_;
};

}  // namespace deep_rnn::cuda
