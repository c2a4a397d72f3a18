// The XLA custom calls, which are the same on every platform: their names, arguments
// and results, and a `Pooling` as their attributes, written and read.
#pragma once

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/arguments.h"
#include "kernels/pooling.h"
#include "xla/ffi/api/ffi.h"

namespace xla::ffi {
// TensorFlow exports it; the header that declares it excludes the one above.
const XLA_FFI_Api* GetXlaFfiApi();
}  // namespace xla::ffi

namespace keras_lap {

// Names of the custom calls on every platform.
inline constexpr char kForwardTarget[] = "keras_lap.la_pool";
inline constexpr char kBackwardTarget[] = "keras_lap.la_pool_grad";

// A dictionary attribute in MLIR's notation, with a `Pooling` as an array of integers.
inline std::string EncodePooling(const Pooling& pooling) {
  return absl::StrCat(
      "{pooling = array<i64: ", absl::StrJoin(ToIntegers(pooling), ", "), ">}");
}

using Buffer = xla::ffi::AnyBuffer;
using Result = xla::ffi::Result<Buffer>;
using Integers = xla::ffi::Span<const int64_t>;

inline Pooling DecodePooling(Integers integers) {
  PoolingIntegers fields;
  std::copy_n(integers.begin(), fields.size(), fields.begin());
  return FromIntegers(fields);
}

// Arguments and results in the order of the op's; `Context` comes first.
template <class Context>
auto ForwardBinding() {
  return xla::ffi::Ffi::Bind()
      .Ctx<Context>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Ret<Buffer>()
      .template Attr<Integers>("pooling");
}

// The last result is scratch memory.
template <class Context>
auto BackwardBinding() {
  return xla::ffi::Ffi::Bind()
      .Ctx<Context>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Ret<Buffer>()
      .template Ret<Buffer>()
      .template Ret<Buffer>()
      .template Ret<Buffer>()
      .template Ret<Buffer>()
      .template Attr<Integers>("pooling");
}

// Such a call as one of `run(context, type of features, pooling, arguments)`.
template <auto run, class Context>
xla::ffi::Error CallForward(Context context, Buffer x, Buffer scores, Buffer alpha,
                            Buffer gate, Result y, Integers pooling) {
  const ForwardArguments arguments = {x.untyped_data(), scores.untyped_data(),
                                      alpha.untyped_data(), gate.untyped_data(),
                                      y->untyped_data()};
  return run(context, x.element_type(), DecodePooling(pooling), arguments);
}

// The same with scratch memory at the end.
template <auto run, class Context>
xla::ffi::Error CallBackward(Context context, Buffer x, Buffer scores, Buffer alpha,
                             Buffer gate, Buffer dy, Result dx, Result dscores,
                             Result dalpha, Result dgate, Result scratch,
                             Integers pooling) {
  const BackwardArguments arguments = {
      x.untyped_data(),        scores.untyped_data(),  alpha.untyped_data(),
      gate.untyped_data(),     dy.untyped_data(),      dx->untyped_data(),
      dscores->untyped_data(), dalpha->untyped_data(), dgate->untyped_data()};
  return run(context, x.element_type(), DecodePooling(pooling), arguments,
             scratch->untyped_data());
}

}  // namespace keras_lap
