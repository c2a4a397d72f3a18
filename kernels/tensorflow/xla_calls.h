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

using XlaBuffer = xla::ffi::AnyBuffer;
using XlaResult = xla::ffi::Result<XlaBuffer>;
using XlaIntegers = xla::ffi::Span<const int64_t>;

// Calls `run` with the `Pooling` of an attribute.
template <class Run>
xla::ffi::Error WithPooling(XlaIntegers integers, const Run& run) {
  PoolingIntegers fields;
  if (integers.size() != fields.size()) {
    return xla::ffi::Error::InvalidArgument(absl::StrCat(
        "Expected ", fields.size(), " integers for a pooling. Received: ",
        integers.size(), ". Compile the program anew, with this build of keras-lap."));
  }
  std::copy(integers.begin(), integers.end(), fields.begin());
  return run(FromIntegers(fields));
}

// Arguments and results in the order of the op's; `Context` comes first.
template <class Context>
auto ForwardBinding() {
  return xla::ffi::Ffi::Bind()
      .Ctx<Context>()
      .template Arg<XlaBuffer>()
      .template Arg<XlaBuffer>()
      .template Arg<XlaBuffer>()
      .template Arg<XlaBuffer>()
      .template Ret<XlaBuffer>()
      .template Attr<XlaIntegers>("pooling");
}

// The last result is scratch memory.
template <class Context>
auto BackwardBinding() {
  return xla::ffi::Ffi::Bind()
      .Ctx<Context>()
      .template Arg<XlaBuffer>()
      .template Arg<XlaBuffer>()
      .template Arg<XlaBuffer>()
      .template Arg<XlaBuffer>()
      .template Arg<XlaBuffer>()
      .template Ret<XlaBuffer>()
      .template Ret<XlaBuffer>()
      .template Ret<XlaBuffer>()
      .template Ret<XlaBuffer>()
      .template Ret<XlaBuffer>()
      .template Attr<XlaIntegers>("pooling");
}

// Such a call as one of `run(context, type of features, pooling, arguments)`.
template <auto run, class Context>
xla::ffi::Error CallForward(Context context, XlaBuffer x, XlaBuffer scores,
                            XlaBuffer alpha, XlaBuffer gate, XlaResult y,
                            XlaIntegers pooling) {
  const ForwardArguments arguments = {x.untyped_data(), scores.untyped_data(),
                                      alpha.untyped_data(), gate.untyped_data(),
                                      y->untyped_data()};
  return WithPooling(pooling, [&](const Pooling& decoded) {
    return run(context, x.element_type(), decoded, arguments);
  });
}

// The same with scratch memory at the end.
template <auto run, class Context>
xla::ffi::Error CallBackward(Context context, XlaBuffer x, XlaBuffer scores,
                             XlaBuffer alpha, XlaBuffer gate, XlaBuffer dy,
                             XlaResult dx, XlaResult dscores, XlaResult dalpha,
                             XlaResult dgate, XlaResult scratch, XlaIntegers pooling) {
  const BackwardArguments arguments = {
      x.untyped_data(),        scores.untyped_data(),  alpha.untyped_data(),
      gate.untyped_data(),     dy.untyped_data(),      dx->untyped_data(),
      dscores->untyped_data(), dalpha->untyped_data(), dgate->untyped_data()};
  return WithPooling(pooling, [&](const Pooling& decoded) {
    return run(context, x.element_type(), decoded, arguments, scratch->untyped_data());
  });
}

}  // namespace keras_lap
