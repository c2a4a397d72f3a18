// How passes are cut into units of work: one row of windows of one image, for one
// block of groups or channels.
#pragma once

#include <algorithm>
#include <cstdint>

#include "axis.h"

namespace keras_lap::cpu {

struct Block {
  Range groups, channels;
};

struct Unit {
  int64_t image, block, row;
};

class Blocks {
 public:
  // Blocks of `size` groups, or of `size` channels where there is a single group.
  Blocks(const Pooling& pooling, int64_t size)
      : pieces_(pooling.groups > 1 ? pooling.groups : pooling.channels),
        size_(std::clamp<int64_t>(size, 1, pieces_)),
        rows_(pooling.out_height),
        channels_(pooling.channels),
        single_group_(pooling.groups == 1) {}

  int64_t count() const { return (pieces_ + size_ - 1) / size_; }
  int64_t units(int64_t batch) const { return batch * count() * rows_; }

  Unit unit(int64_t index) const {
    return {index / rows_ / count(), index / rows_ % count(), index % rows_};
  }

  Block operator[](int64_t block) const {
    const Range pieces{block * size_, std::min((block + 1) * size_, pieces_)};
    if (single_group_) return {{0, 1}, pieces};
    const int64_t width = channels_ / pieces_;
    return {pieces, {pieces.begin * width, pieces.end * width}};
  }

  // Groups of the largest block.
  int64_t max_groups() const { return single_group_ ? 1 : size_; }
  int64_t max_channels() const {
    return single_group_ ? size_ : size_ * (channels_ / pieces_);
  }

 private:
  int64_t pieces_, size_, rows_, channels_;
  bool single_group_;
};

inline int64_t TapCount(const Pooling& p) { return p.window_height * p.window_width; }

// Values kept per tap should stay in a processor's second cache.
constexpr int64_t kValuesInCache = int64_t{1} << 16;

inline int64_t RoundUp(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

// Channels are split where there are few windows, so that there is work for all.
inline Blocks ForwardBlocks(const Pooling& p) {
  constexpr int64_t kUnitsWanted = 32, kSmallest = 64;
  const int64_t rows = std::max<int64_t>(1, p.batch * p.out_height);
  const int64_t wanted = (kUnitsWanted + rows - 1) / rows;
  const int64_t pieces = p.groups > 1 ? p.groups : p.channels;
  int64_t size = RoundUp((pieces + wanted - 1) / wanted, kSmallest);
  if (p.groups > 1) {
    const int64_t fitting = kValuesInCache / TapCount(p);
    size = std::min(size, std::max(fitting / kSmallest, int64_t{1}) * kSmallest);
  }
  return Blocks(p, size);
}

// The gradient to a score needs all channels of its group, and rows that overlap are
// kept together.
inline Blocks BackwardBlocks(const Pooling& p) {
  if (p.groups == 1) return Blocks(p, p.channels);
  constexpr int64_t kSmallest = 16;
  const int64_t rows = Rows(p).Overlap() + 1;
  const int64_t fitting = kValuesInCache / (2 * rows * TapCount(p) * p.out_width);
  return Blocks(p, std::max(fitting / kSmallest, int64_t{1}) * kSmallest);
}

}  // namespace keras_lap::cpu
