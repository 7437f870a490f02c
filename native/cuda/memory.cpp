#include "cuda/memory.h"

#include <algorithm>
#include <cstring>

#include "cuda/gpu.h"

namespace deep_rnn::cuda {

namespace {

constexpr size_t kRingBytes = size_t(8) << 20, kPieceBytes = size_t(2) << 20;
constexpr size_t kLandingBytes = size_t(4) << 20;

}  // namespace

void* DeviceMemory::take(size_t bytes) {
  if (bytes <= bytes_) return data_;
  if (data_) gpu_.flush();
  release();
  const size_t grown = (bytes + bytes / 4 + 255) / 256 * 256;
  CUdeviceptr memory = 0;
  DEEP_RNN_CALL(gpu_.api(), cuMemAlloc, &memory, grown);
  data_ = reinterpret_cast<void*>(memory);
  bytes_ = grown;
  return data_;
}

void DeviceMemory::release() {
  if (!data_) return;
  // Commands that use it may still be on their way. A failure here has been, or will be, reported by the next command.
  gpu_.api().cuStreamSynchronize(gpu_.stream());
  gpu_.api().cuMemFree(reinterpret_cast<CUdeviceptr>(data_));
  data_ = nullptr;
  bytes_ = 0;
}

void Staging::open() {
  if (ring_) return;
  void* memory = nullptr;
  DEEP_RNN_CALL(api_, cuMemAllocHost, &memory, kRingBytes);
  ring_ = static_cast<char*>(memory);
  DEEP_RNN_CALL(api_, cuMemAllocHost, &memory, kLandingBytes);
  landing_ = static_cast<char*>(memory);
}

void Staging::release() {
  if (!ring_) return;
  api_.cuStreamSynchronize(stream_);
  for (const Flight& flight : flights_) api_.cuEventDestroy(flight.landed);
  for (CUevent event : events_) api_.cuEventDestroy(event);
  flights_.clear();
  events_.clear();
  api_.cuMemFreeHost(ring_);
  if (landing_) api_.cuMemFreeHost(landing_);
  ring_ = landing_ = nullptr;
}

void Staging::wait_for_oldest() {
  DEEP_RNN_CALL(api_, cuEventSynchronize, flights_.front().landed);
  events_.push_back(flights_.front().landed);
  flights_.pop_front();
}

// After the stream was waited for.
void Staging::all_landed() {
  for (const Flight& flight : flights_) events_.push_back(flight.landed);
  flights_.clear();
}

// Where the next `bytes` lie in the ring. Flights are in the order of the ring, so only the oldest ones can be in the way.
size_t Staging::reserve(size_t bytes) {
  if (next_ + bytes > kRingBytes) next_ = 0;
  const size_t begin = next_, end = begin + bytes;
  const auto in_the_way = [&] {
    return std::any_of(flights_.begin(), flights_.end(),
                       [&](const Flight& flight) { return flight.begin < end && begin < flight.end; });
  };
  while (in_the_way()) wait_for_oldest();
  next_ = (end + 63) / 64 * 64;
  return begin;
}

void Staging::upload(CUdeviceptr device, const void* host, size_t bytes) {
  open();
  constexpr size_t kMostFlights = 64;
  for (size_t done = 0; done < bytes;) {
    const size_t piece = std::min(bytes - done, kPieceBytes), at = reserve(piece);
    std::memcpy(ring_ + at, static_cast<const char*>(host) + done, piece);
    DEEP_RNN_CALL(api_, cuMemcpyHtoDAsync, device + done, ring_ + at, piece, stream_);
    if (flights_.size() >= kMostFlights) wait_for_oldest();
    CUevent event = nullptr;
    if (events_.empty()) {
      DEEP_RNN_CALL(api_, cuEventCreate, &event, CU_EVENT_DISABLE_TIMING);
    } else {
      event = events_.back();
      events_.pop_back();
    }
    flights_.push_back({at, at + piece, event});
    DEEP_RNN_CALL(api_, cuEventRecord, event, stream_);
    done += piece;
  }
}

void Staging::download(void* host, CUdeviceptr device, size_t bytes) {
  open();
  size_t done = 0;
  do {
    const size_t piece = std::min(bytes - done, kLandingBytes);
    if (piece > 0) DEEP_RNN_CALL(api_, cuMemcpyDtoHAsync, landing_, device + done, piece, stream_);
    DEEP_RNN_CALL(api_, cuStreamSynchronize, stream_);
    all_landed();
    if (piece > 0) std::memcpy(static_cast<char*>(host) + done, landing_, piece);
    done += piece;
  } while (done < bytes);
}

}  // namespace deep_rnn::cuda
