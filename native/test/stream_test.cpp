#include "core/stream.h"

#include <atomic>
#include <cfloat>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"
#include "core/device.h"
#include "memory_backend.h"

using deep_rnn::Backend;
using deep_rnn::Command;
using deep_rnn::Device;
using deep_rnn::Error;
using deep_rnn::Stream;
using deep_rnn::test::MemoryBackend;
using deep_rnn::test::message_of;

namespace {

std::unique_ptr<Backend> make_backend() { return std::make_unique<MemoryBackend>(size_t(1) << 26); }

Command kernel(std::function<void(Backend&)> run, const std::string& name = "test kernel [2,3]") {
  Command command;
  command.run = std::move(run);
  command.describe = [name] { return name; };
  return command;
}

Command housekeeping(std::function<void(Backend&)> run) {
  Command command = kernel(std::move(run), "test housekeeping");
  command.kind = Command::Kind::housekeeping;
  return command;
}

// A gate that commands can be held at.
class Gate {
 public:
  void open() {
    std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!open_) changed_.wait_for(lock, std::chrono::seconds(60));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// Pushes a command and waits until it was settled; returns the error.
template <class Target>
std::string settle(
    Target& target, std::function<void(Backend&)> run = [](Backend&) {}) {
  Gate done;
  std::string outcome;
  Command command = kernel(std::move(run), "probe");
  command.settle = [&](const std::string& error) {
    outcome = error;
    done.open();
  };
  target.push(std::move(command));
  done.wait();
  return outcome;
}

void commands_run_in_order_on_one_thread() {
  Stream stream(make_backend, 0, false);
  std::vector<int> order;  // touched by the stream thread only, until close() has joined it
  std::vector<std::thread::id> threads;
  for (int i = 0; i < 20000; i++) {
    stream.push(kernel([&, i](Backend&) {
      order.push_back(i);
      if (threads.empty() || threads.back() != std::this_thread::get_id()) threads.push_back(std::this_thread::get_id());
    }));
  }
  CHECK_EQUAL(settle(stream), "");
  CHECK_EQUAL(stream.commands_run(), 20001u);
  stream.close();
  CHECK_EQUAL(order.size(), 20000u);
  for (int i = 0; i < 20000; i++) CHECK_EQUAL(order[size_t(i)], i);
  CHECK_EQUAL(threads.size(), 1u);
  CHECK(threads[0] != std::this_thread::get_id());
}

void the_queue_is_bounded_in_commands() {
  Stream stream(make_backend, 0, false);
  Gate gate;
  std::atomic<size_t> pushed{0};
  stream.push(kernel([&](Backend&) { gate.wait(); }));
  std::thread pusher([&] {
    for (size_t i = 0; i < Stream::kMaxCommands + 100; i++) {
      stream.push(kernel([](Backend&) {}));
      pushed++;
    }
  });
  while (pushed < Stream::kMaxCommands - 1) std::this_thread::yield();
  for (int i = 0; i < 100; i++) std::this_thread::yield();
  CHECK(pushed <= Stream::kMaxCommands + 1);
  gate.open();
  pusher.join();
  CHECK_EQUAL(settle(stream), "");
  CHECK_EQUAL(stream.commands_run(), Stream::kMaxCommands + 102);
}

void the_queue_is_bounded_in_bytes() {
  Stream stream(make_backend, 0, false);
  Gate gate;
  std::atomic<int> pushed{0};
  const auto staged = [](size_t bytes) {
    Command command = kernel([](Backend&) {});
    command.staged_bytes = bytes;
    return command;
  };
  stream.push(kernel([&](Backend&) { gate.wait(); }));
  std::thread pusher([&] {
    for (int i = 0; i < 3; i++) {
      stream.push(staged(Stream::kMaxStagedBytes / 2));
      pushed++;
    }
    stream.push(staged(3 * Stream::kMaxStagedBytes));  // alone, but admitted
    pushed++;
  });
  while (pushed < 2) std::this_thread::yield();
  for (int i = 0; i < 100; i++) std::this_thread::yield();
  CHECK_EQUAL(pushed.load(), 2);
  gate.open();
  pusher.join();
  CHECK_EQUAL(settle(stream), "");
}

void the_first_error_sticks() {
  Stream stream(make_backend, 0, false);
  std::atomic<int> ran{0}, housekept{0};
  stream.push(kernel([](Backend&) { throw Error("the cause"); }, "rnnForward lstm T=35 B=32"));
  stream.push(kernel([](Backend&) { throw Error("another cause"); }, "later"));
  stream.push(kernel([&](Backend&) { ran++; }));
  stream.push(housekeeping([&](Backend&) { housekept++; }));
  CHECK_EQUAL(settle(stream), "rnnForward lstm T=35 B=32: the cause");
  CHECK_EQUAL(settle(stream), "rnnForward lstm T=35 B=32: the cause");
  CHECK_EQUAL(ran.load(), 0);
  CHECK_EQUAL(housekept.load(), 1);

  stream.clear_error();
  stream.push(kernel([&](Backend&) { ran++; }));
  CHECK_EQUAL(settle(stream), "");
  CHECK_EQUAL(ran.load(), 1);
}

void clearing_is_a_command_like_any_other() {
  Stream stream(make_backend, 0, false);
  Gate gate;
  std::atomic<int> before{0}, after{0};
  stream.push(kernel([&](Backend&) {
    gate.wait();
    throw Error("the cause");
  }));
  stream.push(kernel([&](Backend&) { before++; }));
  stream.clear_error();
  stream.push(kernel([&](Backend&) { after++; }));
  gate.open();
  CHECK_EQUAL(settle(stream), "");
  CHECK_EQUAL(before.load(), 0);
  CHECK_EQUAL(after.load(), 1);
}

void anything_thrown_becomes_a_message() {
  Stream stream(make_backend, 0, false);
  CHECK_EQUAL(settle(stream, [](Backend&) { throw std::bad_alloc(); }), "probe: out of memory: 0 bytes in use by buffers");
  stream.clear_error();
  CHECK_EQUAL(settle(stream, [](Backend&) { throw 42; }), "probe: unknown failure");
  stream.clear_error();
  CHECK_EQUAL(settle(stream), "");
}

void closing_in_use_drops_kernels_and_runs_housekeeping() {
  size_t leaked = 1;
  Gate gate, started;
  std::atomic<int> kernels{0}, housekept{0}, settled{0};
  std::string outcome;
  Stream stream([&] { return std::make_unique<MemoryBackend>(size_t(1) << 20, &leaked); }, 0, false);
  stream.push(housekeeping([&](Backend&) { stream.allocator().allocate(1000); }));
  stream.push(kernel([&](Backend&) {
    started.open();
    gate.wait();
    kernels++;
  }));
  for (int i = 0; i < 100; i++) {
    Command command = kernel([&](Backend&) { kernels++; });
    command.settle = [&](const std::string& error) {
      outcome = error;
      settled++;
    };
    stream.push(std::move(command));
    stream.push(housekeeping([&](Backend&) { housekept++; }));
  }
  started.wait();
  std::thread closer([&] { stream.close(); });
  while (message_of([&] { stream.push(housekeeping([&](Backend&) { housekept--; })); }).empty()) {
    housekept++;  // pushed before close() had begun: it runs and takes this one back
    std::this_thread::yield();
  }
  gate.open();
  closer.join();
  CHECK_EQUAL(kernels.load(), 1);
  CHECK_EQUAL(housekept.load(), 100);
  CHECK_EQUAL(settled.load(), 100);
  CHECK_EQUAL(outcome, "the device was closed");
  CHECK_EQUAL(leaked, 0u);
  CHECK_EQUAL(message_of([&] { stream.push(kernel([](Backend&) {})); }), "the device is closed");
  stream.close();
}

void a_pusher_that_waits_is_released_by_closing() {
  Stream stream(make_backend, 0, false);
  Gate gate;
  stream.push(kernel([&](Backend&) { gate.wait(); }));
  std::atomic<bool> refused{false};
  std::thread pusher([&] {
    const std::string message = message_of([&] {
      for (;;) stream.push(kernel([](Backend&) {}));
    });
    CHECK_EQUAL(message, "the device is closed");
    refused = true;
  });
  std::thread closer([&] { stream.close(); });
  while (!refused) std::this_thread::yield();
  gate.open();
  pusher.join();
  closer.join();
}

void a_backend_that_does_not_start_is_an_error() {
  const std::string message =
      message_of([] { Stream stream([]() -> std::unique_ptr<Backend> { throw Error("no such device"); }, 0, false); });
  CHECK_EQUAL(message, "no such device");
}

void streams_flush_denormals() {
  Stream stream(make_backend, 0, false);
  volatile float smallest = FLT_MIN, half = 0.5f;
  float product = 1;
  CHECK_EQUAL(settle(stream, [&](Backend&) { product = smallest * half; }), "");
#if defined(__SSE2__) || defined(_M_X64) || (defined(__aarch64__) && defined(__GNUC__))
  CHECK_EQUAL(product, 0.0f);
#endif
  CHECK(smallest * half > 0);  // only the stream's thread
}

void many_streams_open_and_close() {
  for (int round = 0; round < 50; round++) {
    std::vector<std::unique_ptr<Stream>> streams;
    std::atomic<int> ran{0};
    for (int i = 0; i < 4; i++) {
      streams.push_back(std::make_unique<Stream>(make_backend, 0, false));
      for (int j = 0; j < 10; j++) streams.back()->push(housekeeping([&](Backend&) { ran++; }));
    }
    streams.clear();
    CHECK_EQUAL(ran.load(), 40);
  }
}

void a_device_keeps_books() {
  Device device(make_backend, 10000);
  auto a = device.allocate(4000);
  auto b = device.allocate(6000);
  CHECK_EQUAL(device.live_bytes(), 10000u);
  CHECK_EQUAL(message_of([&] { device.allocate(1); }), "out of memory: needed 1 bytes, 10000 in use, limit 10000");
  CHECK_EQUAL(message_of([&] { device.allocate(size_t(-1)); }),
              "out of memory: needed 18446744073709551615 bytes, 10000 in use, limit 10000");
  device.release(a);
  auto c = device.allocate(4000);
  CHECK_EQUAL(settle(device), "");
  CHECK_EQUAL(device.live_bytes(), 10000u);
  CHECK_EQUAL(device.live_buffers(), 2u);
  CHECK_EQUAL(device.peak_bytes(), 10000u);
  CHECK(a->data == nullptr && b->data != nullptr && c->data != nullptr);
  device.release(b);
  device.release(c);
  CHECK_EQUAL(device.live_bytes(), 0u);
  CHECK_EQUAL(device.live_buffers(), 0u);
  CHECK_EQUAL(device.peak_bytes(), 10000u);
}

void an_allocation_that_fails_is_sticky_and_its_buffer_unusable() {
  Device device([] { return std::make_unique<MemoryBackend>(4096); }, 0);
  auto buffer = device.allocate(5000);
  CHECK_EQUAL(settle(device), "alloc of 5000 bytes: out of memory: needed 5000 bytes, 0 in use");
  device.clear_error();
  const deep_rnn::View view{buffer, 0};
  CHECK_CONTAINS(settle(device, [view](Backend&) { view.as<float>(); }), "has no memory after an earlier failure");
  device.clear_error();
  device.release(buffer);
  CHECK_EQUAL(settle(device), "");
  CHECK_EQUAL(device.live_bytes(), 0u);
}

}  // namespace

int main() {
  commands_run_in_order_on_one_thread();
  the_queue_is_bounded_in_commands();
  the_queue_is_bounded_in_bytes();
  the_first_error_sticks();
  clearing_is_a_command_like_any_other();
  anything_thrown_becomes_a_message();
  closing_in_use_drops_kernels_and_runs_housekeeping();
  a_pusher_that_waits_is_released_by_closing();
  a_backend_that_does_not_start_is_an_error();
  streams_flush_denormals();
  many_streams_open_and_close();
  a_device_keeps_books();
  an_allocation_that_fails_is_sticky_and_its_buffer_unusable();
}
