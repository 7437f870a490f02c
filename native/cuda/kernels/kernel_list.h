// Every kernel, once: the prototypes, the host's function table, the registry of the host build and the gates are all made
// from this list, by including it with other meanings of
//   DEEP_RNN_KERNEL(name, parameters)     one kernel
//   DEEP_RNN_BITS(name, parameters)       name_bits32, name_bits64: elements of 4 and 8 bytes that are only moved
//   DEEP_RNN_FLOATING(name, parameters)   name_float32, name_float64
//   DEEP_RNN_NUMERIC(name, parameters)    the same and name_int32
// No include guard, on purpose.
//
// All arrays are device memory, row-major and contiguous unless a Walk says otherwise; meanings are those of core/backend.h.
// Results do not depend on the grid, except that a grid must cover the work where the comment names one; blocks and grids
// come from plan.h. In-place use is allowed only where a comment says so. [n] is a shape, E the element type of the name.

// elementwise.cu: grid-stride, plan.h's over_elements(count) unless said otherwise

// out [count]
DEEP_RNN_KERNEL(fill_bits32, (int64_t count, uint32_t bits, void* out))
DEEP_RNN_KERNEL(fill_bits64, (int64_t count, uint64_t bits, void* out))
// op is a UnaryOp; x, y [count]; y may be x.
DEEP_RNN_NUMERIC(unary, (int32_t op, int64_t count, double scalar, const void* x, void* y))
// op is a BinaryOp; walk: a, b; out [walk.count], int32 for comparisons. out may be an operand that is contiguous.
DEEP_RNN_NUMERIC(binary, (int32_t op, Walk walk, const void* a, const void* b, void* out))
// walk: condition, a, b; out [walk.count] = condition ? a : b.
DEEP_RNN_BITS(select, (Walk walk, const int32_t* condition, const void* a, const void* b, void* out))

// cast.cu: x, y [count]; float16 and bfloat16 round to nearest even

DEEP_RNN_KERNEL(cast_float32_float64, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_float32_int32, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_float64_float32, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_float64_int32, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_int32_float32, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_int32_float64, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_float32_float16, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_float32_bfloat16, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_float16_float32, (int64_t count, const void* x, void* y))
DEEP_RNN_KERNEL(cast_bfloat16_float32, (int64_t count, const void* x, void* y))

// copy.cu

// walk: src, dst, where no two positions share a destination (plan.h's split_destination).
DEEP_RNN_BITS(copy, (Walk walk, const void* src, void* dst))
// dst += Σ over `repeated` of src, in order; kept: src, dst; repeated: src. over_elements(kept.count)
DEEP_RNN_NUMERIC(accumulate, (Walk kept, Walk repeated, const void* src, void* dst))
// dst[s.dst + i] = src[s.src + i], or += when accumulating, for each of the segments and 0 <= i < s.count: all matrices and
// biases of a stack between its flat buffer and cuDNN's weight space at once. Destinations do not overlap. float16 and
// bfloat16 destinations are never accumulated into. Grid [x: stride][y: segments].
DEEP_RNN_KERNEL(segments_float32_float32, (int32_t accumulate, const Segment* segments, const void* src, void* dst))
DEEP_RNN_KERNEL(segments_float64_float64, (int32_t accumulate, const Segment* segments, const void* src, void* dst))
DEEP_RNN_KERNEL(segments_float32_float16, (int32_t accumulate, const Segment* segments, const void* src, void* dst))
DEEP_RNN_KERNEL(segments_float32_bfloat16, (int32_t accumulate, const Segment* segments, const void* src, void* dst))
DEEP_RNN_KERNEL(segments_float16_float32, (int32_t accumulate, const Segment* segments, const void* src, void* dst))
DEEP_RNN_KERNEL(segments_bfloat16_float32, (int32_t accumulate, const Segment* segments, const void* src, void* dst))

// gather.cu: a wrong index is reported to the fault and reads or adds nothing

