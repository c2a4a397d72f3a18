#include "window_row.h"

#include <algorithm>
#include <limits>

#include "clones.h"
#include "exp.h"

namespace keras_lap::cpu {
namespace {

// Where the values of one tap lie in the arrays of a row.
struct Span {
  Span(const WindowRow& row, const RowTap& tap)
      : offset(tap.index * row.length()),
        begin(tap.windows.begin * row.groups.size()),
        end(tap.windows.end * row.groups.size()) {}

  int64_t offset, begin, end;
};

template <class U>
void ReadScores(const Pooling& pooling, const WindowRow& row, const RowTap& tap,
                const U* scores, U* to) {
  const int64_t step = pooling.stride_width * pooling.groups;
  const int64_t groups = row.groups.size();
  const U* from = scores + tap.pixel * pooling.groups + row.groups.begin;
  if (groups == 1) {
    for (int64_t w = tap.windows.begin; w < tap.windows.end; ++w, from += step) {
      to[w] = *from;
    }
    return;
  }
  for (int64_t w = tap.windows.begin; w < tap.windows.end; ++w, from += step) {
    std::copy_n(from, groups, to + w * groups);
  }
}

template <class U>
void FindBest(const WindowRow& row, const RowTap& tap, const RowWeights<U>& weights) {
  const Span span(row, tap);
  const U* scores = weights.scores + span.offset;
  const IndexType<U> index = tap.index;
#pragma omp simd
  for (int64_t i = span.begin; i < span.end; ++i) {
    const bool better = scores[i] > weights.best[i];
    weights.best[i] = better ? scores[i] : weights.best[i];
    weights.best_tap[i] = better ? index : weights.best_tap[i];
  }
}

template <bool kGaussian, class U>
void WeighTap(const WindowRow& row, const RowTap& tap, const RowWeights<U>& weights) {
  const Span span(row, tap);
  const U* scores = weights.scores + span.offset;
  U* shares = weights.shares + span.offset;
#pragma omp simd
  for (int64_t i = span.begin; i < span.end; ++i) {
    const U scaled = weights.alpha[i] * (weights.best[i] - scores[i]);
    const U weight = Exp(kGaussian ? -(scaled * scaled) : -scaled);
    shares[i] = weight;
    weights.total[i] += weight;
  }
}

template <class U>
void ScaleTap(const WindowRow& row, const RowTap& tap, const RowWeights<U>& weights) {
  const Span span(row, tap);
  U* shares = weights.shares + span.offset;
#pragma omp simd
  for (int64_t i = span.begin; i < span.end; ++i) shares[i] *= weights.total[i];
}

template <class U>
void WeighImpl(const Pooling& pooling, const WindowRow& row, const U* scores,
               const RowWeights<U>& weights) {
  const int64_t length = row.length();
  std::fill_n(weights.best, length, -std::numeric_limits<U>::infinity());
  std::fill_n(weights.best_tap, length, IndexType<U>{-1});
  std::fill_n(weights.total, length, U{0});
  for (const RowTap& tap : row.taps) {
    ReadScores(pooling, row, tap, scores, weights.scores + tap.index * length);
    FindBest(row, tap, weights);
  }
  const bool gaussian = pooling.weighting == Weighting::kGaussian;
  for (const RowTap& tap : row.taps) {
    gaussian ? WeighTap<true>(row, tap, weights) : WeighTap<false>(row, tap, weights);
  }
  for (int64_t i = 0; i < length; ++i) weights.total[i] = 1 / weights.total[i];
  for (const RowTap& tap : row.taps) ScaleTap(row, tap, weights);
}

template <bool kGated, class U>
void BlendTap(const WindowRow& row, const RowTap& tap, U gate, const U* base,
              const RowWeights<U>& weights) {
  const Span span(row, tap);
  const U* scores = weights.scores + span.offset;
  U* shares = weights.shares + span.offset;
#pragma omp simd
  for (int64_t i = span.begin; i < span.end; ++i) {
    shares[i] *= kGated ? gate * scores[i] : gate;
  }
  if (base == nullptr) return;
  base += span.offset;
#pragma omp simd
  for (int64_t i = span.begin; i < span.end; ++i) shares[i] += (1 - gate) * base[i];
}

template <class U>
void BlendImpl(const Pooling& pooling, const WindowRow& row, U gate, const U* base,
               const RowWeights<U>& weights) {
  for (const RowTap& tap : row.taps) {
    pooling.gated ? BlendTap<true>(row, tap, gate, base, weights)
                  : BlendTap<false>(row, tap, gate, base, weights);
  }
}

template <bool kGated, class U>
void PoolDots(const WindowRow& row, const RowTap& tap, const RowWeights<U>& weights,
              const RowGradients<U>& gradients) {
  const Span span(row, tap);
  const U* scores = weights.scores + span.offset;
  const U* shares = weights.shares + span.offset;
  const U* dots = gradients.dots + span.offset;
#pragma omp simd
  for (int64_t i = span.begin; i < span.end; ++i) {
    gradients.pooled[i] += shares[i] * (kGated ? scores[i] * dots[i] : dots[i]);
  }
}

// Products begin with distance times share: a share that vanished keeps whatever is
// far away from overflowing.
template <bool kGaussian, bool kGated, class U>
void TapGradients(const WindowRow& row, const RowTap& tap, U gate,
                  const RowWeights<U>& weights, const RowGradients<U>& gradients) {
  const Span span(row, tap);
  const U* scores = weights.scores + span.offset;
  const U* shares = weights.shares + span.offset;
  U* dots = gradients.dots + span.offset;
#pragma omp simd
  for (int64_t i = span.begin; i < span.end; ++i) {
    const U alpha = weights.alpha[i];
    const U distance = weights.best[i] - scores[i];
    const U spread = distance * shares[i];
    const U passed = kGated ? scores[i] * dots[i] : dots[i];
    const U excess = gate * (passed - gradients.pooled[i]);
    const U moved = kGaussian ? 2 * (alpha * (alpha * spread)) * excess
                              : alpha * shares[i] * excess;
    const U alpha_term =
        kGaussian ? 2 * (alpha * (distance * spread)) * excess : spread * excess;
    dots[i] = kGated ? moved + gate * (shares[i] * dots[i]) : moved;
    gradients.moved[i] += moved;
    gradients.alpha_terms[i] += alpha_term;
  }
}

template <class U>
void ReturnMoved(const WindowRow& row, const RowTap& tap, const RowWeights<U>& weights,
                 const RowGradients<U>& gradients) {
  const Span span(row, tap);
  U* dscores = gradients.dots + span.offset;
  const IndexType<U> index = tap.index;
#pragma omp simd
  for (int64_t i = span.begin; i < span.end; ++i) {
    dscores[i] -= weights.best_tap[i] == index ? gradients.moved[i] : 0;
  }
}

template <class U>
double BasePart(const WindowRow& row, const U* base, const U* dots) {
  double sum = 0;
  for (const RowTap& tap : row.taps) {
    const Span span(row, tap);
    for (int64_t i = span.begin; i < span.end; ++i) {
      sum += base[span.offset + i] * dots[span.offset + i];
    }
  }
  return sum;
}

template <bool kGaussian, bool kGated, class U>
void ScoreGradientsImpl(const WindowRow& row, U gate, const U* base,
                        const RowWeights<U>& weights, RowGradients<U>* gradients) {
  const int64_t length = row.length(), groups = row.groups.size();
  if (base != nullptr) gradients->dgate -= BasePart(row, base, gradients->dots);
  std::fill_n(gradients->pooled, length, U{0});
  std::fill_n(gradients->moved, length, U{0});
  std::fill_n(gradients->alpha_terms, length, U{0});
  for (const RowTap& tap : row.taps) PoolDots<kGated>(row, tap, weights, *gradients);
  for (const RowTap& tap : row.taps) {
    TapGradients<kGaussian, kGated>(row, tap, gate, weights, *gradients);
  }
  for (const RowTap& tap : row.taps) ReturnMoved(row, tap, weights, *gradients);
  for (int64_t i = 0; i < length; ++i) gradients->dgate += gradients->pooled[i];
  for (int64_t i = 0; i < length; i += groups) {
    for (int64_t g = 0; g < groups; ++g) {
      gradients->dalpha[g] -= gradients->alpha_terms[i + g];
    }
  }
}

template <class U>
void ScoreGradientsImpl(const Pooling& pooling, const WindowRow& row, U gate,
                        const U* base, const RowWeights<U>& weights,
                        RowGradients<U>* gradients) {
  if (pooling.weighting == Weighting::kGaussian) {
    pooling.gated
        ? ScoreGradientsImpl<true, true>(row, gate, base, weights, gradients)
        : ScoreGradientsImpl<true, false>(row, gate, base, weights, gradients);
  } else {
    pooling.gated
        ? ScoreGradientsImpl<false, true>(row, gate, base, weights, gradients)
        : ScoreGradientsImpl<false, false>(row, gate, base, weights, gradients);
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
  for (int64_t y = real_rows.begin; y < real_rows.end; ++y) {
    for (int64_t x = 0; x < pooling.window_width; ++x) {
      const Range real = across.WindowsWithReal(x);
      const Range windows{std::max(real.begin, columns.begin),
                          std::min(real.end, columns.end)};
      if (windows.size() <= 0) continue;
      taps.push_back(
          {y * pooling.window_width + x,
           {windows.begin - columns.begin, windows.end - columns.begin},
           (first_row + y) * pooling.width + across.Position(windows.begin, x)});
    }
  }
}

template <class U>
void BaseShares(const Pooling& pooling, const WindowRow& row, U* shares) {
  const Axis across = Columns(pooling);
  const int64_t groups = row.groups.size(), length = row.length();
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
      std::fill_n(shares + tap.index * length + w * groups, groups, share);
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
