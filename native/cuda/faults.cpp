#include "cuda/faults.h"

#include <algorithm>
#include <iterator>

namespace deep_rnn::cuda {

Fault Faults::add(const FaultSite& site, void* keys, int32_t* raised) {
  const size_t place = find(site);
  if (place == sites_.size()) sites_.push_back(site);
  if (std::find(order_.begin(), order_.end(), place) == order_.end()) order_.push_back(place);
  return {static_cast<unsigned long long*>(keys) + place, raised};
}

void Faults::clear() {
  sites_.clear();
  order_.clear();
}

size_t Faults::find(const FaultSite& site) const {
  const auto is_same = [&](const FaultSite& other) {
    return other.operation == site.operation && other.value == site.value && other.limit == site.limit &&
           std::equal(std::begin(other.shape), std::end(other.shape), site.shape) && other.first == site.first;
  };
  return size_t(std::find_if(sites_.begin(), sites_.end(), is_same) - sites_.begin());
}

std::string Faults::message(const Keys& keys) const {
  for (size_t i : order_) {
    const unsigned long long key = keys[i];
    if (key == ~0ull) continue;
    const FaultSite& site = sites_[i];
    const int64_t position = site.first + int64_t(key >> 32);
    std::string text = std::string(site.operation) + ": " + site.value + " " + std::to_string(int32_t(uint32_t(key))) +
                       " outside 0.." + std::to_string(site.limit - 1);
    if (site.shape[1] == 1 && site.shape[2] == 1) return text + " at row " + std::to_string(position);
    return text + " at position [" + std::to_string(position / site.shape[2] / site.shape[1]) + "," +
           std::to_string(position / site.shape[2] % site.shape[1]) + "," + std::to_string(position % site.shape[2]) + "]";
  }
  return "a kernel met a wrong index";
}

}  // namespace deep_rnn::cuda