// src [outer][axis][inner], dst [outer][count][inner]; over_elements(outer·count·inner). A wrong index gives zeros.
DEEP_RNN_BITS(gather, (GatherDesc desc, const int32_t* index, const void* src, void* dst, Fault fault))
// dst [outer][axis][inner] += src [outer][count][inner], one thread for each outer and inner, in order of count;
// over_elements(outer·inner). For indices that vary along inner, or few of them.
DEEP_RNN_NUMERIC(scatter_columns, (GatherDesc desc, const int32_t* index, const void* src, void* dst, Fault fault))

// scatter_sorted.cu: the same sum for whole rows (index_strides[2] = 0 or inner = 1), repeatable without order of arrival:
// number the destinations, sort stably by them, add up pieces of the sorted list, then join the pieces. plan.h's ScatterPlan.

// keys [rows]: destination row o·axis + index, or outer·axis for a wrong one; sources [rows]: 0, 1, 2 ... rows = outer·count.
DEEP_RNN_KERNEL(scatter_keys, (GatherDesc desc, const int32_t* index, uint32_t* keys, uint32_t* sources, Fault fault))
// counts [256][tiles]: of each digit (keys >> shift) & 255 in each tile of `tile` keys. One warp a tile.
DEEP_RNN_KERNEL(sort_count, (int64_t count, int64_t tile, int32_t shift, const uint32_t* keys, uint32_t* counts))
// In place: counts [256·tiles] become exclusive sums. One block.
DEEP_RNN_KERNEL(sort_offsets, (int64_t count, uint32_t* counts))
// One warp a tile. counts [256][tiles] as sort_offsets left them.
DEEP_RNN_KERNEL(sort_move, (int64_t count, int64_t tile, int32_t shift, const uint32_t* keys, const uint32_t* sources,
                            const uint32_t* counts, uint32_t* keys_out, uint32_t* sources_out))
// keys, sources [rows] sorted; src [rows][inner], dst [destinations][inner]; partial [pieces][2][inner].
// Grid [x: pieces][y: columns].
DEEP_RNN_NUMERIC(scatter_pieces, (int64_t rows, int64_t destinations, int64_t inner, const uint32_t* keys,
                                  const uint32_t* sources, const void* src, void* dst, void* partial))
DEEP_RNN_NUMERIC(scatter_join,
                 (int64_t rows, int64_t destinations, int64_t inner, const uint32_t* keys, const void* partial, void* dst))

// reduce.cu: plan.h's ReducePlan

// op is a ReduceOp. kept, reduced: x; out [kept.count], int32 for argmax. Split s of gridDim.y works on positions
// s·chunk .. (s + 1)·chunk of the reduced ones; with one split out is written, else partial [splits][kept.count].
// rows: the threads of a warp or block share an output. columns: neighbouring threads own neighbouring outputs.
DEEP_RNN_NUMERIC(reduce_rows, (int32_t op, Walk kept, Walk reduced, int64_t chunk, const void* x, void* out, Partial* partial))
DEEP_RNN_NUMERIC(reduce_columns,
                 (int32_t op, Walk kept, Walk reduced, int64_t chunk, const void* x, void* out, Partial* partial))
// over_elements(outputs)
DEEP_RNN_NUMERIC(reduce_join, (int32_t op, int64_t outputs, int64_t splits, const Partial* partial, void* out))
// partial [gridDim.x = chunks] = sum of squares of x[i·chunk .. (i + 1)·chunk]
DEEP_RNN_FLOATING(sum_squares, (int64_t count, int64_t chunk, const void* x, double* partial))
// out [1] = (accumulate ? out : 0) + Σ partial [chunks]. One block.
DEEP_RNN_FLOATING(sum_squares_join, (int64_t chunks, int32_t accumulate, const double* partial, void* out))
// With norm = √sum_squares[0]: gradients [count] *= min(max_norm / norm, 1); out_norm [1] = norm, or null. In place.
DEEP_RNN_FLOATING(clip_norm, (int64_t count, double max_norm, const void* sum_squares, void* gradients, void* out_norm))

// softmax.cu, cross_entropy.cu: over_rows(rows, columns)

