// What one JavaScript environment (the main thread, or a worker) owns: its devices, buffers, recurrent stacks and promises.
#pragma once
#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "addon/handles.h"
#include "addon/promises.h"
#include "core/desc.h"
#include "core/device.h"

namespace deep_rnn::addon {

// A registered recurrent stack; `device` is null after its device was closed.
struct RegisteredRnn {
  Device* device;
  RnnDesc desc;
  RnnParamLayout layout;
};

class Environment {
 public:
  explicit Environment(napi_env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  int64_t open_device(std::unique_ptr<Device> device);
  // Idempotent; throws RangeMistake for an id that never was.
  void close_device(int64_t id);
  // Throws when `id` is not an open device's.
  Device& device(int64_t id);

  // The id of an equal descriptor on the same device, or a new one.
  int64_t register_rnn(Device& device, const RnnDesc& desc);
  const RegisteredRnn& rnn(int64_t id) const;

  HandleTable& handles() { return handles_; }
  Promises& promises() { return promises_; }

 private:
  static void on_exit(void* self);

  // Made before the cleanup hook: hooks run in reverse, so the streams are joined before the promises' loop handle closes.
  Promises promises_;
  HandleTable handles_;
  std::map<int64_t, std::unique_ptr<Device>> devices_;
  int64_t opened_ = 0;
  std::vector<std::unique_ptr<RegisteredRnn>> rnns_;
};

}  // namespace deep_rnn::addon
