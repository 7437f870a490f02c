#include "addon/promises.h"

#include <cstring>

#include "addon/arguments.h"

namespace deep_rnn::addon {

namespace {

void check(napi_status status) {
  if (status != napi_ok) throw Error("a Node-API call failed with status " + std::to_string(int(status)));
}

}  // namespace

Promises::Promises(napi_env env) : env_(env) {
  napi_value name;
  check(napi_create_string_utf8(env, "deep-rnn", NAPI_AUTO_LENGTH, &name));
  const auto call = [](napi_env caller, napi_value, void* context, void*) {
    if (caller) static_cast<Promises*>(context)->deliver();
  };
  check(napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, call, &wake_));
  check(napi_unref_threadsafe_function(env, wake_));
}

std::shared_ptr<PendingPromise> Promises::open(napi_value target, size_t bytes, napi_value& promise) {
  auto pending = std::make_shared<PendingPromise>();
  if (target) {
    pending->staging.reset(new unsigned char[bytes]);
    pending->bytes = bytes;
    check(napi_create_reference(env_, target, 1, &pending->target));
  }
  const napi_status status = napi_create_promise(env_, &pending->deferred, &promise);
  if (status != napi_ok && pending->target) napi_delete_reference(env_, pending->target);
  check(status);
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, wake_);
  return pending;
}

void Promises::settle(std::shared_ptr<PendingPromise> pending, const std::string& error) {
  pending->error = error;
  bool first;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    settled_.push_back(std::move(pending));
    first = settled_.size() == 1;
  }
  // One wake-up delivers everything settled so far. Without the lock, which is the first thing that the woken thread takes.
  if (first) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Promises::shut() { napi_release_threadsafe_function(wake_, napi_tsfn_abort); }

void Promises::deliver() {
  std::vector<std::shared_ptr<PendingPromise>> settled;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    settled.swap(settled_);
  }
  for (const auto& pending : settled) deliver(*pending);
  pending_ -= settled.size();
  if (pending_ == 0) napi_unref_threadsafe_function(env_, wake_);
}

void Promises::deliver(PendingPromise& pending) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  if (pending.target) {
    napi_value target = nullptr;
    Bytes bytes{};
    if (pending.error.empty()) {
      if (napi_get_reference_value(env_, pending.target, &target) != napi_ok || !target ||
          !typed_array_bytes(env_, target, bytes) || bytes.size != pending.bytes) {
        pending.error = "Expected an array of " + std::to_string(pending.bytes) +
                        " bytes for read target but received one of " + std::to_string(bytes.size) +
                        " bytes: it was resized, detached or transferred during the read";
      } else if (bytes.size > 0) {
        std::memcpy(bytes.data, pending.staging.get(), bytes.size);
      }
    }
    napi_delete_reference(env_, pending.target);
  }
  napi_value value = nullptr;
  if (pending.error.empty()) {
    napi_get_undefined(env_, &value);
    napi_resolve_deferred(env_, pending.deferred, value);
  } else {
    napi_value message = nullptr;
    napi_create_string_utf8(env_, pending.error.data(), pending.error.size(), &message);
    napi_create_error(env_, nullptr, message, &value);
    napi_reject_deferred(env_, pending.deferred, value);
  }
  napi_close_handle_scope(env_, scope);
}

}  // namespace deep_rnn::addon
