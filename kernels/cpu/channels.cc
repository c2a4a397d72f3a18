#include "channels.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "clones.h"
#include "lanes.h"

namespace keras_lap::cpu {
namespace {

// Calls `function` with `count` indices if that is one of `kCounts`; returns whether.
template <int64_t... kCounts, class Function>
bool WithIndices(int64_t count, Function function) {
  return ((count == kCounts && (function(std::make_index_sequence<kCounts>()), true)) ||
          ...);
}

// As many vectors of channels as a loop over taps keeps in registers.
template <int kCount, size_t... I>
struct Block {
  static constexpr int kLanes = kCount;
  static constexpr int64_t kChannels = kCount * sizeof...(I);
};

template <int kCount, size_t... I>
Block<kCount, I...> BlockOf(std::index_sequence<I...>) {
  return {};
}

template <int kCount, size_t... I, class Function>
int64_t ForWhole(Block<kCount, I...> block, int64_t c, int64_t channels,
                 Function function) {
  for (; c + block.kChannels <= channels; c += block.kChannels) function(block, c);
  return c;
}

// Calls `function(block, first channel)` for all channels, widest blocks first, by
// vectors of up to `kBytes`.
template <class U, int kBytes = 32, class Function>
void ForBlocks(int64_t channels, Function function) {
  constexpr int kWide = kBytes / sizeof(U), kNarrow = 16 / sizeof(U);
  constexpr auto kVectors = std::make_index_sequence<256 / kBytes>();
  int64_t c = 0;
  c = ForWhole(BlockOf<kWide>(kVectors), c, channels, function);
  c = ForWhole(Block<kWide, 0>(), c, channels, function);
  c = ForWhole(Block<kNarrow, 0>(), c, channels, function);
  ForWhole(Block<1, 0>(), c, channels, function);
}

// Calls `function` with the bytes of a vector as a template argument: those of a long
// register where values are only multiplied and added. Conversions and comparisons of
// that length are taken apart in the clones for shorter registers.
template <class T, Extra kExtra, class Function>
void WithVectorBytes(Function function) {
  if constexpr (std::is_arithmetic_v<T> && kExtra == Extra::kNone) {
    if (HasLongRegisters()) return function(std::integral_constant<int, 64>());
  }
  function(std::integral_constant<int, 32>());
}

template <bool kPerChannel, Extra kExtra, bool kIsPart, class T, int kCount,
          size_t... I>
void SumBlock(Block<kCount, I...>, const Tap<T>* taps, int64_t count, const Run& run,
              int64_t pixel, int64_t c, ComputeType<T> rest, T* out,
              Part<ComputeType<T>> part) {
  using U = ComputeType<T>;
  using Values = Vector<U, kCount>;
  using Indices = Vector<IndexType<U>, kCount>;
  // Nothing but -0 leaves any first summand as it is.
  Values start, lowest, rests;
  Spread<kCount>(count == 0 ? U{0} : -U{0}, &start);
  Spread<kCount>(-std::numeric_limits<U>::infinity(), &lowest);
  Spread<kCount>(rest, &rests);
  Values sums[] = {(void(I), start)...};
  Values largest[] = {(void(I), lowest)...};
  for (int64_t t = 0; t < count; ++t) {
    const T* values = taps[t].values + pixel * run.values + c;
    const U* coefficients = taps[t].coefficients + pixel * run.coefficients;
    Values features[sizeof...(I)], factors[] = {(void(I), Values{})...};
    (Load<kCount>(values + I * kCount, &features[I]), ...);
    if constexpr (kPerChannel) {
      (Load<kCount>(coefficients + c + I * kCount, &factors[I]), ...);
    } else {
      (Spread<kCount>(*coefficients, &factors[I]), ...);
    }
    if constexpr (kExtra == Extra::kLargest) {
      ((largest[I] = features[I] > largest[I] ? features[I] : largest[I]), ...);
    }
    if constexpr (kExtra == Extra::kWinners) {
      const auto* winners = taps[t].winners + pixel * run.winners + c;
      Indices indices, found[sizeof...(I)];
      Spread<kCount>(static_cast<IndexType<U>>(taps[t].index), &indices);
      (Load<kCount>(winners + I * kCount, &found[I]), ...);
      ((factors[I] += found[I] == indices ? rests : Values{}), ...);
    }
    ((sums[I] += factors[I] * features[I]), ...);
  }
  if constexpr (kIsPart) {
    (Store<kCount>(sums[I], part.sums + c + I * kCount), ...);
    (Store<kCount>(largest[I], part.largest + c + I * kCount), ...);
    return;
  }
  if constexpr (kExtra == Extra::kLargest) ((sums[I] += rests * largest[I]), ...);
  (Store<kCount>(sums[I], out + c + I * kCount), ...);
}

template <int kBytes, bool kPerChannel, Extra kExtra, bool kIsPart, class T>
void SumPixelsOf(const Tap<T>* taps, int64_t count, const Run& run, int64_t channels,
                 ComputeType<T> rest, const Ahead& ahead, T* out,
                 Part<ComputeType<T>> part) {
  for (int64_t i = 0; i < run.pixels; ++i) {
    ahead.Prefetch(i);
    ForBlocks<ComputeType<T>, kBytes>(channels, [=](auto block, int64_t c) {
      SumBlock<kPerChannel, kExtra, kIsPart>(block, taps, count, run, i, c, rest, out,
                                             part);
    });
    if constexpr (kIsPart) {
      part = {part.sums + channels, part.largest + channels};
    } else {
      out += run.out;
    }
  }
}

// Adds a tap to the sums of a block, or begins them.
template <bool kFirst, class T, int kCount, size_t... I>
void AddTap(Block<kCount, I...>, const T* values, ComputeType<T> coefficient,
            Vector<ComputeType<T>, kCount>* sums) {
  Vector<ComputeType<T>, kCount> factor, features[sizeof...(I)];
  Spread<kCount>(coefficient, &factor);
  (Load<kCount>(values + I * kCount, &features[I]), ...);
  if constexpr (kFirst) {
    ((sums[I] = factor * features[I]), ...);
  } else {
    ((sums[I] += factor * features[I]), ...);
  }
}

template <class T, int kCount, size_t... I>
void StoreBlock(Block<kCount, I...>, const Vector<ComputeType<T>, kCount>* sums,
                T* out) {
  (Store<kCount>(sums[I], out + I * kCount), ...);
}

// The same for as many taps as there are indices, few enough for their addresses to
// stay in registers, with one coefficient for all channels and nothing extra.
template <int kBytes, class T, size_t... I>
void SumFewTaps(const Tap<T>* taps, const Run& run, int64_t channels,
                const Ahead& ahead, T* out, std::index_sequence<I...>) {
  using U = ComputeType<T>;
  const T* values[] = {taps[I].values...};
  const U* coefficients[] = {taps[I].coefficients...};
  for (int64_t i = 0; i < run.pixels; ++i, out += run.out) {
    ahead.Prefetch(i);
    ForBlocks<U, kBytes>(channels, [&](auto block, int64_t c) {
      Vector<U, block.kLanes> sums[block.kChannels / block.kLanes];
      (AddTap<I == 0>(block, values[I] + c, *coefficients[I], sums), ...);
      StoreBlock(block, sums, out + c);
    });
    ((values[I] += run.values, coefficients[I] += run.coefficients), ...);
  }
}

// Calls `function` with the kind of sum as template arguments.
template <class Function>
void WithKind(Sum kind, Function function) {
  using std::integral_constant;
  const auto with_extra = [&](auto per_channel) {
    switch (kind.extra) {
      case Extra::kNone:
        return function(per_channel, integral_constant<Extra, Extra::kNone>());
      case Extra::kLargest:
        return function(per_channel, integral_constant<Extra, Extra::kLargest>());
      case Extra::kWinners:
        return function(per_channel, integral_constant<Extra, Extra::kWinners>());
    }
  };
  kind.coefficient_per_channel ? with_extra(std::true_type())
                               : with_extra(std::false_type());
}

}  // namespace

template <class T>
KERAS_LAP_CLONES void SumPixels(Sum kind, const Tap<T>* taps, int64_t count,
                                const Run& run, int64_t channels, ComputeType<T> rest,
                                const Ahead& ahead, T* out) {
  WithKind(kind, [&](auto per_channel, auto extra) {
    WithVectorBytes<T, extra>([&](auto bytes) {
      if constexpr (!per_channel && extra == Extra::kNone) {
        // As many as windows of 2x2 have, and the gradients of most.
        if (WithIndices<1, 2, 4>(count, [&](auto indices) {
              SumFewTaps<bytes>(taps, run, channels, ahead, out, indices);
            })) {
          return;
        }
      }
      SumPixelsOf<bytes, per_channel, extra, false>(taps, count, run, channels, rest,
                                                    ahead, out, {});
    });
  });
}

// Without clones: compilers take long for them, and windows of many pixels wait for
// memory.
template <class T>
void SumPart(Sum kind, const Tap<T>* taps, int64_t count, const Run& run,
             int64_t channels, ComputeType<T> rest, const Ahead& ahead,
             const Part<ComputeType<T>>& part) {
  WithKind(kind, [&](auto per_channel, auto extra) {
    SumPixelsOf<16, per_channel, extra, true, T>(taps, count, run, channels, rest,
                                                 ahead, nullptr, part);
  });
}

template <class U>
void AddPart(const Part<U>& part, int64_t size, double* sums, U* largest) {
  for (int64_t i = 0; i < size; ++i) sums[i] += part.sums[i];
  if (largest == nullptr) return;
  for (int64_t i = 0; i < size; ++i) largest[i] = std::max(largest[i], part.largest[i]);
}

template <class T>
void StoreSums(const double* sums, const ComputeType<T>* largest, const Run& run,
               int64_t channels, ComputeType<T> rest, T* out) {
  for (int64_t i = 0; i < run.pixels; ++i, out += run.out) {
    for (int64_t c = 0; c < channels; ++c) {
      ComputeType<T> sum = *sums++;
      if (largest != nullptr) sum += rest * *largest++;
      Store<1>(sum, out + c);
    }
  }
}

namespace {

// Adds dot products of a few taps over as many channels as make up whole vectors.
template <int kCount, class T, size_t... I>
int64_t AddDots(const T* dy, const T* const* values, int64_t c, int64_t channels,
                ComputeType<T>* totals) {
  using Values = Vector<ComputeType<T>, kCount>;
  if (c + kCount > channels) return c;
  Values sums[] = {(void(I), Values{})...};
  for (; c + kCount <= channels; c += kCount) {
    Values gradient, features[sizeof...(I)];
    Load<kCount>(dy + c, &gradient);
    (Load<kCount>(values[I] + c, &features[I]), ...);
    ((sums[I] += gradient * features[I]), ...);
  }
  ((totals[I] += Fold<kCount, ComputeType<T>>(sums[I])), ...);
  return c;
}

template <int kBytes, class T, size_t... I>
void DotsFixed(const T* dy, const Tap<T>* taps, int64_t shift, int64_t channels,
               ComputeType<T>* out, int64_t tap_step, std::index_sequence<I...>) {
  using U = ComputeType<T>;
  const T* const values[] = {taps[I].values + shift...};
  U totals[] = {(void(I), U{0})...};
  int64_t c = 0;
  c = AddDots<kBytes / sizeof(U), T, I...>(dy, values, c, channels, totals);
  c = AddDots<16 / sizeof(U), T, I...>(dy, values, c, channels, totals);
  AddDots<1, T, I...>(dy, values, c, channels, totals);
  ((out[taps[I].index * tap_step] = totals[I]), ...);
}

template <int kBytes, class T>
void DotWindow(const T* dy, const Tap<T>* taps, int64_t count, int64_t shift,
               int64_t channels, ComputeType<T>* out, int64_t tap_step) {
  for (; count > 5; count -= 4, taps += 4) {
    DotsFixed<kBytes>(dy, taps, shift, channels, out, tap_step,
                      std::make_index_sequence<4>());
  }
  WithIndices<1, 2, 3, 4, 5>(count, [=](auto indices) {
    DotsFixed<kBytes>(dy, taps, shift, channels, out, tap_step, indices);
  });
}

template <int kBytes, class T>
void DotWindows(const T* dy, int64_t dy_step, const Tap<T>* taps, int64_t count,
                const Run& run, int64_t channels, const Ahead& ahead,
                ComputeType<T>* out, int64_t tap_step) {
  for (int64_t i = 0; i < run.pixels; ++i, dy += dy_step, out += run.out) {
    ahead.Prefetch(i);
    DotWindow<kBytes>(dy, taps, count, i * run.values, channels, out, tap_step);
  }
}

}  // namespace

template <class T>
KERAS_LAP_CLONES void Dots(const T* dy, int64_t dy_step, const Tap<T>* taps,
                           int64_t count, const Run& run, int64_t channels,
                           const Ahead& ahead, ComputeType<T>* out, int64_t tap_step) {
  WithVectorBytes<T, Extra::kNone>([&](auto bytes) {
    DotWindows<bytes>(dy, dy_step, taps, count, run, channels, ahead, out, tap_step);
  });
}

template <class T>
KERAS_LAP_CLONES void Products(const T* dy, int64_t dy_step, const Tap<T>* taps,
                               int64_t count, const Run& run, int64_t channels,
                               const Ahead& ahead, ComputeType<T>* out,
                               int64_t tap_step) {
  using U = ComputeType<T>;
  for (int64_t i = 0; i < run.pixels; ++i, dy += dy_step, out += run.out) {
    ahead.Prefetch(i);
    for (int64_t t = 0; t < count; ++t) {
      const T* values = taps[t].values + i * run.values;
      U* to = out + taps[t].index * tap_step;
      ForBlocks<U>(channels, [=](auto block, int64_t c) {
        for (int64_t end = c + block.kChannels; c < end; c += block.kLanes) {
          Vector<U, block.kLanes> gradient, features;
          Load<block.kLanes>(dy + c, &gradient);
          Load<block.kLanes>(values + c, &features);
          Store<block.kLanes>(gradient * features, to + c);
        }
      });
    }
  }
}

namespace {

template <class T, int kCount, size_t... I>
void FindInBlock(Block<kCount, I...>, const T* dy, const Tap<T>* taps, int64_t count,
                 int64_t c, IndexType<ComputeType<T>>* winners, ComputeType<T>* dot) {
  using U = ComputeType<T>;
  using Values = Vector<U, kCount>;
  using Indices = Vector<IndexType<U>, kCount>;
  Values lowest;
  Indices first;
  Spread<kCount>(-std::numeric_limits<U>::infinity(), &lowest);
  Spread<kCount>(static_cast<IndexType<U>>(taps[0].index), &first);
  Values largest[] = {(void(I), lowest)...};
  Indices found[] = {(void(I), first)...};
  for (int64_t t = 0; t < count; ++t) {
    Values features[sizeof...(I)];
    Indices index;
    Spread<kCount>(static_cast<IndexType<U>>(taps[t].index), &index);
    (Load<kCount>(taps[t].values + c + I * kCount, &features[I]), ...);
    ((found[I] = features[I] > largest[I] ? index : found[I]), ...);
    ((largest[I] = features[I] > largest[I] ? features[I] : largest[I]), ...);
  }
  Values gradient[sizeof...(I)], products{};
  (Load<kCount>(dy + c + I * kCount, &gradient[I]), ...);
  ((products += gradient[I] * largest[I]), ...);
  (Store<kCount>(found[I], winners + c + I * kCount), ...);
  *dot += Fold<kCount, U>(products);
}

}  // namespace

template <class T>
KERAS_LAP_CLONES void FindWinners(const T* dy, const Tap<T>* taps, int64_t count,
                                  int64_t channels, IndexType<ComputeType<T>>* winners,
                                  ComputeType<T>* dot) {
  *dot = 0;
  ForBlocks<ComputeType<T>>(channels, [=](auto block, int64_t c) {
    FindInBlock(block, dy, taps, count, c, winners, dot);
  });
}

template void AddPart(const Part<float>&, int64_t, double*, float*);
template void AddPart(const Part<double>&, int64_t, double*, double*);

#define KERAS_LAP_INSTANTIATE(T)                                                     \
  template void SumPixels(Sum, const Tap<T>*, int64_t, const Run&, int64_t,          \
                          ComputeType<T>, const Ahead&, T*);                         \
  template void SumPart(Sum, const Tap<T>*, int64_t, const Run&, int64_t,            \
                        ComputeType<T>, const Ahead&, const Part<ComputeType<T>>&);  \
  template void StoreSums(const double*, const ComputeType<T>*, const Run&, int64_t, \
                          ComputeType<T>, T*);                                       \
  template void Dots(const T*, int64_t, const Tap<T>*, int64_t, const Run&, int64_t, \
                     const Ahead&, ComputeType<T>*, int64_t);                        \
  template void Products(const T*, int64_t, const Tap<T>*, int64_t, const Run&,      \
                         int64_t, const Ahead&, ComputeType<T>*, int64_t);           \
  template void FindWinners(const T*, const Tap<T>*, int64_t, int64_t,               \
                            IndexType<ComputeType<T>>*, ComputeType<T>*)

KERAS_LAP_INSTANTIATE(float);
KERAS_LAP_INSTANTIATE(double);
KERAS_LAP_INSTANTIATE(Half);
KERAS_LAP_INSTANTIATE(BFloat16);

#undef KERAS_LAP_INSTANTIATE

}  // namespace keras_lap::cpu
