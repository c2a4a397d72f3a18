// One local attention pooling: its geometry and its options. Shared by all kernels.
#pragma once

#include <cstdint>

namespace keras_lap {

enum class Weighting : int32_t { kGaussian = 0, kSoftmax = 1 };
enum class Base : int32_t { kNone = 0, kMax = 1, kAverage = 2, kFirst = 3 };

// Tensors are dense and channels-last:
//   x, dx            (batch, height, width, channels)        storage type T
//   scores, dscores  (batch, height, width, groups)          compute type U
//   y, dy            (batch, out_height, out_width, channels) storage type T
//   alpha, dalpha    (1) or (groups)                         compute type U
//   gate, dgate      (1)                                     compute type U
// U is float for T = half, bfloat16 and float, and double for T = double.
struct Pooling {
  int64_t batch, height, width, channels, groups;
  int64_t window_height, window_width;
  int64_t stride_height, stride_width;
  int64_t pad_top, pad_left;
  int64_t out_height, out_width;
  Weighting weighting;
  Base base;
  // Whether each pixel is multiplied by its score besides being weighted by it.
  bool gated;
  // Explicit padding: the base branch sees zeros there. `same`: it ignores them.
  bool base_sees_padding;
  // Whether alpha holds one value per group.
  bool alpha_per_group;
};

}  // namespace keras_lap
