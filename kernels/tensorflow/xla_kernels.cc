// The ops inside programs that XLA compiles: custom calls to the very same kernels.

// The header of XLA's kernels includes its compiler and its clients. Nothing of them is
// used here, and reading them takes a minute: where it is known how, they stay outside.
#if KERAS_LAP_TENSORFLOW == 221
#define TENSORFLOW_COMPILER_TF2XLA_XLA_COMPILER_H_
#define XLA_CLIENT_CLIENT_H_
namespace tensorflow {
class XlaCompiler;
}
namespace xla {
class Client;
}
#endif

#include "kernels/gpu/launch.h"
#include "kernels/tensorflow/geometry.h"
#include "kernels/tensorflow/xla_calls.h"
#include "tensorflow/compiler/tf2xla/xla_op_kernel.h"
#include "tensorflow/compiler/tf2xla/xla_op_registry.h"
#include "xla/hlo/builder/xla_builder.h"

namespace keras_lap {
namespace {

xla::Shape MakeShape(xla::PrimitiveType type, const Dims& dims) {
  return xla::ShapeUtil::MakeShapeWithDescendingLayout(type, dims);
}

class LaPoolXlaKernel : public tensorflow::XlaOpKernel {
 public:
  explicit LaPoolXlaKernel(tensorflow::OpKernelConstruction* context)
      : XlaOpKernel(context) {
    OP_REQUIRES_OK(context, ReadAttributes(context, &attributes_));
  }

 protected:
  absl::StatusOr<Pooling> Resolve(tensorflow::XlaOpKernelContext* context) const {
    return ResolvePooling(attributes_, {DimsOf(context, 0), DimsOf(context, 1),
                                        DimsOf(context, 2), DimsOf(context, 3)});
  }

  static Dims DimsOf(tensorflow::XlaOpKernelContext* context, int input) {
    const absl::StatusOr<xla::Shape> shape = context->InputXlaShape(input);
    if (!shape.ok()) {
      context->CtxFailure(shape.status());
      return {};
    }
    return Dims(shape->dimensions().begin(), shape->dimensions().end());
  }

  // Calls `target` with all inputs of the op.
  static xla::XlaOp Call(tensorflow::XlaOpKernelContext* context, const char* target,
                         const Pooling& pooling, const xla::Shape& result) {
    std::vector<xla::XlaOp> operands;
    std::vector<xla::Shape> shapes;
    for (int i = 0; i < context->num_inputs(); ++i) {
      operands.push_back(context->Input(i));
      shapes.push_back(MakeShape(context->input_xla_type(i), DimsOf(context, i)));
    }
    return xla::CustomCallWithLayout(
        context->builder(), target, operands, result, shapes, EncodePooling(pooling),
        /*has_side_effect=*/false, /*output_operand_aliasing=*/{}, /*literal=*/nullptr,
        xla::CustomCallSchedule::SCHEDULE_NONE,
        xla::CustomCallApiVersion::API_VERSION_TYPED_FFI);
  }

 private:
  Attributes attributes_;
};

class LaPoolXla : public LaPoolXlaKernel {
 public:
  using LaPoolXlaKernel::LaPoolXlaKernel;

  void Compile(tensorflow::XlaOpKernelContext* context) override {
    const absl::StatusOr<Pooling> pooling = Resolve(context);
    OP_REQUIRES_OK(context, pooling.status());
    const xla::Shape y = MakeShape(context->input_xla_type(0), OutputDims(*pooling));
    context->SetOutput(0, Call(context, kForwardTarget, *pooling, y));
  }
};

struct Host {
  static int64_t ScratchBytes(const Pooling&, xla::PrimitiveType) { return 0; }
};

struct Cuda {
  static int64_t ScratchBytes(const Pooling& pooling, xla::PrimitiveType type) {
    switch (type) {
      case xla::F16:
        return gpu::BackwardScratchBytes(pooling, gpu::DataType::kFloat16);
      case xla::BF16:
        return gpu::BackwardScratchBytes(pooling, gpu::DataType::kBFloat16);
      default:
        return gpu::BackwardScratchBytes(pooling, gpu::DataType::kFloat32);
    }
  }
};

template <class Platform>
class LaPoolGradXla : public LaPoolXlaKernel {
 public:
  using LaPoolXlaKernel::LaPoolXlaKernel;

  void Compile(tensorflow::XlaOpKernelContext* context) override {
    const absl::StatusOr<Pooling> pooling = Resolve(context);
    OP_REQUIRES_OK(context, pooling.status());
    OP_REQUIRES_OK(context, CheckUpstream(*pooling, DimsOf(context, 4)));
    // The gradients of x, scores, alpha and gate, each in its input's shape; and
    // scratch memory, so that XLA plans for it.
    std::vector<xla::Shape> results;
    for (int i = 0; i < 4; ++i) {
      results.push_back(MakeShape(context->input_xla_type(i), DimsOf(context, i)));
    }
    const int64_t scratch =
        Platform::ScratchBytes(*pooling, context->input_xla_type(0));
    results.push_back(MakeShape(xla::U8, {scratch}));
    const xla::XlaOp gradients = Call(context, kBackwardTarget, *pooling,
                                      xla::ShapeUtil::MakeTupleShape(results));
    for (int i = 0; i < 4; ++i) {
      context->SetOutput(i, xla::GetTupleElement(gradients, i));
    }
  }
};

constexpr tensorflow::DataType kHostTypes[] = {
    tensorflow::DT_HALF, tensorflow::DT_BFLOAT16, tensorflow::DT_FLOAT,
    tensorflow::DT_DOUBLE};
constexpr tensorflow::DataType kCudaTypes[] = {
    tensorflow::DT_HALF, tensorflow::DT_BFLOAT16, tensorflow::DT_FLOAT};

// Not by REGISTER_XLA_OP, which TensorFlow heeds only until it first compiles a
// function: this library may be loaded later.
REGISTER_KERNEL_BUILDER(Name("KerasLap>LaPool")
                            .Device(tensorflow::DEVICE_CPU_XLA_JIT)
                            .TypeConstraint("T", kHostTypes),
                        LaPoolXla);
REGISTER_KERNEL_BUILDER(Name("KerasLap>LaPool")
                            .Device(tensorflow::DEVICE_GPU_XLA_JIT)
                            .TypeConstraint("T", kCudaTypes),
                        LaPoolXla);
REGISTER_KERNEL_BUILDER(Name("KerasLap>LaPoolGrad")
                            .Device(tensorflow::DEVICE_CPU_XLA_JIT)
                            .TypeConstraint("T", kHostTypes),
                        LaPoolGradXla<Host>);
REGISTER_KERNEL_BUILDER(Name("KerasLap>LaPoolGrad")
                            .Device(tensorflow::DEVICE_GPU_XLA_JIT)
                            .TypeConstraint("T", kCudaTypes),
                        LaPoolGradXla<Cuda>);

}  // namespace
}  // namespace keras_lap
