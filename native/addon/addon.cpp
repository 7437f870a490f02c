// The addon: marshalling only. Every function of src/native/binding.ts checks its arguments, builds a descriptor and pushes one
// command; all state belongs to the environment, so that the addon works in several worker threads at once.
#include <napi.h>

#include "addon/bindings.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new deep_rnn::addon::Environment(env));
  try {
    deep_rnn::addon::define_device_bindings(exports);
    deep_rnn::addon::define_primitive_bindings(exports);
    deep_rnn::addon::define_fused_bindings(exports);
    deep_rnn::addon::define_rnn_bindings(exports);
    deep_rnn::addon::define_diagnostic_bindings(exports);
  } catch (const std::exception& failure) {
    throw Napi::Error::New(env, failure.what());
  }
  return exports;
}

}  // namespace

NODE_API_MODULE(deep_rnn, init)
