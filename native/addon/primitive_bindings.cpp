// The generic primitives. A call over no elements pushes nothing.
#include <limits>

#include "addon/bindings.h"
#include "addon/operands.h"
#include "core/describe.h"

namespace deep_rnn::addon {

namespace {

// The (handle, offset) pair of arguments i and i + 1.
View operand(Operands& operands, const Arguments& arguments, size_t i, const char* name, size_t element, int64_t count,
             Access access) {
  return operands.view(name, arguments.any_number(i, name), arguments.any_number(i + 1, name), element, count, access);
}

Napi::Value fill(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "fill", 5);
  Operands operands(environment, "fill");
  const DType dtype = arguments.dtype(0);
  const int64_t count = arguments.integer(3, "count", 0, kMaxElements);
  const double value = arguments.any_number(4, "value");
  if (dtype == DType::int32) check_integer(value, INT32_MIN, INT32_MAX, "fill value of int32");
  const View out = operand(operands, arguments, 1, "buffer", size_of(dtype), count, Access::write);
  if (count == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe("fill", dtype, count); },
      [=](Backend& backend) { backend.fill(dtype, count, value, out.as<>()); });
  return info.Env().Undefined();
}

Napi::Value copy(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "copy", 7);
  Operands operands(environment, "copy");
  const DType dtype = arguments.dtype(0);
  const Strided layout = arguments.layout(1, "layout", 2);
  const bool accumulate = arguments.boolean(2, "accumulate");
  if (!is_injective(layout, 1)) {
    throw RangeMistake("Expected strides that name every element once for copy destination but received repeating ones");
  }
  const View source =
      operand(operands, arguments, 3, "source", size_of(dtype), reach_of(layout, 0, "copy source"), Access::read);
  const View destination =
      operand(operands, arguments, 5, "destination", size_of(dtype), reach_of(layout, 1, "copy destination"), Access::write);
  if (layout.count() == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(accumulate ? "copy (adding)" : "copy", dtype, layout); },
      [=](Backend& backend) { backend.copy(dtype, layout, accumulate, source.as<>(), destination.as<>()); });
  return info.Env().Undefined();
}

Napi::Value cast(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "cast", 7);
  Operands operands(environment, "cast");
  const DType from = arguments.dtype(0, "from"), to = arguments.dtype(1, "to");
  const int64_t count = arguments.integer(2, "count", 0, kMaxElements);
  const View x = operand(operands, arguments, 3, "x", size_of(from), count, Access::read);
  const View y = operand(operands, arguments, 5, "y", size_of(to), count, Access::write);
  if (count == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(std::string("cast to ") + name_of(to) + " from", from, count); },
      [=](Backend& backend) { backend.cast(from, to, count, x.as<>(), y.as<>()); });
  return info.Env().Undefined();
}

Napi::Value unary(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "unary", 8);
  Operands operands(environment, "unary");
  const auto op = arguments.code<UnaryOp>(0, "op");
  const DType dtype = arguments.dtype(1);
  const int64_t count = arguments.integer(2, "count", 0, kMaxElements);
  const double scalar = arguments.any_number(3, "scalar");
  const View x = operand(operands, arguments, 4, "x", size_of(dtype), count, Access::shared_read);
  const View y = operand(operands, arguments, 6, "y", size_of(dtype), count, Access::write);
  if (count == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(std::string("unary ") + name_of(op), dtype, count); },
      [=](Backend& backend) { backend.unary(op, dtype, count, scalar, x.as<>(), y.as<>()); });
  return info.Env().Undefined();
}

Napi::Value binary(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "binary", 9);
  Operands operands(environment, "binary");
  const auto op = arguments.code<BinaryOp>(0, "op");
  const DType dtype = arguments.dtype(1), out_dtype = is_comparison(op) ? DType::int32 : dtype;
  const Strided layout = arguments.layout(2, "layout", 2);
  // In place only where reading and writing walk in step: same element size, contiguous.
  const auto access = [&](int index) {
    return is_contiguous(layout, index) && out_dtype == dtype ? Access::shared_read : Access::read;
  };
  const View a = operand(operands, arguments, 3, "a", size_of(dtype), reach_of(layout, 0, "binary a"), access(0));
  const View b = operand(operands, arguments, 5, "b", size_of(dtype), reach_of(layout, 1, "binary b"), access(1));
  const View out = operand(operands, arguments, 7, "out", size_of(out_dtype), layout.count(), Access::write);
  if (layout.count() == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(std::string("binary ") + name_of(op), dtype, layout); },
      [=](Backend& backend) { backend.binary(op, dtype, layout, a.as<>(), b.as<>(), out.as<>()); });
  return info.Env().Undefined();
}

