#include "cuda/generate.h"

#include <algorithm>

#include "core/error.h"
#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

namespace {

class Generator {
 public:
  Generator(Gpu& gpu, Rnn& rnn, DeviceMemory& memory, const RnnDesc& stack, const GenerateDesc& desc, const GenerateArgs& args)
      : gpu_(gpu), rnn_(rnn), stack_(stack), desc_(desc), args_(args), element_(size_of(stack.dtype)) {
    carve(Carver(memory.take(carve(Carver(nullptr)))));
  }

  void run() {
    gpu_.upload(fed_, args_.prefix, size_t(desc_.prefix) * sizeof(int32_t));
    const void *h = args_.h, *c = args_.c;
    int turn = 0;
    const auto feed = [&](int64_t steps) {
      forward(steps, h, c, h_[turn], c_[turn]);
      h = h_[turn];
      c = c_[turn];
      turn = 1 - turn;
    };
    feed(desc_.prefix);
    int64_t last = desc_.prefix - 1;
    for (int64_t drawn = 0; drawn < desc_.length; drawn++) {
      head(last);
      draw(drawn);
      // The last token is left to the caller, who begins with it to go on.
      if (drawn + 1 == desc_.length) break;
      feed(1);
      last = 0;
    }
    gpu_.copy(args_.h, h, state_bytes(stack_.output_size()));
    if (args_.c) gpu_.copy(args_.c, c, state_bytes(stack_.hidden_size));
  }

 private:
  size_t carve(Carver carver) {
    const size_t prefix = size_t(desc_.prefix);
    fed_ = carver.bytes<int32_t>(prefix * sizeof(int32_t));
    x_ = desc_.embedding_size > 0 ? carver.bytes(prefix * size_t(stack_.input_size) * element_) : nullptr;
    y_ = carver.bytes(prefix * size_t(stack_.output_size()) * element_);
    logits_ = carver.bytes(size_t(desc_.vocabulary) * element_);
    workspace_ = carver.bytes(sample_workspace_bytes(desc_.vocabulary));
    for (int turn = 0; turn < 2; turn++) {
      h_[turn] = carver.bytes(state_bytes(stack_.output_size()));
      c_[turn] = args_.c ? carver.bytes(state_bytes(stack_.hidden_size)) : nullptr;
    }
    return carver.used();
  }

  size_t state_bytes(int64_t width) const { return size_t(stack_.layers * width) * element_; }

  // The tokens of fed_ through the stack.
  void forward(int64_t steps, const void* h, const void* c, void* hn, void* cn) {
    if (desc_.embedding_size > 0)
      gather(gpu_, {stack_.dtype, 1, desc_.vocabulary, steps, stack_.input_size, {0, 1, 0}}, args_.embedding, fed_, x_);
    RnnForwardArgs pass{};
    pass.steps = steps;
    pass.batch = 1;
    pass.params = args_.params;
    pass.x = x_;
    pass.tokens = x_ ? nullptr : fed_;
    pass.h0 = h;
    pass.c0 = c;
    pass.y = y_;
    pass.hn = hn;
    pass.cn = cn;
    rnn_.forward(stack_, pass, same_params_);
    same_params_ = true;
  }

  // The logits after step `last` of the pass before.
  void head(int64_t last) {
    const int64_t O = stack_.output_size(), V = desc_.vocabulary;
    const char* y = static_cast<const char*>(y_) + size_t(last * O) * element_;
    if (args_.head_bias) gpu_.copy(logits_, args_.head_bias, size_t(V) * element_);
    matmul(gpu_, {stack_.dtype, 1, 1, V, O, false, true, args_.head_bias != nullptr, O, O, V, 0, 0, 0}, y, args_.head_weight,
           logits_);
  }

  void draw(int64_t number) {
    const SampleDesc sample = {desc_.vocabulary, desc_.temperature, desc_.top_k, desc_.top_p, desc_.seed, desc_.offset, number};
    DEEP_RNN_LAUNCH_FLOATING(gpu_, over_classes(desc_.vocabulary), stack_.dtype, sample, sample, logits_, workspace_,
                             args_.tokens, fed_);
  }

  Gpu& gpu_;
  Rnn& rnn_;
  const RnnDesc& stack_;
  const GenerateDesc& desc_;
  const GenerateArgs& args_;
  const size_t element_;
  bool same_params_ = false;  // from the second pass on
  int32_t* fed_;              // [prefix]: what goes into the stack next
  void* x_;                   // [prefix,E], or null: tokens go in
  void* y_;                   // [prefix,O]
  void* logits_;              // [V]
  void* workspace_;           // of the sampler
  void* h_[2];                // the state before a pass and after it, by turns
  void* c_[2];
};

}  // namespace

void generate(Gpu& gpu, Rnn& rnn, DeviceMemory& memory, const RnnDesc& stack, const GenerateDesc& desc,
              const GenerateArgs& args) {
  if (const std::string reason = rnn.supports(stack); !reason.empty()) throw Error(reason);
  if (stack.bidirectional) throw Error("a bidirectional stack cannot generate: it reads the future");
  if (desc.prefix < 1) throw Error("generation needs at least one token to begin with");
  if (desc.embedding_size == 0 && stack.input_mode == InputMode::skip) throw Error("skip input takes vectors, not tokens");
  const int64_t expected = desc.embedding_size > 0 ? desc.embedding_size : desc.vocabulary;
  if (stack.input_size != expected)
    throw Error("the stack takes " + std::to_string(stack.input_size) + " inputs, but tokens give " + std::to_string(expected));
  for (int64_t i = 0; i < desc.prefix; i++)
    if (args.prefix[i] < 0 || args.prefix[i] >= desc.vocabulary)
      throw Error("token " + std::to_string(args.prefix[i]) + " outside 0.." + std::to_string(desc.vocabulary - 1) +
                  " at position " + std::to_string(i) + " of the prefix");
  Generator(gpu, rnn, memory, stack, desc, args).run();
}

}  // namespace deep_rnn::cuda
