#include "window_row.h"

#include <algorithm>
#include <limits>

#include "clones.h"
#include "exp.h"
#include "lanes.h"

namespace keras_lap::cpu {
namespace {

template <class U>
constexpr int kLanes = 32 / sizeof(U);

// One tap in as many lanes, windows times groups, as there are in a vector.
template <class U>
struct TapLanes {
  static constexpr int kCount = kLanes<U>;
  using Indices = Vector<IndexType<U>, kCount>;

  TapLanes(const RowTap& tap, int64_t lane, const U* all_scores)
      : offset(tap.offset + lane) {
    IndexType<U> counted[kCount];
    for (int i = 0; i < kCount; ++i) counted[i] = i;
    Indices lanes, begin, end;
    Load<kCount>(counted, &lanes);
    Spread<kCount>(static_cast<IndexType<U>>(tap.lanes.begin - lane), &begin);
    Spread<kCount>(static_cast<IndexType<U>>(tap.lanes.end - lane), &end);
    real = (lanes >= begin) & (lanes < end);
    Spread<kCount>(static_cast<IndexType<U>>(tap.index), &index);
    Load<kCount>(all_scores + offset, &scores);
  }

  int64_t offset;  // in arrays that hold one value per tap
  Indices real;    // all bits set where the tap is no padding
  Indices index;   // of the tap
  Vector<U, kCount> scores;
};

// A sum over taps, in as many lanes as there are in a vector.
template <class U>
struct LaneSum {
  using Values = Vector<U, kLanes<U>>;
  using Doubles = Vector<double, kLanes<U>>;

  void EndPart() {
    parts += __builtin_convertvector(value, Doubles);
    value = Values{};
  }
  void AddParts() { value = __builtin_convertvector(parts, Values); }

