// How a function becomes a property of the addon: exceptions end here and are thrown in JavaScript instead.
#pragma once
#include <napi.h>

#include <new>
#include <string>

#include "addon/arguments.h"
#include "addon/environment.h"

namespace deep_rnn::addon {

using Function = Napi::Value (*)(Environment& environment, const Napi::CallbackInfo& info);

// The status of a throw is ignored on purpose: in a worker that is being terminated nothing can be thrown any more.
template <Function function>
napi_value guarded(napi_env env, napi_callback_info raw) {
  try {
    const Napi::CallbackInfo info(env, raw);
    void* environment = nullptr;
    if (napi_get_instance_data(env, &environment) != napi_ok || !environment) return nullptr;
    return function(*static_cast<Environment*>(environment), info);
  } catch (const Napi::Error& error) {
    napi_throw(env, error.Value());
  } catch (const TypeMistake& mistake) {
    napi_throw_type_error(env, nullptr, mistake.what());
  } catch (const RangeMistake& mistake) {
    napi_throw_range_error(env, nullptr, mistake.what());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, nullptr, "out of host memory");
  } catch (const std::exception& failure) {
    napi_throw_error(env, nullptr, failure.what());
  }
  return nullptr;
}

template <Function function>
void define(Napi::Object exports, const char* name) {
  napi_value value;
  napi_status status = napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, guarded<function>, nullptr, &value);
  if (status == napi_ok) status = napi_set_named_property(exports.Env(), exports, name, value);
  if (status != napi_ok) throw Error(std::string("could not define ") + name);
}

// Pushes a kernel on the device: `describe` is called only when it fails.
template <class Describe, class Run>
void push_kernel(Device& device, Describe describe, Run run) {
  Command command;
  command.describe = std::move(describe);
  command.run = std::move(run);
  device.push(std::move(command));
}

// Pushes a command that fills `bytes` of a typed array, or only waits when target is null; returns its promise.
template <class Compute>
Napi::Value push_promise(Environment& environment, Device& device, const std::string& name, napi_value target, size_t bytes,
                         Compute compute, napi_env env) {
  napi_value promise = nullptr;
  Promises& promises = environment.promises();
  const std::shared_ptr<PendingPromise> pending = promises.open(target, bytes, promise);
  Command command;
  command.staged_bytes = bytes;
  command.run = [pending, compute](Backend& backend) { compute(backend, pending->staging.get()); };
  command.describe = [name] { return name; };
  command.settle = [&promises, pending](const std::string& error) { promises.settle(pending, error); };
  try {
    device.push(std::move(command));
  } catch (const std::exception& failure) {
    promises.settle(pending, failure.what());
  }
  return Napi::Value(env, promise);
}

void define_device_bindings(Napi::Object exports);
void define_primitive_bindings(Napi::Object exports);
void define_fused_bindings(Napi::Object exports);
void define_rnn_bindings(Napi::Object exports);
void define_diagnostic_bindings(Napi::Object exports);

}  // namespace deep_rnn::addon