Napi::Value select(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "select", 10);
  Operands operands(environment, "select");
  const DType dtype = arguments.dtype(0);
  const Strided layout = arguments.layout(1, "layout", 3);
  const View condition = operand(operands, arguments, 2, "condition", size_of(DType::int32),
                                 reach_of(layout, 0, "select condition"), Access::read);
  const View a = operand(operands, arguments, 4, "a", size_of(dtype), reach_of(layout, 1, "select a"), Access::read);
  const View b = operand(operands, arguments, 6, "b", size_of(dtype), reach_of(layout, 2, "select b"), Access::read);
  const View out = operand(operands, arguments, 8, "out", size_of(dtype), layout.count(), Access::write);
  if (layout.count() == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe("select", dtype, layout); },
      [=](Backend& backend) { backend.select(dtype, layout, condition.as<int32_t>(), a.as<>(), b.as<>(), out.as<>()); });
  return info.Env().Undefined();
}

Napi::Value reduce(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "reduce", 8);
  Operands operands(environment, "reduce");
  const auto op = arguments.code<ReduceOp>(0, "op");
  const DType dtype = arguments.dtype(1);
  const ReduceDesc desc{op, dtype, arguments.layout(2, "kept", 1), arguments.layout(3, "reduced", 1)};
  const int64_t kept = desc.kept.count(), reduced = desc.reduced.count();
  checked_count({kept, reduced}, "reduce");
  if (reduced == 0 && kept > 0 && op != ReduceOp::sum) {
    throw RangeMistake("Expected at least one element for reduce " + std::string(name_of(op)) + " but received none");
  }
  // The farthest element of x is the sum of both layouts' last ones.
  int64_t reach = 0;
  if (kept > 0 && reduced > 0) {
    reach = checked_add(reach_of(desc.kept, 0, "reduce x"), reach_of(desc.reduced, 0, "reduce x") - 1, "reduce x");
  }
  const View x = operand(operands, arguments, 4, "x", size_of(dtype), reach, Access::read);
  const size_t out_size = size_of(op == ReduceOp::argmax ? DType::int32 : dtype);
  const View out = operand(operands, arguments, 6, "out", out_size, kept, Access::write);
  if (kept == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(desc); }, [=](Backend& backend) { backend.reduce(desc, x.as<>(), out.as<>()); });
  return info.Env().Undefined();
}

// The extent of `batch` matrices of rows x columns, checking that leading dimension and batch stride are usable.
int64_t matrix_reach(int64_t batch, int64_t rows, int64_t columns, int64_t leading, int64_t batch_stride,
                     const std::string& name) {
  if (leading < columns) {
    throw RangeMistake("Expected a leading dimension of at least " + std::to_string(columns) + " for " + name +
                       " but received " + std::to_string(leading));
  }
  if (batch == 0 || rows == 0 || columns == 0) return 0;
  const int64_t matrix = checked_add(checked_multiply(rows - 1, leading, name), columns, name);
  return checked_add(checked_multiply(batch - 1, batch_stride, name), matrix, name);
}

Napi::Value matmul(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "matmul", 11);
  Operands operands(environment, "matmul");
  const DType dtype = arguments.dtype(0);
  const std::vector<double> given = arguments.numbers(1, "sizes", 10);
  int64_t sizes[10];
  for (int i = 0; i < 10; i++) sizes[i] = check_integer(given[size_t(i)], 0, kMaxElements, "matmul sizes");
  const MatmulDesc desc{dtype,
                        sizes[0],
                        sizes[1],
                        sizes[2],
                        sizes[3],
                        arguments.boolean(2, "transposeA"),
                        arguments.boolean(3, "transposeB"),
                        arguments.boolean(4, "accumulate"),
                        sizes[4],
                        sizes[5],
                        sizes[6],
                        sizes[7],
                        sizes[8],
                        sizes[9]};
  const int64_t a_rows = desc.transpose_a ? desc.k : desc.m, a_columns = desc.transpose_a ? desc.m : desc.k;
  const int64_t b_rows = desc.transpose_b ? desc.n : desc.k, b_columns = desc.transpose_b ? desc.k : desc.n;
  const int64_t a_reach = matrix_reach(desc.batch, a_rows, a_columns, desc.lda, desc.batch_stride_a, "matmul a");
  const int64_t b_reach = matrix_reach(desc.batch, b_rows, b_columns, desc.ldb, desc.batch_stride_b, "matmul b");
  const int64_t c_reach = matrix_reach(desc.batch, desc.m, desc.n, desc.ldc, desc.batch_stride_c, "matmul c");
  if (desc.batch > 1 && c_reach > 0 && desc.batch_stride_c < matrix_reach(1, desc.m, desc.n, desc.ldc, 0, "matmul c")) {
    throw RangeMistake("Expected a batch stride that keeps the results apart for matmul c but received " +
                       std::to_string(desc.batch_stride_c));
  }
  const View a = operand(operands, arguments, 5, "a", size_of(dtype), a_reach, Access::read);
  const View b = operand(operands, arguments, 7, "b", size_of(dtype), b_reach, Access::read);
  const View c = operand(operands, arguments, 9, "c", size_of(dtype), c_reach, Access::write);
  if (c_reach == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(desc); },
      [=](Backend& backend) { backend.matmul(desc, a.as<>(), b.as<>(), c.as<>()); });
  return info.Env().Undefined();
}

