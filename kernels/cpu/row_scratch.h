// Memory for the weights of one row of windows.
#pragma once

#include <cstdint>

#include "blocks.h"
#include "buffer.h"
#include "window_row.h"

namespace keras_lap::cpu {

template <class U>
class RowScratch {
 public:
  // For rows of up to `length` windows times groups.
  RowScratch(const Pooling& pooling, int64_t length)
      : length_(TapStep(length)),
        per_window_(2 * length_),
        best_taps_(length_),
        scores_(TapCount(pooling) * length_),
        base_(HasLinearBase(pooling) ? TapCount(pooling) * length_ : 0) {}

  // `shares` holds one value per tap, window and group.
  RowWeights<U> weights(U* shares) const {
    U* values = per_window_.get();
    return {values, values + length_, best_taps_.get(), scores_.get(), shares};
  }

  // Repeats the alpha of every group for every window.
  void SetAlpha(const Pooling& pooling, const U* alpha, Range groups) {
    U* values = per_window_.get();
    for (int64_t i = 0; i < length_; ++i) {
      values[i] = alpha[pooling.alpha_per_group ? groups.begin + i % groups.size() : 0];
    }
  }

  // Shares of a linear base for this row, null for any other base.
  const U* base(const Pooling& pooling, const WindowRow& row) {
    if (!HasLinearBase(pooling)) return nullptr;
    BaseShares(pooling, row, base_.get());
    return base_.get();
  }

 private:
  static bool HasLinearBase(const Pooling& p) {
    return p.base == Base::kAverage || p.base == Base::kFirst;
  }

  int64_t length_;
  Buffer<U> per_window_;
  Buffer<IndexType<U>> best_taps_;
  Buffer<U> scores_;
  Buffer<U> base_;
};

}  // namespace keras_lap::cpu
