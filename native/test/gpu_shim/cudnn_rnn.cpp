// cuDNN's passes over a recurrent stack: every rule that can be checked is, most of them before the work is queued.
#include <cstring>
#include <set>
#include <utility>

#include "gpu_shim/rnn_pass.h"

using namespace deep_rnn::gpu_shim;

namespace {

struct Spaces {
  size_t weight_bytes;
  const void* weights;
  size_t work_bytes;
  void* work;
  size_t reserve_bytes;
  void* reserve;
};

size_t needed_work(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x) {
  return 1000 + size_t(rnn.algo) * 96 + size_t(x.steps) * size_t(x.batch) * size_t(rnn.hidden + rnn.input) * 3 + 1;
}

size_t needed_reserve(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x) {
  // The algorithms differ in what they keep.
  return (reserve_doubles(rnn, x) + (size_t(rnn.algo) * 40) % 100) * sizeof(double);
}

// What the real library refuses only when it runs: an assumption, drawn from reports and from the conditions under which
// PyTorch takes these algorithms. Empty: it runs.
const char* run_time_refusal(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x, bool backward) {
  const bool gated = rnn.cell == CUDNN_LSTM || rnn.cell == CUDNN_GRU;
  if (uint64_t(x.steps) > setting("DEEP_RNN_SHIM_STEPS", 65535)) return "too many steps at once";
  switch (rnn.algo) {
    case CUDNN_RNN_ALGO_PERSIST_STATIC:
      if (rnn.cell == CUDNN_GRU) return "static persistence has no GRU";
      if (rnn.hidden > 1024 || rnn.hidden % 4 != 0) return "static persistence needs a hidden size of 4, 8 ... 1024";
      return x.batch > 128 ? "static persistence takes 128 sequences at most" : "";
    case CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H:
      if (rnn.hidden > (backward ? 128 : 192) * (gated ? 1 : 2)) return "the hidden size is not small";
      return "";
    default:
      return "";
  }
}

// Other algorithms than the one of this number appear to take a second longer: tests of the tuner need no real times.
void appear_slow(const cudnnRNNStruct& rnn) {
  const uint64_t fastest = setting("DEEP_RNN_SHIM_FASTEST", 99);
  if (fastest != 99 && uint64_t(rnn.algo) != fastest) skip_time(1000);
}

void expect(bool holds, const char* call, const char* rule) { demand(holds, call, rule); }

bool is_state(cudnnTensorDescriptor_t tensor, const cudnnRNNStruct& rnn, int batch, int width) {
  return tensor && tensor->is_set && tensor->type == rnn.type &&
         tensor->shape == std::vector<int>{rnn.layers * rnn.directions, batch, width} &&
         tensor->strides == std::vector<int>{batch * width, width, 1};
}

// What all three passes demand. `pass` receives the descriptors as they are now.
cudnnStatus_t begin(const char* call, cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, const int32_t* device_lengths,
                    cudnnRNNDataDescriptor_t x, cudnnRNNDataDescriptor_t y, cudnnTensorDescriptor_t h,
                    cudnnTensorDescriptor_t c, const Spaces& spaces, bool keeps, bool backward, RnnPass& pass) {
  const auto refuse = [](const char* reason) { return refused(CUDNN_STATUS_BAD_PARAM, reason); };
  if (!handle || !rnn || !rnn->is_set || !x || !x->is_set || !y || !y->is_set) return refuse("null or not set");
  if (x->type != rnn->type || y->type != rnn->type) return refuse("types of the stack and its data differ");
  if (x->width != rnn->input || y->width != rnn->projection * rnn->directions) return refuse("widths of x or y");
  if (x->steps != y->steps || x->batch != y->batch || x->lengths != y->lengths || x->layout != y->layout)
    return refuse("x and y differ");
  if (rnn->skip && rnn->input != rnn->hidden) return refuse("skip input of another width");
  if (device_lengths) return refuse("lengths on the device belong to cuDNN 8");
  bool padded = false;
  for (int length : x->lengths) padded = padded || length != x->steps;
  if (padded && x->layout != CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED && !rnn->padded_io)
    return refuse("padding without PADDED_IO");
  if (padded && rnn->algo != CUDNN_RNN_ALGO_STANDARD)
    return refused(CUDNN_STATUS_NOT_SUPPORTED, "persistent kernels take equal lengths");
  if (const char* reason = run_time_refusal(*rnn, *x, backward); *reason) return refused(CUDNN_STATUS_NOT_SUPPORTED, reason);
  if (rnn->algo == CUDNN_RNN_ALGO_PERSIST_DYNAMIC)
    demand(rnn->built_for == x->batch, call, "cudnnBuildRNNDynamic comes first, for this number of sequences");
  if (!is_state(h, *rnn, x->batch, rnn->projection)) return refuse("hDesc");
  if (rnn->cell == CUDNN_LSTM && c && !is_state(c, *rnn, x->batch, rnn->hidden)) return refuse("cDesc");
  pass.layout = layout_of(*rnn);
  if (spaces.weight_bytes != pass.layout.count * size_of(rnn->type)) return refuse("weightSpaceSize");
  if (spaces.work_bytes < needed_work(*rnn, *x)) return refuse("workSpaceSize");
  if (keeps && spaces.reserve_bytes < needed_reserve(*rnn, *x)) return refuse("reserveSpaceSize");
  if (!rnn->dropout || (rnn->dropout->probability > 0 && !rnn->dropout->states)) return refuse("dropout without states");
  Memory::all().check(spaces.weights, spaces.weight_bytes, call, "weightSpace");
  Memory::all().check(spaces.work, spaces.work_bytes, call, "workSpace");
  if (keeps) Memory::all().check(spaces.reserve, spaces.reserve_bytes, call, "reserveSpace");
  if (uintptr_t(spaces.weights) % 16 != 0 || uintptr_t(spaces.work) % 16 != 0 || uintptr_t(spaces.reserve) % 16 != 0)
    return refuse("alignment");
  // Libraries set themselves up in the first pass of a kind: they load kernels, allocate, choose algorithms.
  static std::set<std::pair<std::string, uint64_t>>& warm = *new std::set<std::pair<std::string, uint64_t>>;
  const std::pair<std::string, uint64_t> kind = {call, configuration_of(*rnn, *x, double(rnn->dropout->probability))};
  if (is_capturing()) expect(warm.count(kind) == 1, call, "the first pass of a kind comes before a capture, not in it");
  warm.insert(kind);
  pass.rnn = *rnn;
  pass.x_shape = *x;
  pass.y_shape = *y;
  pass.weights = spaces.weights;
  pass.reserve = static_cast<double*>(spaces.reserve);
  return CUDNN_STATUS_SUCCESS;
}

size_t data_bytes(const cudnnRNNDataStruct& data) { return rows_of(data) * size_t(data.width) * size_of(data.type); }
size_t h_bytes(const RnnPass& pass) {
  return size_t(pass.rnn.layers * pass.rnn.directions * pass.x_shape.batch * pass.rnn.projection) * size_of(pass.rnn.type);
}
size_t c_bytes(const RnnPass& pass) {
  return size_t(pass.rnn.layers * pass.rnn.directions * pass.x_shape.batch * pass.rnn.hidden) * size_of(pass.rnn.type);
}

void check_optional(const void* data, size_t bytes, const char* call, const char* operand) {
  if (data) Memory::all().check(data, bytes, call, operand);
}

ReserveHeader& header_of(const RnnPass& pass) { return *reinterpret_cast<ReserveHeader*>(pass.reserve); }

// The pass with addresses that queued work can use.
RnnPass on_host(RnnPass pass) {
  for (const void** data : {&pass.x, &pass.hx, &pass.cx, &pass.weights, &pass.dy, &pass.dhy, &pass.dcy}) *data = host(*data);
  for (void** data : {&pass.y, &pass.hy, &pass.cy, &pass.dx, &pass.dhx, &pass.dcx, &pass.dweights}) *data = host(*data);
  pass.reserve = host(pass.reserve);
  return pass;
}

}  // namespace

