#include "cuda/rnn_plan.h"

#include <algorithm>
#include <vector>

#include "core/error.h"

namespace deep_rnn::cuda {

RnnPlan::RnnPlan(Gpu& gpu, const RnnDesc& desc)
    : gpu_(gpu), desc_(desc), numbers_(desc), descriptors_(gpu.api()), weights_(gpu), pieces_(gpu), dropout_states_(gpu) {
  if (drops()) {
    set_dropout(0);
  } else {
    DEEP_RNN_CALL(gpu.api(), cudnnSetDropoutDescriptor, descriptors_.dropout, gpu.cudnn(), 0.0f, nullptr, 0, 0);
  }
  descriptors_.set_stack(desc);
  DEEP_RNN_CALL(gpu.api(), cudnnGetRNNWeightSpaceSize, gpu.cudnn(), descriptors_.rnn, &weight_bytes_);
  weights_.take(weight_space());
  find_pieces();
}

void RnnPlan::prepare(int64_t batch) {
  if (desc_.algorithm != RnnAlgorithm::persist_dynamic || built_for_ == batch) return;
  built_for_ = 0;
  DEEP_RNN_CALL(gpu_.api(), cudnnBuildRNNDynamic, gpu_.cudnn(), descriptors_.rnn, int(batch));
  built_for_ = batch;
}

void RnnPlan::seed_dropout(uint64_t seed) {
  gpu_.prepare(this, [this, seed] { set_dropout(seed); });
}

void RnnPlan::set_dropout(uint64_t seed) {
  size_t bytes = 0;
  DEEP_RNN_CALL(gpu_.api(), cudnnDropoutGetStatesSize, gpu_.cudnn(), &bytes);
  DEEP_RNN_CALL(gpu_.api(), cudnnSetDropoutDescriptor, descriptors_.dropout, gpu_.cudnn(), float(desc_.dropout),
                dropout_states_.take(bytes), bytes, seed);
}

void RnnPlan::find_pieces() {
  const Api& api = gpu_.api();
  Owned<cudnnTensorDescriptor_t> matrix DEEP_RNN_OWNED(api, TensorDescriptor), bias DEEP_RNN_OWNED(api, TensorDescriptor);
  const size_t element = numbers_.bytes();
  const char* base = static_cast<const char*>(weights_.data());
  std::vector<Segment> in, out;
  size_t packed = 0;
  for (const GatePart& part : gate_parts(desc_)) {
    void* addresses[2] = {nullptr, nullptr};
    DEEP_RNN_CALL(api, cudnnGetRNNWeightParams, gpu_.cudnn(), descriptors_.rnn, part.pseudo_layer, weight_bytes_, base,
                  part.linear_layer, matrix, &addresses[0], bias, &addresses[1]);
    const char* address = static_cast<const char*>(addresses[part.bias ? 1 : 0]);
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    int rank = 0, shape[3] = {}, strides[3] = {};
    DEEP_RNN_CALL(api, cudnnGetTensorNdDescriptor, part.bias ? bias : matrix, 3, &type, &rank, shape, strides);
    const int64_t count = part.rows * part.columns;
    const int64_t offset = address ? address - base : -1;
    // What the header promises, and all that the copies rely on.
    if (rank != 3 || shape[0] != 1 || shape[1] != part.rows || shape[2] != part.columns || type != numbers_.type ||
        offset < 0 || offset % int64_t(element) != 0 || offset + count * int64_t(element) > int64_t(weight_bytes_)) {
      throw Error("cuDNN places linear layer " + std::to_string(part.linear_layer) + " of pseudo-layer " +
                  std::to_string(part.pseudo_layer) + " in a way that this project does not know");
    }
    const int64_t inside = offset / int64_t(element);
    in.push_back({part.offset, inside, count});
    out.push_back({inside, part.offset, count});
    longest_ = std::max(longest_, count);
    packed += size_t(count) * element;
  }
  has_gaps_ = packed < weight_space();
  piece_count_ = int64_t(in.size());
  in.insert(in.end(), out.begin(), out.end());
  gpu_.upload(pieces_.take(in.size() * sizeof(Segment)), in.data(), in.size() * sizeof(Segment));
}

const void* RnnPlan::pack(const void* params, void* weights) {
  if (has_gaps_) gpu_.zero(weights, weight_space());
  numbers_.pack(gpu_, shape(), static_cast<const Segment*>(pieces_.data()), params, weights);
  return weights;
}

const void* RnnPlan::pack(const void* params, uint64_t version) {
  if (version_ == version) return weights_.data();
  version_ = version;
  return pack(params, weights_.data());
}

void RnnPlan::add_gradients(const void* gradients, void* dparams) {
  numbers_.add_back(gpu_, shape(), static_cast<const Segment*>(pieces_.data()) + piece_count_, gradients, dparams);
}

}  // namespace deep_rnn::cuda