GatherDesc gather_desc(const Arguments& arguments, Strided& index) {
  const DType dtype = arguments.dtype(0);
  const std::vector<double> given = arguments.numbers(1, "sizes", 7);
  int64_t sizes[7];
  for (int i = 0; i < 7; i++) sizes[i] = check_integer(given[size_t(i)], 0, kMaxElements, arguments.name("sizes"));
  const GatherDesc desc{dtype, sizes[0], sizes[1], sizes[2], sizes[3], {sizes[4], sizes[5], sizes[6]}};
  index.rank = 3;
  const int64_t shape[] = {desc.outer, desc.count, desc.inner};
  for (int axis = 0; axis < 3; axis++) {
    index.shape[axis] = shape[axis];
    index.strides[0][axis] = desc.index_strides[axis];
  }
  checked_count({desc.outer, desc.count, desc.inner}, arguments.function());
  return desc;
}

Napi::Value gather(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "gather", 8);
  Operands operands(environment, "gather");
  Strided indices;
  const GatherDesc desc = gather_desc(arguments, indices);
  const int64_t source_count = checked_count({desc.outer, desc.axis, desc.inner}, "gather source");
  const View source = operand(operands, arguments, 2, "source", size_of(desc.dtype), source_count, Access::read);
  const View index =
      operand(operands, arguments, 4, "index", size_of(DType::int32), reach_of(indices, 0, "gather index"), Access::read);
  const View destination = operand(operands, arguments, 6, "destination", size_of(desc.dtype), indices.count(), Access::write);
  if (indices.count() == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe("gather", desc); },
      [=](Backend& backend) { backend.gather(desc, source.as<>(), index.as<int32_t>(), destination.as<>()); });
  return info.Env().Undefined();
}

Napi::Value scatter_add(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "scatterAdd", 8);
  Operands operands(environment, "scatterAdd");
  Strided indices;
  const GatherDesc desc = gather_desc(arguments, indices);
  const int64_t destination_count = checked_count({desc.outer, desc.axis, desc.inner}, "scatterAdd destination");
  const View source = operand(operands, arguments, 2, "source", size_of(desc.dtype), indices.count(), Access::read);
  const View index =
      operand(operands, arguments, 4, "index", size_of(DType::int32), reach_of(indices, 0, "scatterAdd index"), Access::read);
  const View destination =
      operand(operands, arguments, 6, "destination", size_of(desc.dtype), destination_count, Access::write);
  if (indices.count() == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe("scatterAdd", desc); },
      [=](Backend& backend) { backend.scatter_add(desc, source.as<>(), index.as<int32_t>(), destination.as<>()); });
  return info.Env().Undefined();
}

Napi::Value random(Environment& environment, const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "random", 9);
  Operands operands(environment, "random");
  const double unbounded = std::numeric_limits<double>::infinity();
  const auto kind = arguments.code<RandomKind>(0, "kind");
  const RandomDesc desc{kind,
                        arguments.dtype(1),
                        arguments.integer(2, "count", 0, kMaxElements),
                        uint64_t(arguments.integer(3, "seed", 0, kMaxSafeInteger)),
                        uint64_t(arguments.integer(4, "counter", 0, kMaxSafeInteger)),
                        arguments.number(5, "a", -unbounded, unbounded),
                        arguments.number(6, "b", -unbounded, unbounded)};
  if (kind == RandomKind::bernoulli) check_number(desc.a, 0, 1, "random probability");
  const View out = operand(operands, arguments, 7, "out", size_of(desc.dtype), desc.count, Access::write);
  if (desc.count == 0) return info.Env().Undefined();
  push_kernel(
      operands.device(), [=] { return describe(desc); }, [=](Backend& backend) { backend.random(desc, out.as<>()); });
  return info.Env().Undefined();
}

}  // namespace

void define_primitive_bindings(Napi::Object exports) {
  define<fill>(exports, "fill");
  define<copy>(exports, "copy");
  define<cast>(exports, "cast");
  define<unary>(exports, "unary");
  define<binary>(exports, "binary");
  define<select>(exports, "select");
  define<reduce>(exports, "reduce");
  define<matmul>(exports, "matmul");
  define<gather>(exports, "gather");
  define<scatter_add>(exports, "scatterAdd");
  define<random>(exports, "random");
}

}  // namespace deep_rnn::addon
