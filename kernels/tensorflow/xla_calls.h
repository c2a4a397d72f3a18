// The XLA custom calls, which are the same on every platform: their names, arguments
// and results, and a `Pooling` as their attributes, written and read.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
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

// A dictionary attribute in MLIR's notation.
inline std::string EncodePooling(const Pooling& pooling) {
  std::string fields;
  const auto size = [&](const char* name, int64_t value) {
    absl::StrAppend(&fields, name, " = ", value, " : i64, ");
  };
  const auto choice = [&](const char* name, auto value) {
    absl::StrAppend(&fields, name, " = ", static_cast<int32_t>(value), " : i32, ");
  };
  const auto flag = [&](const char* name, bool value, const char* separator = ", ") {
    absl::StrAppend(&fields, name, " = ", value ? "true" : "false", separator);
  };
  size("batch", pooling.batch);
  size("height", pooling.height);
  size("width", pooling.width);
  size("channels", pooling.channels);
  size("groups", pooling.groups);
  size("window_height", pooling.window_height);
  size("window_width", pooling.window_width);
  size("stride_height", pooling.stride_height);
  size("stride_width", pooling.stride_width);
  size("pad_top", pooling.pad_top);
  size("pad_left", pooling.pad_left);
  size("out_height", pooling.out_height);
  size("out_width", pooling.out_width);
  choice("weighting", pooling.weighting);
  choice("base", pooling.base);
  flag("gated", pooling.gated);
  flag("base_sees_padding", pooling.base_sees_padding);
  flag("alpha_per_group", pooling.alpha_per_group, "");
  return absl::StrCat("{", fields, "}");
}

}  // namespace keras_lap

XLA_FFI_REGISTER_ENUM_ATTR_DECODING(keras_lap::Weighting);
XLA_FFI_REGISTER_ENUM_ATTR_DECODING(keras_lap::Base);
// In the order of the fields in the struct.
XLA_FFI_REGISTER_STRUCT_ATTR_DECODING(
    keras_lap::Pooling, StructMember<int64_t>("batch"), StructMember<int64_t>("height"),
    StructMember<int64_t>("width"), StructMember<int64_t>("channels"),
    StructMember<int64_t>("groups"), StructMember<int64_t>("window_height"),
    StructMember<int64_t>("window_width"), StructMember<int64_t>("stride_height"),
    StructMember<int64_t>("stride_width"), StructMember<int64_t>("pad_top"),
    StructMember<int64_t>("pad_left"), StructMember<int64_t>("out_height"),
    StructMember<int64_t>("out_width"), StructMember<keras_lap::Weighting>("weighting"),
    StructMember<keras_lap::Base>("base"), StructMember<bool>("gated"),
    StructMember<bool>("base_sees_padding"), StructMember<bool>("alpha_per_group"));

namespace keras_lap {

// Arguments and results in the order of the op's; `Context` comes first.
template <class Context>
auto ForwardBinding() {
  using Buffer = xla::ffi::AnyBuffer;
  return xla::ffi::Ffi::Bind()
      .Ctx<Context>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Arg<Buffer>()
      .template Ret<Buffer>()
      .template Attrs<Pooling>();
}

// The last result is scratch memory.
template <class Context>
auto BackwardBinding() {
  using Buffer = xla::ffi::AnyBuffer;
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
      .template Attrs<Pooling>();
}

}  // namespace keras_lap
