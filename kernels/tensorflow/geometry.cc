#include "kernels/tensorflow/geometry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tensorflow/core/framework/types.h"
#include "tensorflow/core/util/overflow.h"

namespace keras_lap {
namespace {

// Sizes along one axis stay below this, so that sums and products of two cannot
// overflow.
constexpr int64_t kSizeLimit = int64_t{1} << 31;

// A window's weights are held at once.
constexpr int64_t kWindowLimit = int64_t{1} << 20;

// The largest storage type has eight bytes.
constexpr int64_t kElementLimit = INT64_MAX / 8;

std::string Text(const Dims& values) {
  const char* trailing_comma = values.size() == 1 ? "," : "";
  return absl::StrCat("(", absl::StrJoin(values, ", "), trailing_comma, ")");
}

std::string ShapeText(const Dims& dims) {
  return absl::StrReplaceAll(Text(dims), {{"-1", "?"}});
}

std::string PaddingText(const Attributes& attributes) {
  if (attributes.padding != "explicit") return attributes.padding;
  return absl::StrCat("explicit ", Text(attributes.explicit_paddings),
                      " (top, bottom, left, right)");
}

template <class... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

bool Known(int64_t size) { return size >= 0; }

bool Differ(int64_t a, int64_t b) { return Known(a) && Known(b) && a != b; }

int64_t KnownOne(int64_t a, int64_t b) { return Known(a) ? a : b; }

bool AllBetween(const Dims& sizes, int64_t least, int64_t limit) {
  return std::all_of(sizes.begin(), sizes.end(),
                     [&](int64_t size) { return size >= least && size < limit; });
}

absl::Status CheckTypes(const Attributes& attributes) {
  const auto expected = attributes.storage_type == tensorflow::DT_DOUBLE
                            ? tensorflow::DT_DOUBLE
                            : tensorflow::DT_FLOAT;
  if (attributes.compute_type == expected) return absl::OkStatus();
  return Refused("Expected `scores`, `alpha` and `gate` of dtype ",
                 tensorflow::DataTypeString(expected), " with `x` of dtype ",
                 tensorflow::DataTypeString(attributes.storage_type),
                 ". Received: ", tensorflow::DataTypeString(attributes.compute_type));
}

absl::Status CheckSizes(const char* name, const Dims& sizes) {
  if (sizes.empty()) return absl::OkStatus();
  if (sizes.size() == 2 && AllBetween(sizes, 1, kSizeLimit)) return absl::OkStatus();
  return Refused("Expected `", name, "` to hold two positive integers below 2^31. ",
                 "Received: ", name, "=", Text(sizes));
}

absl::Status CheckWindow(const Dims& window) {
  if (window.empty() || window[0] * window[1] <= kWindowLimit) return absl::OkStatus();
  return Refused("Expected a window of at most 2^20 pixels. Received: pool_size=",
                 Text(window), ". A global pooling takes maps of any size.");
}

absl::Status CheckExplicitPaddings(const Attributes& attributes) {
  const Dims& pads = attributes.explicit_paddings;
  if (attributes.padding != "explicit") {
    if (pads.empty()) return absl::OkStatus();
    return Refused("Expected `explicit_paddings` with padding=explicit only. ",
                   "Received: padding=", attributes.padding,
                   ", explicit_paddings=", Text(pads));
  }
  if (pads.size() != 4 || !AllBetween(pads, 0, kSizeLimit)) {
    return Refused(
        "Expected `explicit_paddings` to hold four integers, zero or ",
        "positive: top, bottom, left, right. Received: explicit_paddings=", Text(pads));
  }
  const Dims& window = attributes.pool_size;
  if (std::max(pads[0], pads[1]) < window[0] && std::max(pads[2], pads[3]) < window[1])
    return absl::OkStatus();
  return Refused("Expected padding smaller than the window on every side, so that ",
                 "each window holds a real pixel. Received: explicit_paddings=",
                 Text(pads), ", pool_size=", Text(window));
}

absl::Status CheckRank(const char* name, const Dims& dims, const char* axes) {
  if (dims.size() == 4) return absl::OkStatus();
  return Refused("Expected `", name, "` of rank 4: ", axes, ". Received: ", name,
                 ".shape=", ShapeText(dims));
}

absl::Status CheckScores(const Shapes& shapes) {
  for (int axis = 0; axis < 3; ++axis) {
    if (Differ(shapes.x[axis], shapes.scores[axis])) {
      return Refused("Expected one score per pixel of `x`. Received: x.shape=",
                     ShapeText(shapes.x), ", scores.shape=", ShapeText(shapes.scores));
    }
  }
  const int64_t channels = shapes.x[3], groups = shapes.scores[3];
  const bool unknown = !Known(channels) || !Known(groups);
  const bool divides = unknown || (groups > 0 && channels % groups == 0);
  if (channels != 0 && groups != 0 && divides) return absl::OkStatus();
  return Refused("Expected the number of score maps to divide the number of channels, ",
                 "since each serves one channel group. Received: x.shape=",
                 ShapeText(shapes.x), ", scores.shape=", ShapeText(shapes.scores));
}

absl::Status CheckAlphaAndGate(const Shapes& shapes) {
  const Dims &alpha = shapes.alpha, &gate = shapes.gate;
  if (alpha.size() > 1 || (alpha.size() == 1 && Differ(alpha[0], shapes.scores[3]))) {
    return Refused("Expected `alpha` to be a scalar or to hold one value per score ",
                   "map. Received: alpha.shape=", ShapeText(alpha),
                   ", scores.shape=", ShapeText(shapes.scores));
  }
  if (!gate.empty()) {
    return Refused("Expected `gate` to be a scalar. Received: gate.shape=",
                   ShapeText(gate));
  }
  return absl::OkStatus();
}

// Windows along one axis. All sizes are below 2^31.
struct Axis {
  int64_t window, stride, pad_before, count;
};

Axis ResolveAxis(const Attributes& attributes, int axis, int64_t size) {
  if (attributes.pool_size.empty()) return {size, std::max<int64_t>(size, 1), 0, 1};
  Axis resolved;
  resolved.window = attributes.pool_size[axis];
  resolved.stride =
      attributes.strides.empty() ? resolved.window : attributes.strides[axis];
  if (attributes.padding == "same") {
    // TensorFlow's rule: an odd total puts the extra pixel at the end.
    resolved.count = Known(size) ? (size + resolved.stride - 1) / resolved.stride : -1;
    const int64_t covered = (resolved.count - 1) * resolved.stride + resolved.window;
    resolved.pad_before = std::max<int64_t>(covered - size, 0) / 2;
    return resolved;
  }
  int64_t pad_after = 0;
  resolved.pad_before = 0;
  if (attributes.padding == "explicit") {
    resolved.pad_before = attributes.explicit_paddings[2 * axis];
    pad_after = attributes.explicit_paddings[2 * axis + 1];
  }
  const int64_t room = resolved.pad_before + size + pad_after - resolved.window;
  resolved.count = !Known(size) ? -1 : room < 0 ? 0 : room / resolved.stride + 1;
  return resolved;
}

absl::Status CheckMap(const Attributes& attributes, const Dims& map) {
  if (std::max(map[0], map[1]) >= kSizeLimit) {
    return Refused("Expected a map of less than 2^31 rows and columns. Received: ",
                   ShapeText(map));
  }
  const bool may_be_empty = attributes.padding == "same";
  if (!may_be_empty && (map[0] == 0 || map[1] == 0)) {
    return Refused("Expected a map that holds at least one pixel. Received: a map of ",
                   ShapeText(map), ". Only padding=same pools nothing to nothing.");
  }
  return absl::OkStatus();
}

absl::Status CheckOutput(const Attributes& attributes, const Pooling& pooling) {
  if (attributes.padding != "same" &&
      (pooling.out_height == 0 || pooling.out_width == 0)) {
    return Refused("Expected every window to fit into the map. Received: pool_size=",
                   Text(attributes.pool_size), " on a map of ",
                   ShapeText({pooling.height, pooling.width}),
                   " with padding=", PaddingText(attributes),
                   ". Use a smaller window, padding=same or a global pooling.");
  }
  int64_t elements = 1;
  for (int64_t size : OutputDims(pooling)) {
    if (!Known(size)) return absl::OkStatus();
    elements = tensorflow::MultiplyWithoutOverflow(elements, size);
    if (elements < 0 || elements > kElementLimit) {
      return Refused("Expected an output that can be addressed in 64 bits. Received: ",
                     "one of shape ", ShapeText(OutputDims(pooling)),
                     " by pool_size=", Text(attributes.pool_size),
                     ", padding=", PaddingText(attributes));
    }
  }
  return absl::OkStatus();
}

Weighting ParseWeighting(const std::string& name) {
  return name == "softmax" ? Weighting::kSoftmax : Weighting::kGaussian;
}

Base ParseBase(const std::string& name) {
  if (name == "max") return Base::kMax;
  if (name == "avg") return Base::kAverage;
  return name == "first" ? Base::kFirst : Base::kNone;
}

}  // namespace

absl::Status CheckAttributes(const Attributes& attributes) {
  absl::Status status = CheckTypes(attributes);
  status.Update(CheckSizes("pool_size", attributes.pool_size));
  status.Update(CheckSizes("strides", attributes.strides));
  if (status.ok()) status = CheckWindow(attributes.pool_size);
  if (!status.ok()) return status;
  const bool global = attributes.pool_size.empty();
  if (global && !(attributes.strides.empty() && attributes.padding == "valid")) {
    return Refused("Expected neither `strides` nor `padding` with an empty ",
                   "`pool_size`, which is one window over the whole map. Received: ",
                   "strides=", Text(attributes.strides),
                   ", padding=", PaddingText(attributes));
  }
  return CheckExplicitPaddings(attributes);
}

absl::StatusOr<Pooling> ResolvePooling(const Attributes& attributes,
                                       const Shapes& shapes) {
  absl::Status status = CheckRank("x", shapes.x, "batch, height, width, channels");
  status.Update(CheckRank("scores", shapes.scores, "batch, height, width, groups"));
  if (!status.ok()) return status;
  status.Update(CheckScores(shapes));
  status.Update(CheckAlphaAndGate(shapes));

  Pooling pooling;
  pooling.batch = KnownOne(shapes.x[0], shapes.scores[0]);
  pooling.height = KnownOne(shapes.x[1], shapes.scores[1]);
  pooling.width = KnownOne(shapes.x[2], shapes.scores[2]);
  pooling.channels = shapes.x[3];
  pooling.groups = shapes.scores[3];
  status.Update(CheckMap(attributes, {pooling.height, pooling.width}));
  if (!status.ok()) return status;

  const Axis vertical = ResolveAxis(attributes, 0, pooling.height);
  const Axis horizontal = ResolveAxis(attributes, 1, pooling.width);
  pooling.window_height = vertical.window;
  pooling.window_width = horizontal.window;
  pooling.stride_height = vertical.stride;
  pooling.stride_width = horizontal.stride;
  pooling.pad_top = vertical.pad_before;
  pooling.pad_left = horizontal.pad_before;
  pooling.out_height = vertical.count;
  pooling.out_width = horizontal.count;
  pooling.weighting = ParseWeighting(attributes.weighting);
  pooling.base = ParseBase(attributes.base);
  pooling.gated = attributes.gating == "score";
  pooling.base_sees_padding = attributes.padding == "explicit";
  pooling.alpha_per_group = !shapes.alpha.empty();
  status.Update(CheckOutput(attributes, pooling));
  if (!status.ok()) return status;
  return pooling;
}

absl::Status CheckUpstream(const Pooling& pooling, const Dims& dy) {
  const Dims expected = OutputDims(pooling);
  bool fits = dy.size() == expected.size();
  for (int axis = 0; fits && axis < 4; ++axis) fits = !Differ(dy[axis], expected[axis]);
  if (fits) return absl::OkStatus();
  return Refused("Expected `dy` in the shape of the pooled map, ", ShapeText(expected),
                 ". Received: dy.shape=", ShapeText(dy));
}

Dims OutputDims(const Pooling& pooling) {
  return {pooling.batch, pooling.out_height, pooling.out_width, pooling.channels};
}

}  // namespace keras_lap
