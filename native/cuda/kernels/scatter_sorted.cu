#include "cuda/kernels/arithmetic.h"

namespace deep_rnn::cuda {

namespace {

constexpr int kDigits = 1 << kDigitBits;
constexpr int kWarps = kThreads / kWarp;

__device__ int lane_number() { return int(threadIdx.x) % kWarp; }

// The lanes of the warp whose valid keys have the same digit as this one's.
__device__ unsigned peers_of(unsigned digit, bool valid) {
  unsigned peers = __ballot_sync(kAllLanes, valid);
  for (int bit = 0; bit < kDigitBits; bit++) {
    const unsigned votes = __ballot_sync(kAllLanes, digit >> bit & 1u);
    peers &= digit >> bit & 1u ? votes : ~votes;
  }
  return peers;
}

// Calls body(position, valid, digit, peers) for the keys of this warp's tile, 32 at a time and by all lanes.
template <class Body>
__device__ void for_tile(int64_t count, int64_t tile, int64_t number, int32_t shift, const uint32_t* keys, const Body& body) {
  const int64_t begin = number * tile, end = begin + tile < count ? begin + tile : count;
  for (int64_t first = begin; first < end; first += kWarp) {
    const int64_t position = first + lane_number();
    const bool valid = position < end;
    const unsigned digit = valid ? keys[position] >> shift & (kDigits - 1) : 0;
    body(position, valid, digit, peers_of(digit, valid));
  }
}

__device__ int64_t tile_number() { return thread_number() / kWarp; }

}  // namespace

extern "C" __global__ void __launch_bounds__(kThreads, 2)
    scatter_keys(GatherDesc desc, const int32_t* index, uint32_t* keys, uint32_t* sources, Fault fault) {
  const int64_t rows = desc.outer * desc.count;
  const bool narrow = fits_narrow(rows);
  for_elements(rows, [&](int64_t row) {
    int64_t j;
    const int64_t o = divide(row, desc.count, narrow, &j);
    const int32_t entry = index[o * desc.index_strides[0] + j * desc.index_strides[1]];
    const bool inside = entry >= 0 && entry < desc.axis;
    if (!inside) report(fault, row * desc.inner, entry);
    keys[row] = uint32_t(inside ? o * desc.axis + entry : desc.outer * desc.axis);
    sources[row] = uint32_t(row);
  });
}

extern "C" __global__ void __launch_bounds__(kThreads, 2)
    sort_count(int64_t count, int64_t tile, int32_t shift, const uint32_t* keys, uint32_t* counts) {
  DEEP_RNN_SHARED(uint32_t, totals, kWarps * kDigits);
  const int64_t tiles = (count + tile - 1) / tile;
  uint32_t* mine = totals + threadIdx.x / kWarp * kDigits;
  for (int digit = lane_number(); digit < kDigits; digit += kWarp) mine[digit] = 0;
  __syncwarp();
  for_tile(count, tile, tile_number(), shift, keys, [&](int64_t, bool valid, unsigned digit, unsigned peers) {
    // The lowest of the peers speaks for all of them.
    if (valid && __ffs(peers) - 1 == lane_number()) mine[digit] += __popc(peers);
    __syncwarp();
  });
  if (tile_number() >= tiles) return;
  for (int digit = lane_number(); digit < kDigits; digit += kWarp) counts[digit * tiles + tile_number()] = mine[digit];
}

extern "C" __global__ void __launch_bounds__(kScanThreads) sort_offsets(int64_t count, uint32_t* counts) {
  DEEP_RNN_SHARED(uint32_t, sums, kWarp);
  const int warps = int(blockDim.x) / kWarp, warp = int(threadIdx.x) / kWarp;
  uint32_t before = 0;
  for (int64_t first = 0; first < count; first += blockDim.x) {
    const int64_t i = first + threadIdx.x;
    const uint32_t value = i < count ? counts[i] : 0;
    uint32_t sum = value;
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const uint32_t left = __shfl_up_sync(kAllLanes, sum, distance);
      if (lane_number() >= distance) sum += left;
    }
    if (lane_number() == kWarp - 1) sums[warp] = sum;
    __syncthreads();
    uint32_t total = 0, of_lower_warps = 0;
    for (int other = 0; other < warps; other++) {
      if (other == warp) of_lower_warps = total;
      total += sums[other];
    }
    if (i < count) counts[i] = before + of_lower_warps + sum - value;
    before += total;
    __syncthreads();
  }
}

