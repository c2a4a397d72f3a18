// One local attention pooling: its geometry and its options. Shared by all kernels.
#pragma once

#include <array>
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

// All fields in their order, to be handed on as numbers.
using PoolingIntegers = std::array<int64_t, 18>;

inline PoolingIntegers ToIntegers(const Pooling& p) {
  const auto weighting = static_cast<int64_t>(p.weighting);
  const auto base = static_cast<int64_t>(p.base);
  return {p.batch,
          p.height,
          p.width,
          p.channels,
          p.groups,
          p.window_height,
          p.window_width,
          p.stride_height,
          p.stride_width,
          p.pad_top,
          p.pad_left,
          p.out_height,
          p.out_width,
          weighting,
          base,
          p.gated,
          p.base_sees_padding,
          p.alpha_per_group};
}

inline Pooling FromIntegers(const PoolingIntegers& n) {
  const auto weighting = static_cast<Weighting>(n[13]);
  const auto base = static_cast<Base>(n[14]);
  return {n[0],  n[1],      n[2], n[3],       n[4],       n[5],
          n[6],  n[7],      n[8], n[9],       n[10],      n[11],
          n[12], weighting, base, n[15] != 0, n[16] != 0, n[17] != 0};
}

}  // namespace keras_lap
