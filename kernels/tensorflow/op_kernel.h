// What the CPU and GPU kernels of both ops have in common: checks and allocation. A
// device says how to run a pass.
#pragma once

#include "kernels/arguments.h"
#include "kernels/tensorflow/geometry.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace keras_lap {

class LaPoolOpKernel : public tensorflow::OpKernel {
 public:
  explicit LaPoolOpKernel(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, ReadAttributes(context, &attributes_));
  }

 protected:
  absl::StatusOr<Pooling> Resolve(tensorflow::OpKernelContext* context) const {
    return ResolvePooling(attributes_,
                          {DimsOf(context->input(0)), DimsOf(context->input(1)),
                           DimsOf(context->input(2)), DimsOf(context->input(3))});
  }

  static Dims DimsOf(const tensorflow::Tensor& tensor) {
    const auto sizes = tensor.shape().dim_sizes();
    return Dims(sizes.begin(), sizes.end());
  }

 private:
  Attributes attributes_;
};

// `Device::Forward(context, pooling, arguments)` runs the pass.
template <class Device>
class LaPoolKernel : public LaPoolOpKernel {
 public:
  using LaPoolOpKernel::LaPoolOpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    const absl::StatusOr<Pooling> pooling = Resolve(context);
    OP_REQUIRES_OK(context, pooling.status());
    tensorflow::Tensor* y;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, tensorflow::TensorShape(OutputDims(*pooling)), &y));
    const ForwardArguments arguments = {
        context->input(0).data(), context->input(1).data(), context->input(2).data(),
        context->input(3).data(), y->data()};
    OP_REQUIRES_OK(context, Device::Forward(context, *pooling, arguments));
  }
};

// `Device::Backward(context, pooling, arguments)` runs the pass.
template <class Device>
class LaPoolGradKernel : public LaPoolOpKernel {
 public:
  using LaPoolOpKernel::LaPoolOpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    const absl::StatusOr<Pooling> pooling = Resolve(context);
    OP_REQUIRES_OK(context, pooling.status());
    OP_REQUIRES_OK(context, CheckUpstream(*pooling, DimsOf(context->input(4))));
    // The gradients of x, scores, alpha and gate, each in its input's shape.
    tensorflow::Tensor* gradients[4];
    for (int i = 0; i < 4; ++i) {
      OP_REQUIRES_OK(context, context->allocate_output(i, context->input(i).shape(),
                                                       &gradients[i]));
    }
    const BackwardArguments arguments = {
        context->input(0).data(), context->input(1).data(), context->input(2).data(),
        context->input(3).data(), context->input(4).data(), gradients[0]->data(),
        gradients[1]->data(),     gradients[2]->data(),     gradients[3]->data()};
    OP_REQUIRES_OK(context, Device::Backward(context, *pooling, arguments));
  }
};

}  // namespace keras_lap