  Values value{};
  Doubles parts{};
};

// Calls `add` for all taps, after which `sums` are whole.
template <class Add, class... Sums>
void SumOverTaps(const std::vector<RowTap>& taps, Add add, Sums*... sums) {
  const int64_t count = taps.size();
  if (count <= kTermsAtOnce) {
    for (const RowTap& tap : taps) add(tap);
    return;
  }
  for (int64_t t = 0; t < count;) {
    for (const int64_t end = std::min(count, t + kTermsAtOnce); t < end; ++t) {
      add(taps[t]);
    }
    (sums->EndPart(), ...);
  }
  (sums->AddParts(), ...);
}

// Copies every `kStep`-th value, a number known to compilers: then they take vectors.
template <int64_t kStep, class U>
void CopyEvery(const U* from, int64_t count, U* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] = from[i * kStep];
}

template <class U>
void ReadScores(const Pooling& pooling, const WindowRow& row, const RowTap& tap,
                const U* scores, const RowWeights<U>& weights) {
  const int64_t step = pooling.stride_width * pooling.groups;
  const int64_t groups = row.groups.size();
  U* const to = weights.scores + tap.offset;
  const U* from = scores + tap.pixel * pooling.groups + row.groups.begin;
  if (groups == 1) {
    const int64_t count = tap.windows.size();
    if (step == 1) return CopyEvery<1>(from, count, to + tap.windows.begin);
    if (step == 2) return CopyEvery<2>(from, count, to + tap.windows.begin);
    for (int64_t w = tap.windows.begin; w < tap.windows.end; ++w, from += step) {
      to[w] = *from;
    }
    return;
  }
  for (int64_t w = tap.windows.begin; w < tap.windows.end; ++w, from += step) {
    std::copy_n(from, groups, to + w * groups);
  }
}

template <bool kGaussian, class U>
void WeighLanes(const WindowRow& row, int64_t lane, const RowWeights<U>& weights) {
  constexpr int kCount = kLanes<U>;
  using Values = Vector<U, kCount>;
  Values alpha, best;
  Vector<IndexType<U>, kCount> best_tap;
  Load<kCount>(weights.alpha + lane, &alpha);
  Spread<kCount>(-std::numeric_limits<U>::infinity(), &best);
  Spread<kCount>(IndexType<U>{-1}, &best_tap);
  for (const RowTap& tap : row.taps) {
    const TapLanes<U> lanes(tap, lane, weights.scores);
    const auto better = lanes.real & (lanes.scores > best);
    best = better ? lanes.scores : best;
    best_tap = better ? lanes.index : best_tap;
  }
  Store<kCount>(best, weights.best + lane);
  Store<kCount>(best_tap, weights.best_tap + lane);
  LaneSum<U> total;
  const auto weigh = [&](const RowTap& tap) {
    const TapLanes<U> lanes(tap, lane, weights.scores);
    const Values scaled = alpha * (best - lanes.scores);
    Values weight;
    Exp<kCount>(kGaussian ? -(scaled * scaled) : -scaled, &weight);
    weight = lanes.real ? weight : Values{};
    Store<kCount>(weight, weights.shares + lanes.offset);
    total.value += weight;
  };
  SumOverTaps(row.taps, weigh, &total);
  const Values factor = U{1} / total.value;
  for (const RowTap& tap : row.taps) {
    U* const at = weights.shares + tap.offset + lane;
    Values shares;
    Load<kCount>(at, &shares);
    Store<kCount>(shares * factor, at);
  }
}

template <class U>
void WeighImpl(const Pooling& pooling, const WindowRow& row, const U* scores,
               const RowWeights<U>& weights) {
  for (const RowTap& tap : row.taps) ReadScores(pooling, row, tap, scores, weights);
  const bool gaussian = pooling.weighting == Weighting::kGaussian;
  for (int64_t lane = 0; lane < row.tap_step(); lane += kLanes<U>) {
    gaussian ? WeighLanes<true>(row, lane, weights)
             : WeighLanes<false>(row, lane, weights);
  }
}

template <bool kGated, class U>
void BlendTap(const RowTap& tap, U gate, const U* base, const RowWeights<U>& weights) {
  const U* scores = weights.scores + tap.offset;
  U* shares = weights.shares + tap.offset;
#pragma omp simd
  for (int64_t i = tap.lanes.begin; i < tap.lanes.end; ++i) {
    shares[i] *= kGated ? gate * scores[i] : gate;
  }
  if (base == nullptr) return;
  base += tap.offset;
#pragma omp simd
  for (int64_t i = tap.lanes.begin; i < tap.lanes.end; ++i)
    shares[i] += (1 - gate) * base[i];
}

template <class U>
void BlendImpl(const Pooling& pooling, const WindowRow& row, U gate, const U* base,
               const RowWeights<U>& weights) {
  for (const RowTap& tap : row.taps) {
    pooling.gated ? BlendTap<true>(tap, gate, base, weights)
                  : BlendTap<false>(tap, gate, base, weights);
  }
}

// Products begin with distance times share: a share that vanished keeps whatever is
// far away from overflowing.
template <bool kGaussian, bool kGated, class U>
void DifferentiateLanes(const WindowRow& row, int64_t lane, U gate,
                        const RowWeights<U>& weights,
                        const RowGradients<U>& gradients) {
  constexpr int kCount = kLanes<U>;
  using Values = Vector<U, kCount>;
  Values alpha, best;
  LaneSum<U> pooled, all_moved, alpha_terms;
  Vector<IndexType<U>, kCount> best_tap;
  Load<kCount>(weights.alpha + lane, &alpha);
  Load<kCount>(weights.best + lane, &best);
  Load<kCount>(weights.best_tap + lane, &best_tap);
  const auto pool = [&](const RowTap& tap) {
    const TapLanes<U> lanes(tap, lane, weights.scores);
    Values shares, dots;
    Load<kCount>(weights.shares + lanes.offset, &shares);
    Load<kCount>(gradients.dots + lanes.offset, &dots);
    const Values part = shares * (kGated ? lanes.scores * dots : dots);
    pooled.value += lanes.real ? part : Values{};
  };
  SumOverTaps(row.taps, pool, &pooled);
  const auto differentiate = [&](const RowTap& tap) {
    const TapLanes<U> lanes(tap, lane, weights.scores);
    U* const at = gradients.dots + lanes.offset;
    Values shares, dots;
    Load<kCount>(weights.shares + lanes.offset, &shares);
    Load<kCount>(at, &dots);
    const Values distance = best - lanes.scores;
    const Values spread = distance * shares;
    const Values passed = kGated ? lanes.scores * dots : dots;
    const Values excess = gate * (passed - pooled.value);
    const Values moved =
        kGaussian ? 2 * (alpha * (alpha * spread)) * excess : alpha * shares * excess;
    const Values alpha_term =
        kGaussian ? 2 * (alpha * (distance * spread)) * excess : spread * excess;
    Store<kCount>(kGated ? moved + gate * (shares * dots) : moved, at);
    all_moved.value += lanes.real ? moved : Values{};
    alpha_terms.value += lanes.real ? alpha_term : Values{};
  };
  SumOverTaps(row.taps, differentiate, &all_moved, &alpha_terms);
  for (const RowTap& tap : row.taps) {
    const TapLanes<U> lanes(tap, lane, weights.scores);
    U* const at = gradients.dots + lanes.offset;
    Values dscores;
    Load<kCount>(at, &dscores);
    Store<kCount>(dscores - (best_tap == lanes.index ? all_moved.value : Values{}), at);
  }
  Store<kCount>(pooled.value, gradients.pooled + lane);
  Store<kCount>(alpha_terms.value, gradients.alpha_terms + lane);
}

template <class U>
double BasePart(const WindowRow& row, const U* base, const U* dots) {
  double sum = 0;
  for (const RowTap& tap : row.taps) {
    for (int64_t i = tap.lanes.begin; i < tap.lanes.end; ++i) {
      sum += base[tap.offset + i] * dots[tap.offset + i];
    }
  }
  return sum;
}

template <bool kGaussian, bool kGated, class U>
void DifferentiateRow(const WindowRow& row, U gate, const RowWeights<U>& weights,
                      const RowGradients<U>& gradients) {
  for (int64_t lane = 0; lane < row.tap_step(); lane += kLanes<U>) {
    DifferentiateLanes<kGaussian, kGated>(row, lane, gate, weights, gradients);
  }
}

// Sum of every `step`-th value.
template <class U>
double SumOf(const U* values, int64_t length, int64_t step) {
  double sum = 0;
  for (int64_t i = 0; i < length; i += step) sum += values[i];
  return sum;
}

template <class U>
void ScoreGradientsImpl(const Pooling& pooling, const WindowRow& row, U gate,
                        const U* base, const RowWeights<U>& weights,
                        RowGradients<U>* gradients) {
  if (base != nullptr) gradients->dgate -= BasePart(row, base, gradients->dots);
  if (pooling.weighting == Weighting::kGaussian) {
    pooling.gated ? DifferentiateRow<true, true>(row, gate, weights, *gradients)
                  : DifferentiateRow<true, false>(row, gate, weights, *gradients);
  } else {
    pooling.gated ? DifferentiateRow<false, true>(row, gate, weights, *gradients)
                  : DifferentiateRow<false, false>(row, gate, weights, *gradients);
  }
  const int64_t length = row.length(), groups = row.groups.size();
  if (pooling.base != Base::kNone) {
    gradients->dgate += SumOf(gradients->pooled, length, 1);
  }
  for (int64_t g = 0; g < groups; ++g) {
    gradients->dalpha[g] -= SumOf(gradients->alpha_terms + g, length - g, groups);
  }
}

}  // namespace