extern "C" __global__ void __launch_bounds__(kThreads, 2)
    sort_move(int64_t count, int64_t tile, int32_t shift, const uint32_t* keys, const uint32_t* sources, const uint32_t* counts,
              uint32_t* keys_out, uint32_t* sources_out) {
  DEEP_RNN_SHARED(uint32_t, offsets, kWarps * kDigits);
  const int64_t tiles = (count + tile - 1) / tile;
  uint32_t* mine = offsets + threadIdx.x / kWarp * kDigits;
  if (tile_number() < tiles)
    for (int digit = lane_number(); digit < kDigits; digit += kWarp) mine[digit] = counts[digit * tiles + tile_number()];
  __syncwarp();
  for_tile(count, tile, tile_number(), shift, keys, [&](int64_t position, bool valid, unsigned digit, unsigned peers) {
    const unsigned lower = peers & ((1u << lane_number()) - 1);
    const uint32_t target = valid ? mine[digit] + __popc(lower) : 0;
    __syncwarp();
    if (valid && lower == 0) mine[digit] += __popc(peers);
    __syncwarp();
    if (!valid) return;
    keys_out[target] = keys[position];
    sources_out[target] = sources[position];
  });
}

// A run is a stretch of equal keys. One that lies in a piece is added to its destination; the parts of longer ones go to
// partial[piece][1] in the piece where the run starts and to partial[piece][0] in the others.
template <class E>
__device__ void scatter_pieces(int64_t rows, int64_t destinations, int64_t inner, const uint32_t* keys, const uint32_t* sources,
                               const void* src_data, void* dst_data, void* partial_data) {
  using A = Arithmetic<E>;
  const E* src = static_cast<const E*>(src_data);
  E* dst = static_cast<E*>(dst_data);
  const int64_t piece = blockIdx.x, begin = piece * kPiece, end = begin + kPiece < rows ? begin + kPiece : rows;
  E* partial = static_cast<E*>(partial_data) + piece * 2 * inner;
  for (int64_t i = int64_t(blockIdx.y) * blockDim.x + threadIdx.x; i < inner; i += int64_t(gridDim.y) * blockDim.x) {
    uint32_t run = keys[begin];
    bool starts_here = begin == 0 || keys[begin - 1] != run;
    E sum = 0;
    const auto finish = [&](bool ends_here) {
      if (run >= destinations) return;
      if (!starts_here || !ends_here)
        partial[(starts_here ? inner : 0) + i] = sum;
      else
        dst[run * inner + i] = A::add(dst[run * inner + i], sum);
    };
    for (int64_t position = begin; position < end; position++) {
      const uint32_t key = keys[position];
      if (key != run) {
        finish(true);
        run = key;
        starts_here = true;
        sum = 0;
      }
      sum = A::add(sum, src[sources[position] * inner + i]);
    }
    finish(end == rows || keys[end] != run);
  }
}

template <class E>
__device__ void scatter_join(int64_t rows, int64_t destinations, int64_t inner, const uint32_t* keys, const void* partial_data,
                             void* dst_data) {
  const E* partial = static_cast<const E*>(partial_data);
  E* dst = static_cast<E*>(dst_data);
  const auto end_of = [rows](int64_t piece) { return (piece + 1) * kPiece < rows ? (piece + 1) * kPiece : rows; };
  const auto goes_on = [&](int64_t piece, uint32_t run) {
    const int64_t end = end_of(piece);
    return end < rows && keys[end - 1] == run && keys[end] == run;
  };
  const int64_t piece = blockIdx.x, begin = piece * kPiece;
  const uint32_t run = keys[end_of(piece) - 1];
  const bool starts_here = keys[begin] != run || begin == 0 || keys[begin - 1] != run;
  if (run >= destinations || !starts_here || !goes_on(piece, run)) return;
  for (int64_t i = int64_t(blockIdx.y) * blockDim.x + threadIdx.x; i < inner; i += int64_t(gridDim.y) * blockDim.x) {
    E sum = partial[(piece * 2 + 1) * inner + i];
    int64_t last = piece;
    do {
      last++;
      sum = Arithmetic<E>::add(sum, partial[last * 2 * inner + i]);
    } while (goes_on(last, run));
    dst[run * inner + i] = Arithmetic<E>::add(dst[run * inner + i], sum);
  }
}

DEEP_RNN_DEFINE_NUMERIC(scatter_pieces,
                        (int64_t rows, int64_t destinations, int64_t inner, const uint32_t* keys, const uint32_t* sources,
                         const void* src, void* dst, void* partial),
                        (rows, destinations, inner, keys, sources, src, dst, partial))
DEEP_RNN_DEFINE_NUMERIC(scatter_join,
                        (int64_t rows, int64_t destinations, int64_t inner, const uint32_t* keys, const void* partial,
                         void* dst),
                        (rows, destinations, inner, keys, partial, dst))

}  // namespace deep_rnn::cuda
