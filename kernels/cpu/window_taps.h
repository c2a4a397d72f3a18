// The pixels under one window.
#pragma once

#include <algorithm>
#include <cstdint>

#include "channels.h"
#include "stream.h"
#include "window_row.h"

namespace keras_lap::cpu {

// Index of the first padded tap of a window, or -1.
inline int64_t FirstPadded(const Pooling& p, Range rows, Range columns) {
  if (rows.begin > 0 || columns.begin > 0) return 0;
  if (columns.end < p.window_width) return columns.end;
  return rows.end < p.window_height ? rows.end * p.window_width : -1;
}

// Lists the real taps of a window in row-major order and returns their number.
//   features      first channel of the map's first pixel
//   coefficients  the window's first coefficient for tap 0
//   zeros         if given, stands for the padded taps, at the place of the first
template <class T>
inline int64_t ListTaps(const Pooling& p, const WindowRow& row, int64_t column,
                        const T* features, const ComputeType<T>* coefficients,
                        const void* zeros, Tap<T>* taps) {
  using U = ComputeType<T>;
  const Axis across = Columns(p);
  const Range columns = across.RealTaps(column);
  const int64_t top = Rows(p).Position(row.row, 0), left = across.Position(column, 0);
  const int64_t padded = zeros == nullptr ? -1 : FirstPadded(p, row.real_rows, columns);
  const Tap<T> zero{static_cast<const T*>(zeros), static_cast<const U*>(zeros), -1,
                    nullptr};
  int64_t count = 0;
  bool missing = padded >= 0;
  for (int64_t y = row.real_rows.begin; y < row.real_rows.end; ++y) {
    const T* pixels = features + ((top + y) * p.width + left) * p.channels;
    for (int64_t x = columns.begin; x < columns.end; ++x) {
      const int64_t index = y * p.window_width + x;
      if (missing && index > padded) {
        taps[count++] = zero;
        missing = false;
      }
      taps[count++] = {pixels + x * p.channels, coefficients + index * row.tap_step(),
                       index, nullptr};
    }
  }
  if (missing) taps[count++] = zero;
  return count;
}

// The pixels that the row of windows below reads first: asked for in time, as
// processors do by themselves along long runs of memory only. Not where windows lie
// side by side in what the caches hold: there they wait for little.
template <class T>
class RowBelow {
 public:
  // `channels` of every pixel are read; `features` is the first pixel of the map.
  RowBelow(const Pooling& p, int64_t row, int64_t channels, const T* features)
      : columns_(Columns(p)), pixel_(p.channels * sizeof(T)) {
    const Axis rows = Rows(p);
    const int64_t fresh = std::min(rows.window, rows.stride);
    const int64_t first = rows.Position(row + 1, rows.window - fresh);
    const int64_t row_bytes = p.width * pixel_;
    const bool pays =
        rows.Overlap() > 0 || OutgrowsCaches(p.batch * p.height * row_bytes);
    if (!pays || channels < p.channels || fresh * row_bytes > kMostBytes) return;
    ahead_ = {reinterpret_cast<uintptr_t>(features) + first * row_bytes,
              columns_.stride * pixel_, fresh, row_bytes,
              std::min(columns_.window, columns_.stride) * pixel_};
  }

  // From one window on.
  Ahead From(int64_t column) const {
    Ahead ahead = ahead_;
    ahead.begin += columns_.Position(column, 0) * pixel_;
    return ahead;
  }

 private:
  // What fits into a processor's second cache beside everything else.
  static constexpr int64_t kMostBytes = int64_t{1} << 18;

  const Axis columns_;
  const int64_t pixel_;
  Ahead ahead_;
};

// Moves taps on to the next group.
template <class T>
inline void NextGroup(Tap<T>* taps, int64_t count, int64_t channels) {
  for (int64_t t = 0; t < count; ++t) {
    taps[t].values += channels;
    taps[t].coefficients += 1;
    if (taps[t].winners != nullptr) taps[t].winners += channels;
  }
}

}  // namespace keras_lap::cpu
