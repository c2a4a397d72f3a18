// The weights of one row of windows, for a block of groups: everything that scores
// decide before any feature is looked at, and their gradients after.
//
// Arrays hold one value per window and group, groups innermost, and where they hold
// one per tap as well, taps outermost, `tap_step` apart. Values of padded taps, and
// those that fill up the last vector, mean nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "axis.h"
#include "blocks.h"
#include "channels.h"

namespace keras_lap::cpu {

// Distance from tap to tap of so many values: whole vectors of any type.
inline int64_t TapStep(int64_t values) { return RoundUp(values, 8); }

// One tap of a row of windows.
struct RowTap {
  int64_t index;   // in its window, row-major
  int64_t offset;  // of its values in arrays that hold one per tap
  Range windows;   // those in which it is a real pixel, counted from the first column
  Range lanes;     // their values
  int64_t pixel;   // in the map, under the first of these windows
};

// A row of windows, or a part of it.
struct WindowRow {
  WindowRow(const Pooling& pooling, int64_t row, Range columns, Range groups);

  int64_t length() const { return columns.size() * groups.size(); }
  int64_t tap_step() const { return TapStep(length()); }

  int64_t row;
  Range columns, groups;
  Range real_rows;  // taps whose row lies inside the map
  std::vector<RowTap> taps;
};

template <class U>
struct RowWeights {
  // One value per window and group.
  const U* alpha;
  U* best;
  IndexType<U>* best_tap;
  // One per tap, window and group.
  U* scores;
  U* shares;  // weight / sum of weights
};

// What a row adds to the derivatives of alpha and gate, as far as scores know it.
template <class U>
struct RowGradients {
  U* pooled;       // scratch: dy times output, per window and group
  U* alpha_terms;  // scratch: contributions to dalpha
  U* dots;         // dy times features per tap; becomes the gradient to the scores
  double* dalpha;  // per group; added to
  double dgate;    // added to
};

// Share of every tap in the base branch, if that is linear (average or first).
template <class U>
void BaseShares(const Pooling& pooling, const WindowRow& row, U* shares);

// Reads the scores of one image's map and weighs every window.
void Weigh(const Pooling& pooling, const WindowRow& row, const float* scores,
           const RowWeights<float>& weights);
void Weigh(const Pooling& pooling, const WindowRow& row, const double* scores,
           const RowWeights<double>& weights);

// Turns shares into coefficients of the features, in place; `base` may be null.
void Blend(const Pooling& pooling, const WindowRow& row, float gate, const float* base,
           const RowWeights<float>& weights);
void Blend(const Pooling& pooling, const WindowRow& row, double gate,
           const double* base, const RowWeights<double>& weights);

// Turns dots into gradients to the scores; `weights` as `Weigh` left them.
void ScoreGradients(const Pooling& pooling, const WindowRow& row, float gate,
                    const float* base, const RowWeights<float>& weights,
                    RowGradients<float>* gradients);
void ScoreGradients(const Pooling& pooling, const WindowRow& row, double gate,
                    const double* base, const RowWeights<double>& weights,
                    RowGradients<double>* gradients);

}  // namespace keras_lap::cpu
