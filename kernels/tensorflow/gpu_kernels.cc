// The ops on a CUDA device, on TensorFlow's own stream.
#include "kernels/gpu/launch.h"
#include "kernels/tensorflow/op_kernel.h"
#include "xla/stream_executor/stream.h"

namespace keras_lap {
namespace {

// TensorFlow has made the stream's context current.
void* StreamOf(tensorflow::OpKernelContext* context) {
  return context->op_device_context()->stream()->platform_specific_handle().stream;
}

absl::Status ToStatus(const std::string& error) {
  return error.empty() ? absl::OkStatus() : absl::InternalError(error);
}

template <gpu::DataType dtype>
struct Gpu {
  static absl::Status Forward(tensorflow::OpKernelContext* context,
                              const Pooling& pooling,
                              const ForwardArguments& arguments) {
    return ToStatus(gpu::Forward(pooling, dtype, arguments, StreamOf(context)));
  }

  static absl::Status Backward(tensorflow::OpKernelContext* context,
                               const Pooling& pooling,
                               const BackwardArguments& arguments) {
    tensorflow::Tensor scratch;
    TF_RETURN_IF_ERROR(context->allocate_temp(
        tensorflow::DT_INT8, {gpu::BackwardScratchBytes(pooling, dtype)}, &scratch));
    return ToStatus(
        gpu::Backward(pooling, dtype, arguments, scratch.data(), StreamOf(context)));
  }
};

#define KERAS_LAP_REGISTER(TensorFlowType, dtype)                   \
  REGISTER_KERNEL_BUILDER(Name("KerasLap>LaPool")                   \
                              .Device(tensorflow::DEVICE_GPU)       \
                              .TypeConstraint<TensorFlowType>("T"), \
                          LaPoolKernel<Gpu<gpu::DataType::dtype>>); \
  REGISTER_KERNEL_BUILDER(Name("KerasLap>LaPoolGrad")               \
                              .Device(tensorflow::DEVICE_GPU)       \
                              .TypeConstraint<TensorFlowType>("T"), \
                          LaPoolGradKernel<Gpu<gpu::DataType::dtype>>)

KERAS_LAP_REGISTER(float, kFloat32);
KERAS_LAP_REGISTER(Eigen::half, kFloat16);
KERAS_LAP_REGISTER(Eigen::bfloat16, kBFloat16);

#undef KERAS_LAP_REGISTER

}  // namespace
}  // namespace keras_lap
