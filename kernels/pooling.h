// One local attention pooling: its geometry and its options. Shared by all kernels.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

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

// Calls `function` with all fields of a `Pooling` in their order.
template <class AnyPooling, class Function>
auto WithFields(AnyPooling& pooling, Function function) {
  auto& [batch, height, width, channels, groups, window_height, window_width,
         stride_height, stride_width, pad_top, pad_left, out_height, out_width,
         weighting, base, gated, base_sees_padding, alpha_per_group] = pooling;
  return function(batch, height, width, channels, groups, window_height, window_width,
                  stride_height, stride_width, pad_top, pad_left, out_height, out_width,
                  weighting, base, gated, base_sees_padding, alpha_per_group);
}

// The fields, to be handed on as numbers.
using PoolingIntegers = std::array<int64_t, 18>;

inline PoolingIntegers ToIntegers(const Pooling& pooling) {
  return WithFields(pooling, [](auto... fields) {
    return PoolingIntegers{static_cast<int64_t>(fields)...};
  });
}

inline Pooling FromIntegers(const PoolingIntegers& integers) {
  Pooling pooling{};
  auto next = integers.begin();
  WithFields(pooling, [&next](auto&... fields) {
    ((fields = static_cast<std::decay_t<decltype(fields)>>(*next++)), ...);
  });
  return pooling;
}

}  // namespace keras_lap
