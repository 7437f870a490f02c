// How large the reserve of a pass is, and what it holds where: for each chunk cuDNN's own piece, the states between the chunks,
// and the weights that the pass ran with.
#pragma once
#include <map>
#include <mutex>
#include <tuple>

#include "core/desc.h"
#include "cuda/gpu.h"
#include "cuda/rnn_chunks.h"

namespace deep_rnn::cuda {

struct RnnReserve {
  int64_t chunks = 1;
  // Multiples of 256 bytes.
  size_t piece = 0;    // of each chunk, whichever algorithm runs
  size_t carried = 0;  // the states after each chunk but the last
  size_t weights = 0;

  size_t bytes() const { return size_t(chunks) * piece + carried + weights; }
  // Where in a reserve.
  void* piece_in(void* reserve, int64_t chunk) const { return static_cast<char*>(reserve) + size_t(chunk) * piece; }
  void* carried_in(void* reserve) const { return piece_in(reserve, chunks); }
  void* weights_in(void* reserve) const { return static_cast<char*>(carried_in(reserve)) + carried; }
};

// What any thread asks for: it has a handle of its own, since one is used by one thread at a time.
class RnnReserves {
 public:
  RnnReserves(const Gpu& gpu, const RnnLimits& limits);
  ~RnnReserves();
  RnnReserves(const RnnReserves&) = delete;
  RnnReserves& operator=(const RnnReserves&) = delete;

  // desc: its algorithm automatic or pinned. Throws Error in cuDNN's words where it refuses.
  RnnReserve of(const RnnDesc& desc, int64_t steps, int64_t batch);

 private:
  struct Extent {
    RnnDesc desc;
    int64_t steps, batch;
  };
  struct Less {
    bool operator()(const Extent& a, const Extent& b) const {
      return std::tuple_cat(fields(a.desc), std::tie(a.steps, a.batch)) <
             std::tuple_cat(fields(b.desc), std::tie(b.steps, b.batch));
    }
  };
  RnnReserve ask(const RnnDesc& desc, int64_t steps, int64_t batch);
  void grow(RnnReserve& reserve, const RnnDesc& desc, int64_t steps, int64_t batch);

  const Api& api_;
  const CUcontext context_;
  const RnnLimits limits_;
  cudnnHandle_t handle_ = nullptr;
  std::mutex mutex_;
  std::map<Extent, RnnReserve, Less> known_;
};

}  // namespace deep_rnn::cuda
