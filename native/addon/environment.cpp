#include "addon/environment.h"

#include <utility>

#include "addon/arguments.h"

namespace deep_rnn::addon {

Environment::Environment(napi_env env) : promises_(env) { napi_add_env_cleanup_hook(env, on_exit, this); }

void Environment::on_exit(void* self) {
  auto* environment = static_cast<Environment*>(self);
  for (const auto& [id, device] : environment->devices_) device->close();
  environment->promises_.shut();
}

int64_t Environment::open_device(std::unique_ptr<Device> device) {
  devices_[++opened_] = std::move(device);
  return opened_;
}

void Environment::close_device(int64_t id) {
  if (id < 1 || id > opened_) {
    throw RangeMistake("Expected a device for closeDevice device but received " + std::to_string(id));
  }
  const auto found = devices_.find(id);
  if (found == devices_.end()) return;
  Device& device = *found->second;
  device.close();
  handles_.remove_all_of(device);
  for (const auto& rnn : rnns_) {
    if (rnn->device == &device) rnn->device = nullptr;
  }
  devices_.erase(found);
}

Device& Environment::device(int64_t id) {
  const auto found = devices_.find(id);
  if (found != devices_.end()) return *found->second;
  if (id >= 1 && id <= opened_) throw Error("device " + std::to_string(id) + " is closed");
  throw RangeMistake("Expected an open device for device but received " + std::to_string(id));
}

int64_t Environment::register_rnn(Device& device, const RnnDesc& desc) {
  for (size_t id = 0; id < rnns_.size(); id++) {
    if (rnns_[id]->device == &device && fields(rnns_[id]->desc) == fields(desc)) return int64_t(id) + 1;
  }
  rnns_.push_back(std::make_unique<RegisteredRnn>(RegisteredRnn{&device, desc, device.backend().rnn_param_layout(desc)}));
  return int64_t(rnns_.size());
}

const RegisteredRnn& Environment::rnn(int64_t id) const {
  if (id < 1 || id > int64_t(rnns_.size())) {
    throw RangeMistake("Expected a registered RNN for rnn but received " + std::to_string(id));
  }
  const RegisteredRnn& rnn = *rnns_[size_t(id) - 1];
  if (!rnn.device) throw Error("the device of RNN " + std::to_string(id) + " is closed");
  return rnn;
}

}  // namespace deep_rnn::addon
