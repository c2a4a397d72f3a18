// Which windows and which positions meet along one axis of a pooling.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../pooling.h"

namespace keras_lap::cpu {

// The integers from `begin` up to, not including, `end`.
struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
  bool contains(int64_t i) const { return begin <= i && i < end; }
};

struct Axis {
  int64_t size, window, stride, pad, windows;

  int64_t Position(int64_t w, int64_t tap) const { return w * stride - pad + tap; }

  // Taps of window `w` that are real positions, not padding.
  Range RealTaps(int64_t w) const {
    const int64_t first = Position(w, 0);
    return {std::max<int64_t>(0, -first), std::min(window, size - first)};
  }

  // Windows whose tap `tap` is a real position.
  Range WindowsWithReal(int64_t tap) const {
    return {std::min(windows, Ceil(pad - tap)),
            std::min(windows, Ceil(size + pad - tap))};
  }

  // Windows without padding.
  Range InnerWindows() const {
    return {WindowsWithReal(0).begin, WindowsWithReal(window - 1).end};
  }

  // Windows that lie over a position.
  Range WindowsOver(int64_t position) const {
    return {std::min(windows, Ceil(position + pad - window + 1)),
            std::min(windows, Ceil(position + pad + 1))};
  }

  // Positions at which a window more or less beyond either end would change nothing:
  // one stride further on, the same windows lie over a position, moved on by one.
  Range InnerPositions() const {
    return {Clip(window - stride - pad), Clip(windows * stride - pad)};
  }

  // Positions that belong to window `w` when every one belongs to the last window that
  // starts at or before it.
  Range Owned(int64_t w) const {
    return {w == 0 ? 0 : Clip(Position(w, 0)),
            w == windows - 1 ? size : Clip(Position(w + 1, 0))};
  }

  // How many windows before `w` lie over positions that `w` owns.
  int64_t Overlap() const { return std::min(windows, (window - 1) / stride + 1) - 1; }

 private:
  // Number of strides to cover `length`, not negative.
  int64_t Ceil(int64_t length) const {
    return length <= 0 ? 0 : (length + stride - 1) / stride;
  }
  int64_t Clip(int64_t position) const {
    return std::clamp<int64_t>(position, 0, size);
  }
};

inline Axis Rows(const Pooling& p) {
  return {p.height, p.window_height, p.stride_height, p.pad_top, p.out_height};
}
inline Axis Columns(const Pooling& p) {
  return {p.width, p.window_width, p.stride_width, p.pad_left, p.out_width};
}

}  // namespace keras_lap::cpu
