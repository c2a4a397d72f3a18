#include <algorithm>
#include <vector>

#include "blocks.h"
#include "buffer.h"
#include "la_pool_cpu.h"
#include "pixel_sums.h"
#include "row_scratch.h"
#include "window_taps.h"

namespace keras_lap::cpu {
namespace {

// What the gradients to the features need to know of one row of windows.
template <class U>
struct RowRecord {
  U* coefficients;        // per tap, window and group
  U* dscores;             // the same
  IndexType<U>* winners;  // per window and channel, under the base max
};

// Adds `pieces` pieces of `size` values to places that lie `step` apart.
template <class U>
void AddEvery(const U* from, int64_t size, int64_t pieces, U* to, int64_t step) {
  if (size == 1) {
    for (int64_t i = 0; i < pieces; ++i) to[i * step] += from[i];
    return;
  }
  for (int64_t i = 0; i < pieces; ++i, from += size, to += step) {
    for (int64_t j = 0; j < size; ++j) to[j] += from[j];
  }
}

// Gradients of one block of groups or channels of one image.
template <class T>
class MapGradients {
  using U = ComputeType<T>;

 public:
  MapGradients(const Pooling& pooling, const Blocks& blocks, U openness, const T* dx)
      : pooling_(pooling),
        rows_(Rows(pooling)),
        across_(Columns(pooling)),
        kept_rows_(rows_.Overlap() + 1),
        windows_at_once_(
            std::max<int64_t>(1, kBytesAtOnce / (blocks.max_channels() * sizeof(T)))),
        length_(TapStep(pooling.out_width * blocks.max_groups())),
        channels_(blocks.max_channels()),
        max_base_(pooling.base == Base::kMax),
        scratch_(pooling, length_),
        terms_(2 * length_),
        dalpha_(blocks.max_groups()),
        kept_(2 * kept_rows_ * TapCount(pooling) * length_),
        winners_(max_base_ ? kept_rows_ * pooling.out_width * channels_ : 0),
        zeros_(channels_),
        taps_(TapCount(pooling) + 1),
        sums_(dx, pooling.batch * pooling.height * pooling.width, pooling.channels,
              channels_, kept_rows_ * (across_.Overlap() + 1),
              max_base_ ? Extra::kWinners : Extra::kNone, 1 - openness),
        openness_(openness) {
    std::fill_n(zeros_.get(), channels_, U{0});
    for (int64_t x = 0; x < pooling.width; ++x) {
      windows_over_.push_back(across_.WindowsOver(x));
    }
  }

  // Tensors of the image, from the block's first group or channel on.
  void Start(const Block& block, const T* x, const U* scores, const U* alpha,
             const T* dy, T* dx, U* dscores) {
    block_ = block;
    x_ = x + block.channels.begin;
    dy_ = dy + block.channels.begin;
    dx_ = dx + block.channels.begin;
    scores_ = scores;
    dscores_ = dscores + block.groups.begin;
    sums_.SetBlock(groups(), channels());
    scratch_.SetAlpha(pooling_, alpha, block.groups);
  }

  // Recomputes the weights of one row of windows and differentiates them. Writes the
  // row's part of dgate, then those of dalpha.
  void DifferentiateRow(int64_t index, double* partials) {
    const WindowRow row(pooling_, index, {0, pooling_.out_width}, block_.groups);
    const RowRecord<U> record = Record(index);
    const RowWeights<U> weights = scratch_.weights(record.coefficients);
    const U* base = scratch_.base(pooling_, row);
    Weigh(pooling_, row, scores_, weights);
    U* terms = terms_.get();
    RowGradients<U> gradients{terms, terms + length_, record.dscores, dalpha_.get(), 0};
    std::fill_n(gradients.dalpha, row.groups.size(), 0.0);
    gradients.dgate -= DotRow(row, record);
    ScoreGradients(pooling_, row, openness_, base, weights, &gradients);
    Blend(pooling_, row, openness_, base, weights);
    WritePartials(gradients, partials);
  }

  // Gathers the gradients of all pixels that belong to one row of windows.
  void GatherRows(int64_t index) {
    const Range owned = rows_.Owned(index);
    for (int64_t y = owned.begin; y < owned.end; ++y) {
      const Range over = rows_.WindowsOver(y);
      rows_over_.clear();
      for (int64_t r = over.begin; r < over.end; ++r) {
        rows_over_.push_back(
            {Record(r), (y - rows_.Position(r, 0)) * pooling_.window_width, Dy(r, 0)});
      }
      GatherScores(y);
      GatherFeatures(
          y, [&](int64_t x) { return y == owned.begin ? DyBelow(index, x) : Ahead{}; });
    }
  }

 private:
  static constexpr int64_t kBytesAtOnce = 16384;

  // A row of windows that lies over the current row of pixels.
  struct RowOver {
    RowRecord<U> record;
    int64_t first_tap;  // the first one in that row of pixels
    const T* dy;
  };

  int64_t groups() const { return block_.groups.size(); }
  int64_t channels() const { return block_.channels.size(); }
  int64_t group_width() const { return channels() / groups(); }