WindowRow::WindowRow(const Pooling& pooling, int64_t row, Range columns, Range groups)
    : row(row),
      columns(columns),
      groups(groups),
      real_rows(Rows(pooling).RealTaps(row)) {
  const Axis across = Columns(pooling);
  const int64_t first_row = Rows(pooling).Position(row, 0);
  taps.reserve(real_rows.size() * pooling.window_width);
  for (int64_t y = real_rows.begin; y < real_rows.end; ++y) {
    for (int64_t x = 0; x < pooling.window_width; ++x) {
      const Range real = across.WindowsWithReal(x);
      const Range windows{std::max(real.begin, columns.begin) - columns.begin,
                          std::min(real.end, columns.end) - columns.begin};
      if (windows.size() <= 0) continue;
      const int64_t index = y * pooling.window_width + x;
      taps.push_back({index,
                      index * tap_step(),
                      windows,
                      {windows.begin * groups.size(), windows.end * groups.size()},
                      (first_row + y) * pooling.width +
                          across.Position(columns.begin + windows.begin, x)});
    }
  }
}

template <class U>
void BaseShares(const Pooling& pooling, const WindowRow& row, U* shares) {
  const Axis across = Columns(pooling);
  const int64_t groups = row.groups.size();
  const int64_t taps = pooling.window_height * pooling.window_width;
  for (const RowTap& tap : row.taps) {
    for (int64_t w = tap.windows.begin; w < tap.windows.end; ++w) {
      const Range real_columns = across.RealTaps(row.columns.begin + w);
      const int64_t first =
          pooling.base_sees_padding
              ? 0
              : row.real_rows.begin * pooling.window_width + real_columns.begin;
      const int64_t seen =
          pooling.base_sees_padding ? taps : row.real_rows.size() * real_columns.size();
      const U share = pooling.base == Base::kAverage ? U{1} / static_cast<U>(seen)
                                                     : U{1} * (tap.index == first);
      std::fill_n(shares + tap.offset + w * groups, groups, share);
    }
  }
}

template void BaseShares(const Pooling&, const WindowRow&, float*);
template void BaseShares(const Pooling&, const WindowRow&, double*);

KERAS_LAP_CLONES void Weigh(const Pooling& pooling, const WindowRow& row,
                            const float* scores, const RowWeights<float>& weights) {
  WeighImpl(pooling, row, scores, weights);
}

KERAS_LAP_CLONES void Weigh(const Pooling& pooling, const WindowRow& row,
                            const double* scores, const RowWeights<double>& weights) {
  WeighImpl(pooling, row, scores, weights);
}

KERAS_LAP_CLONES void Blend(const Pooling& pooling, const WindowRow& row, float gate,
                            const float* base, const RowWeights<float>& weights) {
  BlendImpl(pooling, row, gate, base, weights);
}

KERAS_LAP_CLONES void Blend(const Pooling& pooling, const WindowRow& row, double gate,
                            const double* base, const RowWeights<double>& weights) {
  BlendImpl(pooling, row, gate, base, weights);
}

KERAS_LAP_CLONES void ScoreGradients(const Pooling& pooling, const WindowRow& row,
                                     float gate, const float* base,
                                     const RowWeights<float>& weights,
                                     RowGradients<float>* gradients) {
  ScoreGradientsImpl(pooling, row, gate, base, weights, gradients);
}

KERAS_LAP_CLONES void ScoreGradients(const Pooling& pooling, const WindowRow& row,
                                     double gate, const double* base,
                                     const RowWeights<double>& weights,
                                     RowGradients<double>* gradients) {
  ScoreGradientsImpl(pooling, row, gate, base, weights, gradients);
}

}  // namespace keras_lap::cpu
