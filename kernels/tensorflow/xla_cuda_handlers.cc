// What XLA's compiled programs call on a CUDA device, on XLA's stream.
#include <optional>

#include "kernels/gpu/launch.h"
#include "kernels/tensorflow/xla_calls.h"

namespace keras_lap {
namespace {

namespace ffi = xla::ffi;

std::optional<gpu::DataType> StorageType(ffi::DataType type) {
  switch (type) {
    case ffi::F16:
      return gpu::DataType::kFloat16;
    case ffi::BF16:
      return gpu::DataType::kBFloat16;
    case ffi::F32:
      return gpu::DataType::kFloat32;
    default:
      return std::nullopt;
  }
}

// Calls `launch` with the storage type, under the context of `stream`. `launch`
// returns an error message.
template <class Launch>
ffi::Error Launched(void* stream, ffi::DataType type, const Launch& launch) {
  const std::optional<gpu::DataType> dtype = StorageType(type);
  if (!dtype) {
    return ffi::Error::InvalidArgument(
        "Expected features of dtype float32, float16 or bfloat16 on the GPU.");
  }
  const gpu::ScopedContext context(stream);
  const std::string error = context.error().empty() ? launch(*dtype) : context.error();
  return error.empty() ? ffi::Error::Success() : ffi::Error::Internal(error);
}

ffi::Error Forward(void* stream, ffi::DataType type, const Pooling& pooling,
                   const ForwardArguments& arguments) {
  return Launched(stream, type, [&](gpu::DataType dtype) {
    return gpu::Forward(pooling, dtype, arguments, stream);
  });
}

ffi::Error Backward(void* stream, ffi::DataType type, const Pooling& pooling,
                    const BackwardArguments& arguments, void* scratch) {
  return Launched(stream, type, [&](gpu::DataType dtype) {
    return gpu::Backward(pooling, dtype, arguments, scratch, stream);
  });
}

XLA_FFI_DEFINE_HANDLER(kForward, (CallForward<Forward, void*>),
                       ForwardBinding<ffi::PlatformStream<void*>>());
XLA_FFI_DEFINE_HANDLER(kBackward, (CallBackward<Backward, void*>),
                       BackwardBinding<ffi::PlatformStream<void*>>());
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kForwardTarget, "CUDA", kForward);
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kBackwardTarget, "CUDA", kBackward);

}  // namespace
}  // namespace keras_lap
