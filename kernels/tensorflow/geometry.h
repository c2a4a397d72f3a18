// The attributes and shapes of one op call, checked and resolved to a `Pooling`.
// The shape functions, the CPU and GPU kernels and the XLA kernels all come here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernels/pooling.h"
#include "tensorflow/core/framework/types.pb.h"

namespace keras_lap {

// Sizes of a tensor; -1 stands for one that is not known yet.
using Dims = std::vector<int64_t>;

struct Shapes {
  Dims x, scores, alpha, gate;
};

struct Attributes {
  tensorflow::DataType storage_type;
  tensorflow::DataType compute_type;
  std::vector<int64_t> pool_size;          // empty: one window over the whole map
  std::vector<int64_t> strides;            // empty: those of pool_size
  std::string padding;                     // valid, same or explicit
  std::vector<int64_t> explicit_paddings;  // top, bottom, left, right
  std::string weighting;
  std::string gating;
  std::string base;
};

absl::Status CheckAttributes(const Attributes& attributes);

// Reads and checks the attributes in an `InferenceContext` or `OpKernelConstruction`.
template <class Context>
absl::Status ReadAttributes(Context* context, Attributes* attributes) {
  absl::Status status;
  status.Update(context->GetAttr("T", &attributes->storage_type));
  status.Update(context->GetAttr("U", &attributes->compute_type));
  status.Update(context->GetAttr("pool_size", &attributes->pool_size));
  status.Update(context->GetAttr("strides", &attributes->strides));
  status.Update(context->GetAttr("padding", &attributes->padding));
  status.Update(context->GetAttr("explicit_paddings", &attributes->explicit_paddings));
  status.Update(context->GetAttr("weighting", &attributes->weighting));
  status.Update(context->GetAttr("gating", &attributes->gating));
  status.Update(context->GetAttr("base", &attributes->base));
  return status.ok() ? CheckAttributes(*attributes) : status;
}

// Sizes that follow from unknown ones are -1; known ones are checked all the same.
// `attributes` have passed `CheckAttributes`.
absl::StatusOr<Pooling> ResolvePooling(const Attributes& attributes,
                                       const Shapes& shapes);

// Checks the upstream gradient's shape against that of the pooled map.
absl::Status CheckUpstream(const Pooling& pooling, const Dims& dy);

// Shape of the pooled map.
Dims OutputDims(const Pooling& pooling);

}  // namespace keras_lap