  RowRecord<U> Record(int64_t row) const {
    const int64_t slot = row % kept_rows_, size = TapCount(pooling_) * length_;
    U* values = kept_.get() + 2 * slot * size;
    return {values, values + size,
            winners_.get() + slot * pooling_.out_width * channels_};
  }

  const T* Dy(int64_t row, int64_t column) const {
    return dy_ + (row * pooling_.out_width + column) * pooling_.channels;
  }

  // Dot products of dy with the features under every window. Returns that with the
  // largest features, under the base max.
  double DotRow(const WindowRow& row, const RowRecord<U>& record) {
    const RowBelow<T> below(pooling_, row.row, channels(), x_);
    const Range inner = across_.InnerWindows();
    double with_largest = 0;
    for (int64_t w = 0, windows; w < pooling_.out_width; w += windows) {
      windows = inner.contains(w) ? std::min(inner.end - w, windows_at_once_) : 1;
      DotWindows(row, w, windows, below.From(w), record);
      if (!max_base_) continue;
      for (int64_t i = 0; i < windows; ++i)
        with_largest += WinWindow(row, w + i, record);
    }
    return with_largest;
  }

  void DotWindows(const WindowRow& row, int64_t first, int64_t windows, Ahead ahead,
                  const RowRecord<U>& record) {
    const Run run{windows, pooling_.stride_width * pooling_.channels, 0, 0, groups()};
    const int64_t width = group_width(), step = pooling_.channels;
    const T* dy = Dy(row.row, first);
    U* dots = record.dscores + first * groups();
    const int64_t count =
        ListTaps(pooling_, row, first, x_, record.coefficients, nullptr, taps_.get());
    if (width == 1) {
      Products(dy, step, taps_.get(), count, run, channels(), ahead, dots,
               row.tap_step());
      return;
    }
    for (int64_t g = 0; g < groups(); ++g, ahead = {}) {
      Dots(dy + g * width, step, taps_.get(), count, run, width, ahead, dots + g,
           row.tap_step());
      NextGroup(taps_.get(), count, width);
    }
  }

  U WinWindow(const WindowRow& row, int64_t w, const RowRecord<U>& record) {
    const void* zeros = pooling_.base_sees_padding ? zeros_.get() : nullptr;
    const int64_t count =
        ListTaps(pooling_, row, w, x_, record.coefficients, zeros, taps_.get());
    U dot;
    FindWinners(Dy(row.row, w), taps_.get(), count, channels(),
                record.winners + w * channels(), &dot);
    return dot;
  }

  void WritePartials(const RowGradients<U>& gradients, double* partials) const {
    *partials++ = gradients.dgate;
    if (pooling_.alpha_per_group) {
      std::copy_n(gradients.dalpha, groups(), partials);
    } else {
      *partials = 0;
      for (int64_t g = 0; g < groups(); ++g) *partials += gradients.dalpha[g];
    }
  }

  void GatherScores(int64_t y) {
    const int64_t step = pooling_.groups, count = groups();
    U* to = dscores_ + y * pooling_.width * step;
    if (count == step) {
      std::fill_n(to, pooling_.width * step, U{0});
    } else {
      for (int64_t x = 0; x < pooling_.width; ++x)
        std::fill_n(to + x * step, count, U{0});
    }
    for (const RowOver& row : rows_over_) {
      for (int64_t tap = 0; tap < pooling_.window_width; ++tap) {
        const Range windows = across_.WindowsWithReal(tap);
        const U* from = row.record.dscores +
                        (row.first_tap + tap) * TapStep(pooling_.out_width * count) +
                        windows.begin * count;
        AddEvery(from, count, windows.size(),
                 to + across_.Position(windows.begin, tap) * step,
                 pooling_.stride_width * step);
      }
    }
  }

  // What to ask for meanwhile is given by `ahead`, as in PixelSums.
  template <class AheadOf>
  void GatherFeatures(int64_t y, AheadOf ahead) {
    const PixelRow row{{0, pooling_.width}, across_.InnerPositions(), across_.stride};
    const Run steps{0, pooling_.channels, groups(), channels(), 0};
    sums_.Fill(
        row, steps, [&](int64_t x, Tap<T>* taps) { return ListWindows(x, taps); },
        ahead, dx_ + y * pooling_.width * pooling_.channels);
  }

  // The dy of the next row of windows, from those over pixel x on.
  Ahead DyBelow(int64_t row, int64_t x) const {
    const int64_t pixel = pooling_.channels * sizeof(T);
    const int64_t window = (row + 1) * pooling_.out_width + x / across_.stride;
    return {reinterpret_cast<uintptr_t>(dy_) + window * pixel, pixel, 1, 0,
            channels() * static_cast<int64_t>(sizeof(T))};
  }

  // Lists what the windows over a pixel of the current row bring to its gradient.
  int64_t ListWindows(int64_t x, Tap<T>* taps) const {
    const int64_t tap_step = TapStep(pooling_.out_width * groups());
    const Range columns = windows_over_[x];
    int64_t count = 0;
    for (const RowOver& row : rows_over_) {
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        const int64_t index = row.first_tap + x - across_.Position(w, 0);
        taps[count++] = {row.dy + w * pooling_.channels,
                         row.record.coefficients + index * tap_step + w * groups(),
                         index,
                         max_base_ ? row.record.winners + w * channels() : nullptr};
      }
    }
    return count;
  }