// x, y [rows][columns]; y may be x.
DEEP_RNN_FLOATING(softmax, (SoftmaxDesc desc, const void* x, void* y))
// dx may be dy or y.
DEEP_RNN_FLOATING(softmax_backward, (SoftmaxDesc desc, const void* y, const void* dy, void* dx))
// logits, probabilities [rows][columns]; targets [rows]; class_weights [columns] or null; losses, weights [rows]. A wrong
// target is reported and gives a loss of NaN.
DEEP_RNN_FLOATING(cross_entropy, (CrossEntropyDesc desc, const void* logits, const int32_t* targets, const void* class_weights,
                                  void* losses, void* weights, void* probabilities, Fault fault))
// dlogits may be probabilities. A wrong target is reported and gives a row of zeros.
DEEP_RNN_FLOATING(cross_entropy_backward, (CrossEntropyDesc desc, const void* probabilities, const int32_t* targets,
                                           const void* class_weights, const void* dlosses, void* dlogits, Fault fault))

// optimizer.cu: over_elements(count)

// grads, params, states [count] as Backend::optimizer_step has them. The coefficients are `scalars`, or *live where that is
// not null: a captured graph replays with the same arguments, so what changes from step to step must lie in device memory.
DEEP_RNN_FLOATING(sgd, (OptimizerScalars scalars, const OptimizerScalars* live, int64_t count, const void* grads, void* params,
                        void* state1, void* state2, void* state3))
DEEP_RNN_FLOATING(adam, (OptimizerScalars scalars, const OptimizerScalars* live, int64_t count, const void* grads, void* params,
                         void* state1, void* state2, void* state3))
DEEP_RNN_FLOATING(rmsprop, (OptimizerScalars scalars, const OptimizerScalars* live, int64_t count, const void* grads,
                            void* params, void* state1, void* state2, void* state3))
DEEP_RNN_FLOATING(adagrad, (OptimizerScalars scalars, const OptimizerScalars* live, int64_t count, const void* grads,
                            void* params, void* state1, void* state2, void* state3))

// random.cu: over_elements(count)

// out [count]: the CPU's numbers of `desc`, or of *live where that is not null.
DEEP_RNN_FLOATING(random, (RandomDesc desc, const RandomDesc* live, void* out))

// rnn.cu: over_elements of what is written

// out [rows][columns]: row r has a one at tokens[r]; rows are [T,B], and lengths [B] or null says which of them count: the
// others are zero whatever their token. A wrong token is reported and gives a row of zeros.
DEEP_RNN_KERNEL(one_hot_float32, (int64_t rows, int64_t batch, int64_t columns, const int32_t* tokens, const int32_t* lengths,
                                  void* out, Fault fault))
DEEP_RNN_KERNEL(one_hot_float64, (int64_t rows, int64_t batch, int64_t columns, const int32_t* tokens, const int32_t* lengths,
                                  void* out, Fault fault))
DEEP_RNN_KERNEL(one_hot_float16, (int64_t rows, int64_t batch, int64_t columns, const int32_t* tokens, const int32_t* lengths,
                                  void* out, Fault fault))
DEEP_RNN_KERNEL(one_hot_bfloat16, (int64_t rows, int64_t batch, int64_t columns, const int32_t* tokens, const int32_t* lengths,
                                   void* out, Fault fault))
// y [T,B,width] = x before each length [B], zero past it; y may be x. Bits of 4 and 8 bytes; two 16-bit numbers make one.
DEEP_RNN_BITS(mask_steps, (int64_t steps, int64_t batch, int64_t width, const int32_t* lengths, const void* x, void* y))
// y [layers,B,width] = x (null: zeros) where the length [B] is zero, else unchanged: sequences that no step reaches.
DEEP_RNN_BITS(replace_empty, (int64_t layers, int64_t batch, int64_t width, const int32_t* lengths, const void* x, void* y))

// sampler.cu

// logits [vocabulary]; tokens[desc.number] = latest[0] = the token drawn. workspace: sample_workspace_bytes(). Launched as
// over_classes() says.
DEEP_RNN_FLOATING(sample, (SampleDesc desc, const void* logits, void* workspace, int32_t* tokens, int32_t* latest))

// peak.cu

// Arithmetic that never leaves the registers: rounds · kPeakOperations operations a thread. out [threads].
DEEP_RNN_KERNEL(peak_float32, (int64_t rounds, float start, void* out))