extern "C" {

cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, cudnnForwardMode_t mode,
                                        cudnnRNNDataDescriptor_t x, size_t* work, size_t* reserve) {
  if (!handle || !rnn || !rnn->is_set || !x || !x->is_set) return refused(CUDNN_STATUS_BAD_PARAM, "null or not set");
  if (x->width != rnn->input || x->type != rnn->type) return refused(CUDNN_STATUS_BAD_PARAM, "x does not fit the stack");
  if (work) *work = needed_work(*rnn, *x);
  if (reserve) *reserve = mode == CUDNN_FWD_MODE_TRAINING ? needed_reserve(*rnn, *x) : 0;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, cudnnForwardMode_t mode,
                              const int32_t device_lengths[], cudnnRNNDataDescriptor_t x_desc, const void* x,
                              cudnnRNNDataDescriptor_t y_desc, void* y, cudnnTensorDescriptor_t h_desc, const void* hx,
                              void* hy, cudnnTensorDescriptor_t c_desc, const void* cx, void* cy, size_t weight_bytes,
                              const void* weights, size_t work_bytes, void* work, size_t reserve_bytes, void* reserve) {
  const char* call = __func__;
  const Entry entered(call);
  const bool keeps = mode == CUDNN_FWD_MODE_TRAINING;
  RnnPass pass;
  const Spaces spaces = {weight_bytes, weights, work_bytes, work, reserve_bytes, reserve};
  const cudnnStatus_t status =
      begin(call, handle, rnn, device_lengths, x_desc, y_desc, h_desc, c_desc, spaces, keeps, false, pass);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  Memory::all().check(x, data_bytes(pass.x_shape), call, "x");
  Memory::all().check(y, data_bytes(pass.y_shape), call, "y");
  check_optional(hx, h_bytes(pass), call, "hx");
  check_optional(hy, h_bytes(pass), call, "hy");
  check_optional(cx, c_bytes(pass), call, "cx");
  check_optional(cy, c_bytes(pass), call, "cy");
  for (const void* out : {static_cast<const void*>(y), static_cast<const void*>(hy), static_cast<const void*>(cy)})
    if (out && (out == x || out == hx || out == cx)) return refused(CUDNN_STATUS_BAD_PARAM, "an output is an input");
  pass.x = x, pass.y = y, pass.hx = hx, pass.hy = hy, pass.cx = cx, pass.cy = cy;
  // Inference does not drop.
  pass.dropout = keeps ? double(rnn->dropout->probability) : 0;
  void* states = rnn->dropout->states;
  push(handle->stream, call, [=, given = pass] {
    RnnPass pass = on_host(given);
    std::memset(host(work), 0xFF, work_bytes);
    std::vector<double> own;
    if (keeps) {
      std::memset(host(reserve), 0xFF, reserve_bytes);
    } else {
      own.resize(reserve_doubles(pass.rnn, pass.x_shape));
      pass.reserve = own.data();
    }
    if (pass.dropout > 0) {
      // Masks follow from the seed and from how many passes there were since it was set.
      auto* values = static_cast<uint64_t*>(host(states));
      pass.dropout_seed = values[0] + values[1]++ * 0x9E3779B97F4A7C15u;
    }
    appear_slow(pass.rnn);
    pass.forward();
    if (!keeps) return;
    header_of(pass) = {kAfterForward,
                       configuration_of(pass.rnn, pass.x_shape, pass.dropout),
                       checksum(pass.x, data_bytes(pass.x_shape)),
                       checksum(pass.y, data_bytes(pass.y_shape)),
                       checksum(pass.weights, weight_bytes),
                       checksum(pass.hx, h_bytes(pass)),
                       checksum(pass.cx, c_bytes(pass))};
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNBackwardData_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, const int32_t device_lengths[],
                                      cudnnRNNDataDescriptor_t y_desc, const void* y, const void* dy,
                                      cudnnRNNDataDescriptor_t x_desc, void* dx, cudnnTensorDescriptor_t h_desc, const void* hx,
                                      const void* dhy, void* dhx, cudnnTensorDescriptor_t c_desc, const void* cx,
                                      const void* dcy, void* dcx, size_t weight_bytes, const void* weights, size_t work_bytes,
                                      void* work, size_t reserve_bytes, void* reserve) {
  const char* call = __func__;
  const Entry entered(call);
  RnnPass pass;
  const Spaces spaces = {weight_bytes, weights, work_bytes, work, reserve_bytes, reserve};
  const cudnnStatus_t status =
      begin(call, handle, rnn, device_lengths, x_desc, y_desc, h_desc, c_desc, spaces, true, true, pass);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  Memory::all().check(y, data_bytes(pass.y_shape), call, "y");
  Memory::all().check(dy, data_bytes(pass.y_shape), call, "dy");
  Memory::all().check(dx, data_bytes(pass.x_shape), call, "dx");
  for (const void* state : {hx, dhy, static_cast<const void*>(dhx)})
    check_optional(state, h_bytes(pass), call, "hx, dhy or dhx");
  for (const void* state : {cx, dcy, static_cast<const void*>(dcx)})
    check_optional(state, c_bytes(pass), call, "cx, dcy or dcx");
  pass.hx = hx, pass.cx = cx, pass.dy = dy, pass.dx = dx, pass.dhy = dhy, pass.dhx = dhx, pass.dcy = dcy, pass.dcx = dcx;
  pass.dropout = double(rnn->dropout->probability);
  push(handle->stream, call, [=, given = pass] {
    const RnnPass pass = on_host(given);
    ReserveHeader& header = header_of(pass);
    expect(header.state == kAfterForward, call, "the reserve space holds no forward pass in training mode that awaits this");
    expect(header.configuration == configuration_of(pass.rnn, pass.x_shape, pass.dropout), call,
           "the reserve space was written with another configuration");
    expect(header.y == checksum(host(y), data_bytes(pass.y_shape)), call, "y has changed since the forward pass");
    expect(header.weights == checksum(pass.weights, weight_bytes), call, "the weights have changed since the forward pass");
    expect(header.hx == checksum(pass.hx, h_bytes(pass)), call, "hx has changed since the forward pass");
    expect(header.cx == checksum(pass.cx, c_bytes(pass)), call, "cx has changed since the forward pass");
    std::memset(host(work), 0xFF, work_bytes);
    pass.backward_data();
    header.state = kAfterData;
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, cudnnWgradMode_t mode,
                                         const int32_t device_lengths[], cudnnRNNDataDescriptor_t x_desc, const void* x,
                                         cudnnTensorDescriptor_t h_desc, const void* hx, cudnnRNNDataDescriptor_t y_desc,
                                         const void* y, size_t weight_bytes, void* dweights, size_t work_bytes, void* work,
                                         size_t reserve_bytes, void* reserve) {
  const char* call = __func__;
  const Entry entered(call);
  if (mode != CUDNN_WGRAD_MODE_ADD) return refused(CUDNN_STATUS_BAD_PARAM, "gradients of weights are added, never set");
  RnnPass pass;
  const Spaces spaces = {weight_bytes, dweights, work_bytes, work, reserve_bytes, reserve};
  const cudnnStatus_t status =
      begin(call, handle, rnn, device_lengths, x_desc, y_desc, h_desc, nullptr, spaces, true, true, pass);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  Memory::all().check(x, data_bytes(pass.x_shape), call, "x");
  Memory::all().check(y, data_bytes(pass.y_shape), call, "y");
  check_optional(hx, h_bytes(pass), call, "hx");
  pass.x = x, pass.hx = hx, pass.dweights = dweights;
  pass.dropout = double(rnn->dropout->probability);
  push(handle->stream, call, [=, given = pass] {
    const RnnPass pass = on_host(given);
    ReserveHeader& header = header_of(pass);
    expect(header.state == kAfterData, call,
           "cudnnRNNBackwardData_v8 on the same reserve space comes first, and this comes once");
    expect(header.configuration == configuration_of(pass.rnn, pass.x_shape, pass.dropout), call,
           "the reserve space was written with another configuration");
    expect(header.x == checksum(pass.x, data_bytes(pass.x_shape)), call, "x has changed since the forward pass");
    expect(header.y == checksum(host(y), data_bytes(pass.y_shape)), call, "y has changed since the forward pass");
    expect(header.hx == checksum(pass.hx, h_bytes(pass)), call, "hx has changed since the forward pass");
    std::memset(host(work), 0xFF, work_bytes);
    pass.backward_weights();
    header.state = kSpent;
  });
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
