// The ops as TensorFlow sees them: names, attributes, shapes.
#include "kernels/tensorflow/geometry.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace keras_lap {
namespace {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Sizes of an input as far as they are known; `otherwise` if not even the rank is.
Dims KnownDims(InferenceContext* context, int input, const Dims& otherwise) {
  const ShapeHandle shape = context->input(input);
  if (!context->RankKnown(shape)) return otherwise;
  Dims dims;
  for (int axis = 0; axis < context->Rank(shape); ++axis) {
    dims.push_back(context->Value(context->Dim(shape, axis)));
  }
  return dims;
}

ShapeHandle MakeShape(InferenceContext* context, const Dims& sizes) {
  std::vector<tensorflow::shape_inference::DimensionHandle> dims;
  for (int64_t size : sizes) dims.push_back(context->MakeDim(size));
  return context->MakeShape(dims);
}

absl::Status Infer(InferenceContext* context, Pooling* pooling) {
  Attributes attributes;
  TF_RETURN_IF_ERROR(ReadAttributes(context, &attributes));
  const Dims unknown_map = {-1, -1, -1, -1};
  const Shapes shapes = {
      KnownDims(context, 0, unknown_map), KnownDims(context, 1, unknown_map),
      KnownDims(context, 2, /*otherwise=*/{}), KnownDims(context, 3, {})};
  const absl::StatusOr<Pooling> resolved = ResolvePooling(attributes, shapes);
  if (resolved.ok()) *pooling = *resolved;
  return resolved.status();
}

absl::Status LaPoolShape(InferenceContext* context) {
  Pooling pooling;
  TF_RETURN_IF_ERROR(Infer(context, &pooling));
  context->set_output(0, MakeShape(context, OutputDims(pooling)));
  return absl::OkStatus();
}

absl::Status LaPoolGradShape(InferenceContext* context) {
  Pooling pooling;
  TF_RETURN_IF_ERROR(Infer(context, &pooling));
  const Dims expected = OutputDims(pooling);
  TF_RETURN_IF_ERROR(CheckUpstream(pooling, KnownDims(context, 4, expected)));
  const auto map_of = [&](int64_t channels) {
    return MakeShape(context, {pooling.batch, pooling.height, pooling.width, channels});
  };
  context->set_output(0, map_of(pooling.channels));
  context->set_output(1, map_of(pooling.groups));
  context->set_output(2, context->input(2));
  context->set_output(3, context->Scalar());
  return absl::OkStatus();
}

using tensorflow::register_op::OpDefBuilderWrapper;

// What both ops have in common.
OpDefBuilderWrapper Declare(const char* name) {
  return OpDefBuilderWrapper(name)
      .Input("x: T")
      .Input("scores: U")
      .Input("alpha: U")
      .Input("gate: U")
      .Attr("T: {half, bfloat16, float, double}")
      .Attr("U: {float, double}")
      .Attr("pool_size: list(int)")
      .Attr("strides: list(int) = []")
      .Attr("padding: {'valid', 'same', 'explicit'} = 'valid'")
      .Attr("explicit_paddings: list(int) = []")
      .Attr("weighting: {'gaussian', 'softmax'} = 'gaussian'")
      .Attr("gating: {'score', 'none'} = 'score'")
      .Attr("base: {'none', 'max', 'avg', 'first'} = 'none'");
}

[[maybe_unused]] const tensorflow::InitOnStartupMarker kRegistered[] = {
    Declare("KerasLap>LaPool").Output("y: T").SetShapeFn(LaPoolShape)(),
    Declare("KerasLap>LaPoolGrad")
        .Input("dy: T")
        .Output("dx: T")
        .Output("dscores: U")
        .Output("dalpha: U")
        .Output("dgate: U")
        .SetShapeFn(LaPoolGradShape)(),
};

}  // namespace
}  // namespace keras_lap
