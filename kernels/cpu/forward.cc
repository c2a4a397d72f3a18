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

// The problem without its base where the gate lets nothing of it through.
template <class U>
Pooling WithoutClosedBase(Pooling pooling, const U* gate) {
  if (pooling.base != Base::kNone && *gate == 1) pooling.base = Base::kNone;
  return pooling;
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
void Forward(const Pooling& problem, const T* x, const ComputeType<T>* scores,
             const ComputeType<T>* alpha, const ComputeType<T>* gate, T* y,
             int64_t begin, int64_t end) {
  using U = ComputeType<T>;
  const Pooling pooling = WithoutClosedBase(problem, gate);
  const Blocks blocks = ForwardBlocks(pooling);
  const int64_t step = ColumnsAtOnce(pooling, blocks.max_groups());
  const int64_t length = step * blocks.max_groups(), channels = blocks.max_channels();
  const int64_t pixels = pooling.height * pooling.width;
  const int64_t windows = pooling.out_height * pooling.out_width;
  const U openness = pooling.base == Base::kNone ? U{1} : *gate;

  RowScratch<U> scratch(pooling, length);
  const Buffer<U> coefficients(TapCount(pooling) * TapStep(length));
  const bool max_base = pooling.base == Base::kMax;
  const Buffer<U> zeros(channels);
  std::fill_n(zeros.get(), channels, U{0});
  const void* padding = max_base && pooling.base_sees_padding ? zeros.get() : nullptr;
  PixelSums<T> sums(y, pooling.batch * windows, pooling.channels, channels,
                    TapCount(pooling) + (padding != nullptr),
                    max_base ? Extra::kLargest : Extra::kNone, 1 - openness);
  const Range inner = Columns(pooling).InnerWindows();
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
      const RowBelow<T> below(pooling, unit.row, block.channels.size(), map);
      const bool steady =
          padding == nullptr || row.real_rows.size() == pooling.window_height;
      const PixelRow pixel_row{
          columns,
          steady ? Range{inner.begin, std::min(inner.end, columns.end)} : Range{0, 0},
          1};
      const Run steps{0, pooling.stride_width * pooling.channels, block.groups.size(),
                      0, 0};
      sums.Fill(
          pixel_row, steps,
          [&](int64_t w, Tap<T>* taps) {
            const U* first =
                coefficients.get() + (w - columns.begin) * block.groups.size();
            return ListTaps(pooling, row, w, map, first, padding, taps);
          },
          [&](int64_t w) { return below.From(w); }, y_row);
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
