#include "core/device.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/error.h"

namespace deep_rnn {

namespace {

bool poison_memory() {
#ifdef DEEP_RNN_POISON
  return true;
#else
  const char* setting = std::getenv("DEEP_RNN_POISON");
  return setting && *setting && std::string(setting) != "0";
#endif
}

}  // namespace

Device::Device(BackendFactory factory, size_t memory_limit)
    : memory_limit_(memory_limit), stream_(std::move(factory), memory_limit, poison_memory()) {}

std::shared_ptr<Buffer> Device::allocate(size_t bytes) {
  if (memory_limit_ > 0 && (bytes > memory_limit_ || live_bytes_ > memory_limit_ - bytes)) {
    throw Error("out of memory: needed " + std::to_string(bytes) + " bytes, " + std::to_string(live_bytes_) +
                " in use, limit " + std::to_string(memory_limit_));
  }
  auto buffer = std::make_shared<Buffer>(bytes);
  Command command;
  command.kind = Command::Kind::housekeeping;
  command.run = [this, buffer](Backend&) { buffer->data = stream_.allocator().allocate(buffer->bytes); };
  command.describe = [bytes] { return "alloc of " + std::to_string(bytes) + " bytes"; };
  push(std::move(command));
  live_bytes_ += bytes;
  live_buffers_ += 1;
  peak_bytes_ = std::max(peak_bytes_, live_bytes_);
  return buffer;
}

void Device::release(std::shared_ptr<Buffer> buffer) {
  const size_t bytes = buffer->bytes;
  Command command;
  command.kind = Command::Kind::housekeeping;
  command.run = [this, buffer = std::move(buffer)](Backend&) {
    stream_.allocator().release(buffer->data, buffer->bytes);
    buffer->data = nullptr;
  };
  command.describe = [bytes] { return "free of " + std::to_string(bytes) + " bytes"; };
  push(std::move(command));
  live_bytes_ -= bytes;
  live_buffers_ -= 1;
}

void Device::begin_step() {
  Command command;
  command.kind = Command::Kind::housekeeping;
  command.run = [this](Backend& backend) {
    stream_.allocator().arrange();
    backend.begin_step();
  };
  command.describe = [] { return std::string("the begin of a step"); };
  push(std::move(command));
}

void Device::end_step() {
  Command command;
  command.kind = Command::Kind::housekeeping;
  command.run = [](Backend& backend) { backend.end_step(); };
  command.describe = [] { return std::string("a step"); };
  push(std::move(command));
}

}  // namespace deep_rnn
