#include "launch.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <set>

#include "device.h"
#include "fiber.h"

deep_rnn::host_cuda::Index threadIdx, blockIdx, blockDim, gridDim;

namespace deep_rnn::host_cuda {

namespace {

constexpr unsigned kWarp = 32, kMostThreads = 1024;
constexpr size_t kMostShared = 48 * 1024;

enum class State { fresh, ready, at_barrier, at_warp, done };

struct Thread {
  Fiber* fiber;  // that it stands in the middle of
  Index index;
  State state;
  // Of the meeting that it waits for.
  Meeting kind;
  uint64_t value;
  int operand;
  const char* place;
};

const Kernel* current_kernel = nullptr;
void** current_arguments = nullptr;
const char* last_place = nullptr;
Thread* current_thread = nullptr;
const char* left_out = nullptr;
std::set<std::string> known_places;
uint64_t block_number = 0;  // of all blocks that ever ran
size_t shared_bytes = 0;    // of the arrays that the running block has entered

[[noreturn]] void violate(const std::string& what) {
  throw Violation(std::string(current_kernel->name) + ", block " + std::to_string(blockIdx.x) + "," +
                  std::to_string(blockIdx.y) + ": " + what);
}

// File and line without the folders.
std::string where(const char* place) {
  const char* slash = std::strrchr(place, '/');
  return slash ? slash + 1 : place;
}

// Most sites are literals that exist once.
bool same_place(const char* a, const char* b) { return a == b || std::strcmp(a, b) == 0; }

std::string standing(const Thread& thread) {
  if (thread.state == State::done) return "has ended";
  return (thread.state == State::at_barrier ? "waits for the block at " : "is at ") + where(thread.place);
}

// Fibers and their stacks, one for each thread of a block.
struct Crew {
  Fiber fibers[kMostThreads];
  Thread threads[kMostThreads];
  const Stacks stacks{kMostThreads};
};

// One block: its threads, and who runs next.
class Block {
 public:
  Block(Crew& crew, unsigned count, const Schedule& schedule, std::mt19937_64& random)
      : crew_(crew), threads_(crew.threads), count_(count), left_(count), schedule_(schedule), random_(random) {
    for (unsigned t = 0; t < count; t++) threads_[t].state = State::fresh;
  }

  void run() {
    while (left_ > 0) {
      if (const int warp = next_warp(); warp >= 0) {
        run_lanes(unsigned(warp));
        meet_lanes(unsigned(warp));
      } else {
        pass_barrier();
      }
    }
  }

 private:
  unsigned warps() const { return count_ / kWarp; }
  Thread& lane(unsigned warp, unsigned number) { return threads_[warp * kWarp + number]; }

  // A warp that has threads to run, or none.
  int next_warp() {
    candidates_.clear();
    for (unsigned warp = 0; warp < warps(); warp++)
      for (unsigned number = 0; number < kWarp; number++)
        if (can_run(lane(warp, number))) {
          candidates_.push_back(warp);
          break;
        }
    if (candidates_.empty()) return -1;
    switch (schedule_.order) {
      case Order::forward:
        return int(candidates_.front());
      case Order::reverse:
        return int(candidates_.back());
      case Order::round_robin:
        for (unsigned warp : candidates_)
          if (warp >= turn_) return int((turn_ = warp + 1) - 1);
        return int((turn_ = candidates_.front() + 1) - 1);
      default:
        return int(candidates_[random_() % candidates_.size()]);
    }
  }

  static bool can_run(const Thread& thread) { return thread.state == State::fresh || thread.state == State::ready; }

  // The lane that is the i-th to run.
  Thread& in_order(unsigned i) {
    // 13 has no factor in common with 32.
    const unsigned number = schedule_.order == Order::reverse    ? kWarp - 1 - i
                            : schedule_.order == Order::shuffled ? (start_ + 13 * i) % kWarp
                                                                 : i;
    return lane(warp_, number);
  }

  void run_lanes(unsigned warp) {
    warp_ = warp;
    start_ = schedule_.order == Order::shuffled ? unsigned(random_() % kWarp) : 0;
    for (next_ = 0; next_ < kWarp;) {
      Thread& thread = in_order(next_);
      if (thread.state == State::fresh) {
        const size_t number = size_t(&thread - threads_);
        fiber_ = &crew_.fibers[number];
        fiber_->start(
            crew_.stacks.of(number), [](void* block) { static_cast<Block*>(block)->run_fresh(); }, this);
        fiber_->resume();
        continue;
      }
      next_++;
      if (thread.state != State::ready) continue;
      become(thread);
      fiber_ = thread.fiber;
      fiber_->resume();
    }
  }

  // Threads that have not begun take turns on one fiber as long as they come to their ends without waiting for anybody. The
  // first that waits keeps the fiber.
  void run_fresh() {
    while (next_ < kWarp && in_order(next_).state == State::fresh) {
      Thread& thread = in_order(next_++);
      become(thread);
      thread.fiber = fiber_;
      current_kernel->call(current_arguments);
      thread.state = State::done;
      left_--;
    }
  }

  static void become(Thread& thread) {
    current_thread = &thread;
    threadIdx = thread.index;
  }

