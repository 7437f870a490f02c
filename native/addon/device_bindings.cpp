// Devices, memory and reads.
#include <cstring>

#include "addon/bindings.h"
#include "addon/operands.h"

namespace deep_rnn::addon {

namespace {

Device& device_argument(Environment& environment, const Arguments& arguments, size_t i) {
  return environment.device(arguments.integer(i, "device", 0, kMaxSafeInteger));
}

const HandleTable::Entry& buffer_argument(Environment& environment, const Arguments& arguments, size_t i) {
  const double handle = arguments.any_number(i, "buffer");
  const HandleTable::Entry* entry = environment.handles().find(handle);
  if (!entry) {
    throw RangeMistake("Expected the handle of a live buffer for " + arguments.name("buffer") + " but received " +
                       text_of(handle));
  }
  return *entry;
}

Napi::Value open_device(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "openDevice", 3);
  const bool cuda = arguments.integer(0, "kind", 0, 1) == 1;
  const int threads = int(arguments.integer(1, "threads", 0, 1024));
  const int64_t memory_limit = arguments.integer(2, "memoryLimit", 0, kMaxSafeInteger);
  const auto make = [cuda, threads] { return cuda ? make_cuda_backend() : make_cpu_backend(threads); };
  auto device = std::make_unique<Device>(make, size_t(memory_limit));
  return Napi::Number::New(info.Env(), double(environment.open_device(std::move(device))));
}

Napi::Value cuda_presence(Environment&, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "cudaPresence", 0);
  return Napi::Number::New(info.Env(), double(deep_rnn::cuda_presence()));
}

Napi::Value close_device(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "closeDevice", 1);
  environment.close_device(arguments.integer(0, "device", 0, kMaxSafeInteger));
  return info.Env().Undefined();
}

Napi::Value describe_device(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "describeDevice", 1);
  return Napi::String::New(info.Env(), device_argument(environment, arguments, 0).backend().describe());
}

Napi::Value device_statistics(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "deviceStatistics", 1);
  const Device& device = device_argument(environment, arguments, 0);
  const double numbers[] = {double(device.live_bytes()),    double(device.live_buffers()),      double(device.peak_bytes()),
                            double(device.held_bytes()),    double(device.backend().threads()), double(device.commands_run()),
                            double(device.scratch_bytes()), double(device.system_allocations())};
  auto statistics = Napi::Float64Array::New(info.Env(), sizeof(numbers) / sizeof(*numbers));
  std::memcpy(statistics.Data(), numbers, sizeof(numbers));
  return statistics;
}

Napi::Value clear_error(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "clearError", 1);
  device_argument(environment, arguments, 0).clear_error();
  return info.Env().Undefined();
}

Napi::Value graph_statistics(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "graphStatistics", 1);
  const GraphStatistics graphs = device_argument(environment, arguments, 0).backend().graph_statistics();
  const double numbers[] = {double(graphs.held), double(graphs.captured), double(graphs.replayed), double(graphs.eager),
                            double(graphs.refused)};
  auto statistics = Napi::Float64Array::New(info.Env(), sizeof(numbers) / sizeof(*numbers));
  std::memcpy(statistics.Data(), numbers, sizeof(numbers));
  return statistics;
}

Napi::Value begin_step(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "beginStep", 1);
  device_argument(environment, arguments, 0).begin_step();
  return info.Env().Undefined();
}

Napi::Value end_step(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "endStep", 1);
  device_argument(environment, arguments, 0).end_step();
  return info.Env().Undefined();
}

Napi::Value synchronize(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "synchronize", 1);
  Device& device = device_argument(environment, arguments, 0);
  const auto wait = [](Backend& backend, unsigned char*) { backend.synchronize(); };
  return push_promise(environment, device, "synchronize", nullptr, 0, wait, info.Env());
}

Napi::Value measure_peak(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "measurePeak", 2);
  Device& device = device_argument(environment, arguments, 0);
  arguments.numbers(1, "target", 5);
  const auto measure = [](Backend& backend, unsigned char* results) {
    const Peak peak = backend.measure_peak();
    const double numbers[] = {peak.float32, peak.barrier, peak.bfloat16, peak.tf32, peak.copy};
    std::memcpy(results, numbers, sizeof(numbers));
  };
  return push_promise(environment, device, "measurePeak", arguments.value(1), 5 * sizeof(double), measure, info.Env());
}

Napi::Value alloc(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "alloc", 2);
  Device& device = device_argument(environment, arguments, 0);
  const size_t bytes = size_t(arguments.integer(1, "bytes", 0, kMaxSafeInteger));
  return Napi::Number::New(info.Env(), environment.handles().insert(device.allocate(bytes), device));
}

Napi::Value free(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "free", 1);
  const HandleTable::Entry& entry = buffer_argument(environment, arguments, 0);
  entry.device->release(entry.buffer);
  environment.handles().remove(&entry);
  return info.Env().Undefined();
}

Napi::Value write(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "write", 3);
  Operands operands(environment, "write");
  const Bytes source = arguments.bytes(2, "source");
  const View buffer = operands.view("buffer", arguments.any_number(0, "buffer"), arguments.any_number(1, "byteOffset"), 1,
                                    int64_t(source.size), Access::write);
  if (source.size == 0) return info.Env().Undefined();

  const size_t bytes = source.size;
  std::shared_ptr<unsigned char[]> staging(new unsigned char[bytes]);
  std::memcpy(staging.get(), source.data, bytes);
  Command command;
  command.staged_bytes = bytes;
  command.run = [buffer, staging, bytes](Backend& backend) { backend.upload(buffer.as<>(), staging.get(), bytes); };
  command.describe = [bytes] { return "write of " + std::to_string(bytes) + " bytes"; };
  operands.device().push(std::move(command));
  return info.Env().Undefined();
}

Napi::Value read(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "read", 3);
  Operands operands(environment, "read");
  const Bytes target = arguments.bytes(2, "target");
  const View buffer = operands.view("buffer", arguments.any_number(0, "buffer"), arguments.any_number(1, "byteOffset"), 1,
                                    int64_t(target.size), Access::read);
  const size_t bytes = target.size;
  const auto download = [buffer, bytes](Backend& backend, unsigned char* results) {
    if (bytes == 0) return backend.synchronize();
    backend.download(results, buffer.as<>(), bytes);
  };
  return push_promise(environment, operands.device(), "read of " + std::to_string(bytes) + " bytes", arguments.value(2), bytes,
                      download, info.Env());
}

}  // namespace

void define_device_bindings(Napi::Object exports) {
  define<open_device>(exports, "openDevice");
  define<cuda_presence>(exports, "cudaPresence");
  define<close_device>(exports, "closeDevice");
  define<describe_device>(exports, "describeDevice");
  define<device_statistics>(exports, "deviceStatistics");
  define<graph_statistics>(exports, "graphStatistics");
  define<begin_step>(exports, "beginStep");
  define<end_step>(exports, "endStep");
  define<clear_error>(exports, "clearError");
  define<synchronize>(exports, "synchronize");
  define<measure_peak>(exports, "measurePeak");
  define<alloc>(exports, "alloc");
  define<free>(exports, "free");
  define<write>(exports, "write");
  define<read>(exports, "read");
}

}  // namespace deep_rnn::addon
