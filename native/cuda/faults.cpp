#include "cuda/faults.h"

namespace deep_rnn::cuda {

Fault Faults::add(const FaultSite& site, void* device) {
  auto* keys = static_cast<Keys*>(device);
  const size_t place = sites_.size();
  sites_.push_back(site);
  // Addresses alone: the memory is the device's.
  return {reinterpret_cast<unsigned long long*>(reinterpret_cast<char*>(keys) + offsetof(Keys, key)) + place,
          reinterpret_cast<int32_t*>(reinterpret_cast<char*>(keys) + offsetof(Keys, raised))};
}

std::string Faults::message(const Keys& keys) const {
  for (size_t i = 0; i < sites_.size(); i++) {
    const unsigned long long key = keys.key[i];
    if (key == ~0ull) continue;
    const FaultSite& site = sites_[i];
    const int64_t position = int64_t(key >> 32);
    std::string text = std::string(site.operation) + ": " + site.value + " " + std::to_string(int32_t(uint32_t(key))) +
                       " outside 0.." + std::to_string(site.limit - 1);
    if (site.shape[1] == 1 && site.shape[2] == 1) return text + " at row " + std::to_string(position);
    return text + " at position [" + std::to_string(position / site.shape[2] / site.shape[1]) + "," +
           std::to_string(position / site.shape[2] % site.shape[1]) + "," + std::to_string(position % site.shape[2]) + "]";
  }
  return "a kernel met a wrong index";
}

}  // namespace deep_rnn::cuda