  // What the threads of a warp came together for, if they did.
  void meet_lanes(unsigned warp) {
    const Thread* first = nullptr;
    for (unsigned number = 0; number < kWarp && !first; number++)
      if (lane(warp, number).state == State::at_warp) first = &lane(warp, number);
    if (!first) return;
    if (first->kind == Meeting::incomplete) violate("a mask that leaves lanes out at " + where(first->place));
    for (unsigned number = 0; number < kWarp; number++) {
      const Thread& thread = lane(warp, number);
      if (thread.state == State::at_warp && thread.kind == first->kind && same_place(thread.place, first->place)) continue;
      violate("a warp meets at " + where(first->place) + " but lane " + std::to_string(number) + " " + standing(thread));
    }
    uint64_t values[kWarp], votes = 0;
    for (unsigned number = 0; number < kWarp; number++) {
      values[number] = lane(warp, number).value;
      votes |= (values[number] & 1) << number;
    }
    for (unsigned number = 0; number < kWarp; number++) {
      Thread& thread = lane(warp, number);
      thread.state = State::ready;
      if (thread.kind == Meeting::ballot) thread.value = votes;
      if (thread.kind == Meeting::exchange_xor) thread.value = values[(number ^ unsigned(thread.operand)) % kWarp];
      if (thread.kind == Meeting::exchange_up)
        thread.value = values[int(number) < thread.operand ? number : number - unsigned(thread.operand)];
    }
  }

  void pass_barrier() {
    const auto waiting = [](const Thread& thread) { return thread.state == State::at_barrier; };
    const Thread& first = *std::find_if(threads_, threads_ + count_, waiting);
    for (unsigned i = 0; i < count_; i++) {
      const Thread& thread = threads_[i];
      if (waiting(thread) && same_place(thread.place, first.place)) continue;
      violate("the block meets at " + where(first.place) + " but thread " + std::to_string(i) + " " + standing(thread));
    }
    for (unsigned i = 0; i < count_; i++) threads_[i].state = State::ready;
  }

  Crew& crew_;
  Thread* const threads_;
  const unsigned count_;
  unsigned left_, turn_ = 0;
  const Schedule& schedule_;
  std::mt19937_64& random_;
  std::vector<unsigned> candidates_;
  // The warp that runs, where its order begins, who comes next in it, and on which fiber.
  unsigned warp_ = 0, start_ = 0, next_ = 0;
  Fiber* fiber_ = nullptr;
};

}  // namespace

uint64_t meet(Meeting kind, unsigned lanes, uint64_t value, int operand, const char* place) {
  Thread& thread = *current_thread;
  if (kind == Meeting::barrier) {
    if (place != last_place) known_places.insert(where(last_place = place));
    if (left_out && where(place) == left_out) return value;
  }
  // An incomplete mask cannot be told from a wrong one, so the kernels use none.
  if (lanes != ~0u) kind = Meeting::incomplete;
  thread.kind = kind;
  thread.value = value;
  thread.operand = operand;
  thread.place = place;
  thread.state = kind == Meeting::barrier ? State::at_barrier : State::at_warp;
  Fiber::suspend();
  return thread.value;
}

std::vector<std::string> places() { return {known_places.begin(), known_places.end()}; }

void SharedArray::enter() {
  if (block == block_number) return;
  block = block_number;
  std::memset(data, 0xFF, bytes);
  shared_bytes += bytes;
}

void launch(const Kernel& kernel, Size grid, Size block, void** arguments, const Schedule& schedule) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  static const std::unique_ptr<Crew> crew(new Crew);
  current_kernel = &kernel;
  current_arguments = arguments;
  left_out = schedule.without;
  blockIdx = {0, 0, 0};
  blockDim = {block.x, block.y, block.z};
  gridDim = {grid.x, grid.y, grid.z};
  const uint64_t count = uint64_t(block.x) * block.y * block.z, blocks = uint64_t(grid.x) * grid.y * grid.z;
  if (count == 0 || count > kMostThreads || count % kWarp != 0)
    violate("Expected whole warps and at most 1024 threads for the block but received " + std::to_string(count));
  if (blocks == 0 || grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535)
    violate("Expected a grid that CUDA accepts but received " + std::to_string(grid.x) + "," + std::to_string(grid.y));
  std::mt19937_64 random(schedule.seed);
  std::vector<uint64_t> order(blocks);
  std::iota(order.begin(), order.end(), uint64_t(0));
  if (schedule.order == Order::reverse) std::reverse(order.begin(), order.end());
  if (schedule.order == Order::shuffled) std::shuffle(order.begin(), order.end(), random);
  for (unsigned t = 0; t < count; t++) crew->threads[t].index = {t % block.x, t / block.x % block.y, t / block.x / block.y};
  for (const uint64_t number : order) {
    blockIdx = {unsigned(number % grid.x), unsigned(number / grid.x % grid.y), unsigned(number / grid.x / grid.y)};
    block_number++;
    shared_bytes = 0;
    Block(*crew, unsigned(count), schedule, random).run();
    if (shared_bytes > kMostShared) violate("uses " + std::to_string(shared_bytes) + " bytes of shared memory");
  }
}

}  // namespace deep_rnn::host_cuda
