#include <algorithm>

#include "blocks.h"
#include "buffer.h"
#include "la_pool_cpu.h"
#include "pixel_sums.h"
#include "row_scratch.h"
#include "window_taps.h"

namespace keras_lap::cpu {
namespace {

// Windows of a row whose weights are kept at once.
int64_t ColumnsAtOnce(const Pooling& p, int64_t groups) {
  const int64_t fitting = kValuesInCache / 4 / (TapCount(p) * groups);
  return std::clamp<int64_t>(fitting, 1, p.out_width);
}

}  // namespace

int64_t ForwardUnits(const Pooling& pooling) {
  return ForwardBlocks(pooling).units(pooling.batch);
}

int64_t ForwardUnitCost(const Pooling& pooling) {
  const int64_t values =
      TapCount(pooling) * ForwardBlocks(pooling).max_channels() * pooling.out_width;
  return values + 1;
}

template <class T>
void Forward(const Pooling& pooling, const T* x, const ComputeType<T>* scores,
             const ComputeType<T>* alpha, const ComputeType<T>* gate, T* y,
             int64_t begin, int64_t end) {
  using U = ComputeType<T>;
  const Blocks blocks = ForwardBlocks(pooling);
  const int64_t step = ColumnsAtOnce(pooling, blocks.max_groups());
  const int64_t length = step * blocks.max_groups(), channels = blocks.max_channels();
  const int64_t pixels = pooling.height * pooling.width;
  const int64_t windows = pooling.out_height * pooling.out_width;
  const U openness = pooling.base == Base::kNone ? U{1} : *gate;

  RowScratch<U> scratch(pooling, length);
  const Buffer<U> coefficients(TapCount(pooling) * length);
  const bool max_base = pooling.base == Base::kMax;
  const Buffer<U> zeros(channels);
  std::fill_n(zeros.get(), channels, U{0});
  const void* padding = max_base && pooling.base_sees_padding ? zeros.get() : nullptr;
  PixelSums<T> sums(y, pooling.batch * windows, pooling.channels, channels,
                    TapCount(pooling) + (padding != nullptr),
                    max_base ? Extra::kLargest : Extra::kNone, 1 - openness);
  int64_t current_block = -1;
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit = blocks.unit(index);
    const Block block = blocks[unit.block];
    if (unit.block != current_block) {
      scratch.SetAlpha(pooling, alpha, block.groups);
      sums.SetBlock(block.groups.size(), block.channels.size());
      current_block = unit.block;
    }
    const U* map_scores = scores + unit.image * pixels * pooling.groups;
    const T* map = x + unit.image * pixels * pooling.channels + block.channels.begin;
    T* y_row = y + block.channels.begin +
               (unit.image * windows + unit.row * pooling.out_width) * pooling.channels;
    for (int64_t column = 0; column < pooling.out_width; column += step) {
      const Range columns{column, std::min(column + step, pooling.out_width)};
      const WindowRow row(pooling, unit.row, columns, block.groups);
      const RowWeights<U> weights = scratch.weights(coefficients.get());
      Weigh(pooling, row, map_scores, weights);
      Blend(pooling, row, openness, scratch.base(pooling, row), weights);
      const WindowPrefetch<T> prefetch(pooling, block.channels.size());
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        prefetch(row, w, map);
        const U* first = coefficients.get() + (w - columns.begin) * block.groups.size();
        sums.Add(ListTaps(pooling, row, w, map, first, padding, sums.next_taps()),
                 y_row + w * pooling.channels);
      }
      sums.Finish();
    }
  }
}

template void Forward(const Pooling&, const float*, const float*, const float*,
                      const float*, float*, int64_t, int64_t);
template void Forward(const Pooling&, const double*, const double*, const double*,
                      const double*, double*, int64_t, int64_t);
template void Forward(const Pooling&, const Half*, const float*, const float*,
                      const float*, Half*, int64_t, int64_t);
template void Forward(const Pooling&, const BFloat16*, const float*, const float*,
                      const float*, BFloat16*, int64_t, int64_t);

}  // namespace keras_lap::cpu