  const Pooling& pooling_;
  const Axis rows_, across_;
  const int64_t kept_rows_;  // rows of windows that may lie over one pixel
  const int64_t windows_at_once_;
  const int64_t length_, channels_;
  const bool max_base_;
  RowScratch<U> scratch_;
  Buffer<U> terms_;
  Buffer<double> dalpha_;
  Buffer<U> kept_;
  Buffer<IndexType<U>> winners_;
  Buffer<U> zeros_;
  Buffer<Tap<T>> taps_;
  PixelSums<T> sums_;
  const U openness_;
  std::vector<Range> windows_over_;
  std::vector<RowOver> rows_over_;

  Block block_;
  const T *x_, *dy_;
  const U* scores_;
  T* dx_;
  U* dscores_;
};

int64_t PartialsPerUnit(const Pooling& p, const Blocks& blocks) {
  return 1 + (p.alpha_per_group ? blocks.max_groups() : 1);
}

}  // namespace

int64_t BackwardUnits(const Pooling& pooling) {
  return BackwardBlocks(pooling).units(pooling.batch);
}

int64_t BackwardUnitCost(const Pooling& pooling) {
  const int64_t values =
      TapCount(pooling) * BackwardBlocks(pooling).max_channels() * pooling.out_width;
  return 3 * values + 1;
}

int64_t PartialsSize(const Pooling& pooling) {
  return BackwardUnits(pooling) * PartialsPerUnit(pooling, BackwardBlocks(pooling));
}

template <class T>
void Backward(const Pooling& pooling, const T* x, const ComputeType<T>* scores,
              const ComputeType<T>* alpha, const ComputeType<T>* gate, const T* dy,
              T* dx, ComputeType<T>* dscores, double* partials, int64_t begin,
              int64_t end) {
  using U = ComputeType<T>;
  const Blocks blocks = BackwardBlocks(pooling);
  const int64_t pixels = pooling.height * pooling.width;
  const int64_t windows = pooling.out_height * pooling.out_width;
  const int64_t partials_per_unit = PartialsPerUnit(pooling, blocks);
  const int64_t overlap = Rows(pooling).Overlap();
  const U openness = pooling.base == Base::kNone ? U{1} : *gate;
  std::vector<double> unused(partials_per_unit);
  MapGradients<T> gradients(pooling, blocks, openness, dx);
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit = blocks.unit(index);
    if (index == begin || unit.row == 0) {
      gradients.Start(blocks[unit.block], x + unit.image * pixels * pooling.channels,
                      scores + unit.image * pixels * pooling.groups, alpha,
                      dy + unit.image * windows * pooling.channels,
                      dx + unit.image * pixels * pooling.channels,
                      dscores + unit.image * pixels * pooling.groups);
      for (int64_t r = std::max<int64_t>(0, unit.row - overlap); r < unit.row; ++r) {
        gradients.DifferentiateRow(r, unused.data());
      }
    }
    gradients.DifferentiateRow(unit.row, partials + index * partials_per_unit);
    gradients.GatherRows(unit.row);
  }
}

template <class T>
void SumPartials(const Pooling& pooling, const double* partials, ComputeType<T>* dalpha,
                 ComputeType<T>* dgate) {
  using U = ComputeType<T>;
  const Blocks blocks = BackwardBlocks(pooling);
  const int64_t units = BackwardUnits(pooling), step = PartialsPerUnit(pooling, blocks);
  std::vector<double> alpha_sums(pooling.alpha_per_group ? pooling.groups : 1);
  double gate_sum = 0;
  for (int64_t index = 0; index < units; ++index, partials += step) {
    const Range groups = blocks[blocks.unit(index).block].groups;
    gate_sum += partials[0];
    if (pooling.alpha_per_group) {
      for (int64_t g = 0; g < groups.size(); ++g) {
        alpha_sums[groups.begin + g] += partials[1 + g];
      }
    } else {
      alpha_sums[0] += partials[1];
    }
  }
  std::transform(alpha_sums.begin(), alpha_sums.end(), dalpha,
                 [](double sum) { return static_cast<U>(sum); });
  *dgate = pooling.base == Base::kNone ? U{0} : static_cast<U>(gate_sum);
}

#define KERAS_LAP_INSTANTIATE(T)                                                     \
  template void Backward(const Pooling&, const T*, const ComputeType<T>*,            \
                         const ComputeType<T>*, const ComputeType<T>*, const T*, T*, \
                         ComputeType<T>*, double*, int64_t, int64_t);                \
  template void SumPartials<T>(const Pooling&, const double*, ComputeType<T>*,       \
                               ComputeType<T>*)

KERAS_LAP_INSTANTIATE(float);
KERAS_LAP_INSTANTIATE(double);
KERAS_LAP_INSTANTIATE(Half);
KERAS_LAP_INSTANTIATE(BFloat16);

#undef KERAS_LAP_INSTANTIATE

}  // namespace keras_lap::cpu
