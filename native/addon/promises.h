// Promises that a stream thread settles: reads and synchronisation.
#pragma once
#include <napi.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace deep_rnn::addon {

// The stream copies into `staging`, and the JavaScript thread from there into the target, after looking at the target's length
// again: whatever happens to the array meanwhile, nothing is written outside it.
struct PendingPromise {
  napi_deferred deferred = nullptr;
  napi_ref target = nullptr;  // a typed array, or null
  std::unique_ptr<unsigned char[]> staging;
  size_t bytes = 0;
  std::string error;
};

// One per environment. Keeps the event loop alive only while a promise is pending.
class Promises {
 public:
  explicit Promises(napi_env env);
  Promises(const Promises&) = delete;
  Promises& operator=(const Promises&) = delete;

  // A promise that, when settled without error, has `bytes` of staging copied into `target` (null: nothing to copy).
  std::shared_ptr<PendingPromise> open(napi_value target, size_t bytes, napi_value& promise);
  // Any thread, once per promise; an empty error resolves.
  void settle(std::shared_ptr<PendingPromise> pending, const std::string& error);
  // Forgets the environment's event loop; every stream has been joined before.
  void shut();

 private:
  void deliver();
  void deliver(PendingPromise& pending);

  napi_env env_;
  napi_threadsafe_function wake_ = nullptr;
  size_t pending_ = 0;  // JavaScript thread only
  std::mutex mutex_;
  std::vector<std::shared_ptr<PendingPromise>> settled_;
};

}  // namespace deep_rnn::addon
