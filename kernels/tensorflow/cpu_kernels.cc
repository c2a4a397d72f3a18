// The ops on the CPU, over TensorFlow's own threads.
#include "kernels/tensorflow/host.h"
#include "kernels/tensorflow/op_kernel.h"
#include "tensorflow/core/util/work_sharder.h"

namespace keras_lap {
namespace {

host::ParallelFor OnThreadsOf(tensorflow::OpKernelContext* context) {
  const auto* threads = context->device()->tensorflow_cpu_worker_threads();
  return [threads](int64_t units, int64_t cost, const host::Work& work) {
    tensorflow::Shard(threads->num_threads, threads->workers, units, cost, work);
  };
}

absl::Status Checked(bool enough_memory) {
  return enough_memory ? absl::OkStatus()
                       : absl::ResourceExhaustedError(host::kOutOfMemory);
}

template <class T>
struct Cpu {
  static absl::Status Forward(tensorflow::OpKernelContext* context,
                              const Pooling& pooling,
                              const ForwardArguments& arguments) {
    return Checked(host::Forward<T>(pooling, arguments, OnThreadsOf(context)));
  }

  static absl::Status Backward(tensorflow::OpKernelContext* context,
                               const Pooling& pooling,
                               const BackwardArguments& arguments) {
    return Checked(host::Backward<T>(pooling, arguments, OnThreadsOf(context)));
  }
};

#define KERAS_LAP_REGISTER(TensorFlowType, T)                       \
  REGISTER_KERNEL_BUILDER(Name("KerasLap>LaPool")                   \
                              .Device(tensorflow::DEVICE_CPU)       \
                              .TypeConstraint<TensorFlowType>("T"), \
                          LaPoolKernel<Cpu<T>>);                    \
  REGISTER_KERNEL_BUILDER(Name("KerasLap>LaPoolGrad")               \
                              .Device(tensorflow::DEVICE_CPU)       \
                              .TypeConstraint<TensorFlowType>("T"), \
                          LaPoolGradKernel<Cpu<T>>)

KERAS_LAP_REGISTER(float, float);
KERAS_LAP_REGISTER(double, double);
KERAS_LAP_REGISTER(Eigen::half, cpu::Half);
KERAS_LAP_REGISTER(Eigen::bfloat16, cpu::BFloat16);

#undef KERAS_LAP_REGISTER

}  // namespace
}  // namespace keras_lap
