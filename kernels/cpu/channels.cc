#include "channels.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "clones.h"
#include "half.h"

namespace keras_lap::cpu {
namespace {

// A few taps, laid out so that a loop over channels keeps them in registers.
template <bool kPerChannel, Extra kExtra, class U, size_t... I>
class TapSum {
 public:
  TapSum(const Tap<U>* taps, U rest)
      : values_{taps[I].values...},
        each_{taps[I].coefficients...},
        common_{*taps[I].coefficients...},
        winners_{taps[I].winners...},
        index_{static_cast<IndexType<U>>(taps[I].index)...},
        rest_(rest) {}

  U At(int64_t c) const { return (... + (Coefficient<I>(c) * values_[I][c])); }

  U Largest(int64_t c, U largest) const {
    ((largest = values_[I][c] > largest ? values_[I][c] : largest), ...);
    return largest;
  }

 private:
  template <size_t J>
  U Coefficient(int64_t c) const {
    const U coefficient = kPerChannel ? each_[J][c] : common_[J];
    if constexpr (kExtra == Extra::kWinners) {
      return coefficient + (winners_[J][c] == index_[J] ? rest_ : U{0});
    }
    return coefficient;
  }

  const U* values_[sizeof...(I)];
  const U* each_[sizeof...(I)];
  U common_[sizeof...(I)];
  const IndexType<U>* winners_[sizeof...(I)];
  IndexType<U> index_[sizeof...(I)];
  U rest_;
};

template <bool kPerChannel, Extra kExtra, class U, size_t... I>
void SumFixed(const Tap<U>* taps, int64_t channels, U rest, U* out,
              std::index_sequence<I...>) {
  const TapSum<kPerChannel, kExtra, U, I...> sum(taps, rest);
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    U total = sum.At(c);
    if constexpr (kExtra == Extra::kLargest) {
      total += rest * sum.Largest(c, -std::numeric_limits<U>::infinity());
    }
    out[c] = total;
  }
}

template <bool kPerChannel, Extra kExtra, class U, size_t... I>
void AddFixed(const Tap<U>* taps, int64_t channels, U rest, U* sums, U* largest,
              std::index_sequence<I...>) {
  const TapSum<kPerChannel, kExtra, U, I...> sum(taps, rest);
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    sums[c] += sum.At(c);
    if constexpr (kExtra == Extra::kLargest) largest[c] = sum.Largest(c, largest[c]);
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

template <bool kPerChannel, Extra kExtra, class U>
void AddAll(const Tap<U>* taps, int64_t count, int64_t channels, U rest, U* sums,
            U* largest) {
  for (; count >= 8; count -= 8, taps += 8) {
    AddFixed<kPerChannel, kExtra>(taps, channels, rest, sums, largest,
                                  std::make_index_sequence<8>());
  }
  for (; count > 0; --count, ++taps) {
    AddFixed<kPerChannel, kExtra>(taps, channels, rest, sums, largest,
                                  std::make_index_sequence<1>());
  }
}

template <class U>
void AddTapsImpl(Sum kind, const Tap<U>* taps, int64_t count, int64_t channels, U rest,
                 U* sums, U* largest) {
  WithKind(kind, [=](auto per_channel, auto extra) {
    AddAll<per_channel, extra>(taps, count, channels, rest, sums, largest);
  });
}

template <class U>
void StartSumImpl(int64_t channels, U* sums, U* largest) {
  std::fill_n(sums, channels, U{0});
  std::fill_n(largest, channels, -std::numeric_limits<U>::infinity());
}

template <class U>
void AddLargestImpl(int64_t channels, U rest, const U* largest, U* sums) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) sums[c] += rest * largest[c];
}

template <bool kPerChannel, Extra kExtra, class U>
void SumPixel(const Tap<U>* taps, int64_t count, int64_t channels, U rest, U* out) {
  const auto fixed = [=](auto indices) {
    SumFixed<kPerChannel, kExtra>(taps, channels, rest, out, indices);
  };
  static_assert(kTapsAtOnce == 9);
  switch (count) {
    case 0:
      std::fill_n(out, channels, U{0});
      return;
    case 1:
      return fixed(std::make_index_sequence<1>());
    case 2:
      return fixed(std::make_index_sequence<2>());
    case 3:
      return fixed(std::make_index_sequence<3>());
    case 4:
      return fixed(std::make_index_sequence<4>());
    case 5:
      return fixed(std::make_index_sequence<5>());
    case 6:
      return fixed(std::make_index_sequence<6>());
    case 7:
      return fixed(std::make_index_sequence<7>());
    case 8:
      return fixed(std::make_index_sequence<8>());
    case 9:
      return fixed(std::make_index_sequence<9>());
  }
}

template <class U>
void SumPixelsImpl(Sum kind, const Tap<U>* taps, const int64_t* counts, int64_t pixels,
                   int64_t channels, U rest, U* out, int64_t step) {
  WithKind(kind, [=](auto per_channel, auto extra) {
    const Tap<U>* pixel_taps = taps;
    for (int64_t i = 0; i < pixels; ++i) {
      SumPixel<per_channel, extra>(pixel_taps, counts[i], channels, rest,
                                   out + i * step);
      pixel_taps += counts[i];
    }
  });
}

// A vector register's worth of sums, kept apart until the end.
template <class U>
struct Lanes {
  static constexpr int64_t kCount = 64 / sizeof(U);
  typedef U Vector __attribute__((vector_size(64)));

  void Load(const U* from) { std::memcpy(&values, from, sizeof(values)); }

  // The first `count` values, and zeros.
  void LoadSome(const U* from, int64_t count) {
    U some[kCount] = {};
    for (int64_t i = 0; i < count; ++i) some[i] = from[i];
    Load(some);
  }

  U Total() const { return Fold(values); }

 private:
  // Adds the upper half of a vector to the lower until two values are left.
  template <class Wide>
  static U Fold(const Wide& wide) {
    constexpr int64_t kHalf = sizeof(Wide) / 2;
    if constexpr (kHalf == sizeof(U)) {
      return wide[0] + wide[1];
    } else {
      typedef U Half __attribute__((vector_size(kHalf)));
      Half low, high;
      std::memcpy(&low, &wide, kHalf);
      std::memcpy(&high, reinterpret_cast<const char*>(&wide) + kHalf, kHalf);
      return Fold<Half>(low + high);
    }
  }

 public:
  Vector values;
};

template <class U, size_t... I>
void DotsFixed(const U* dy, const Tap<U>* taps, int64_t channels, U* out, int64_t step,
               std::index_sequence<I...>) {
  constexpr int64_t kCount = Lanes<U>::kCount;
  const U* const values[] = {taps[I].values...};
  Lanes<U> sums[] = {(void(I), Lanes<U>{})...};
  Lanes<U> gradient, features[sizeof...(I)];
  int64_t c = 0;
  for (; c + kCount <= channels; c += kCount) {
    gradient.Load(dy + c);
    (features[I].Load(values[I] + c), ...);
    ((sums[I].values += gradient.values * features[I].values), ...);
  }
  if (c < channels) {
    gradient.LoadSome(dy + c, channels - c);
    (features[I].LoadSome(values[I] + c, channels - c), ...);
    ((sums[I].values += gradient.values * features[I].values), ...);
  }
  ((out[taps[I].index * step] = sums[I].Total()), ...);
}

template <class U>
void DotsImpl(const U* dy, const Tap<U>* taps, int64_t count, int64_t channels, U* out,
              int64_t step) {
  for (; count > 5; count -= 4, taps += 4) {
    DotsFixed(dy, taps, channels, out, step, std::make_index_sequence<4>());
  }
  const auto fixed = [=](auto indices) {
    DotsFixed(dy, taps, channels, out, step, indices);
  };
  switch (count) {
    case 1:
      return fixed(std::make_index_sequence<1>());
    case 2:
      return fixed(std::make_index_sequence<2>());
    case 3:
      return fixed(std::make_index_sequence<3>());
    case 4:
      return fixed(std::make_index_sequence<4>());
    case 5:
      return fixed(std::make_index_sequence<5>());
  }
}

template <class U>
void ProductsImpl(const U* dy, const Tap<U>* taps, int64_t count, int64_t channels,
                  U* out, int64_t step) {
  for (; count > 0; --count, ++taps) {
    const U* values = taps->values;
    U* to = out + taps->index * step;
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) to[c] = dy[c] * values[c];
  }
}

template <class U>
void FindWinnersImpl(const Tap<U>* taps, int64_t count, int64_t channels, U* largest,
                     IndexType<U>* winners) {
  for (; count > 0; --count, ++taps) {
    const U* values = taps->values;
    const IndexType<U> index = taps->index;
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const bool larger = values[c] > largest[c];
      largest[c] = larger ? values[c] : largest[c];
      winners[c] = larger ? index : winners[c];
    }
  }
}

template <class T>
void LoadImpl(const T* from, int64_t count, float* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] = ToCompute(from[i]);
}

template <class T>
void StoreImpl(const float* from, int64_t count, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] = ToStorage<T>(from[i]);
}

}  // namespace

KERAS_LAP_CLONES void SumPixels(Sum kind, const Tap<float>* taps, const int64_t* counts,
                                int64_t pixels, int64_t channels, float rest,
                                float* out, int64_t step) {
  SumPixelsImpl(kind, taps, counts, pixels, channels, rest, out, step);
}

KERAS_LAP_CLONES void SumPixels(Sum kind, const Tap<double>* taps,
                                const int64_t* counts, int64_t pixels, int64_t channels,
                                double rest, double* out, int64_t step) {
  SumPixelsImpl(kind, taps, counts, pixels, channels, rest, out, step);
}

KERAS_LAP_CLONES void StartSum(int64_t channels, float* sums, float* largest) {
  StartSumImpl(channels, sums, largest);
}

KERAS_LAP_CLONES void StartSum(int64_t channels, double* sums, double* largest) {
  StartSumImpl(channels, sums, largest);
}

KERAS_LAP_CLONES void AddTaps(Sum kind, const Tap<float>* taps, int64_t count,
                              int64_t channels, float rest, float* sums,
                              float* largest) {
  AddTapsImpl(kind, taps, count, channels, rest, sums, largest);
}

KERAS_LAP_CLONES void AddTaps(Sum kind, const Tap<double>* taps, int64_t count,
                              int64_t channels, double rest, double* sums,
                              double* largest) {
  AddTapsImpl(kind, taps, count, channels, rest, sums, largest);
}

KERAS_LAP_CLONES void AddLargest(int64_t channels, float rest, const float* largest,
                                 float* sums) {
  AddLargestImpl(channels, rest, largest, sums);
}

KERAS_LAP_CLONES void AddLargest(int64_t channels, double rest, const double* largest,
                                 double* sums) {
  AddLargestImpl(channels, rest, largest, sums);
}

KERAS_LAP_CLONES void Dots(const float* dy, const Tap<float>* taps, int64_t count,
                           int64_t channels, float* out, int64_t step) {
  DotsImpl(dy, taps, count, channels, out, step);
}

KERAS_LAP_CLONES void Dots(const double* dy, const Tap<double>* taps, int64_t count,
                           int64_t channels, double* out, int64_t step) {
  DotsImpl(dy, taps, count, channels, out, step);
}

KERAS_LAP_CLONES void Products(const float* dy, const Tap<float>* taps, int64_t count,
                               int64_t channels, float* out, int64_t step) {
  ProductsImpl(dy, taps, count, channels, out, step);
}

KERAS_LAP_CLONES void Products(const double* dy, const Tap<double>* taps, int64_t count,
                               int64_t channels, double* out, int64_t step) {
  ProductsImpl(dy, taps, count, channels, out, step);
}

KERAS_LAP_CLONES void FindWinners(const Tap<float>* taps, int64_t count,
                                  int64_t channels, float* largest, int32_t* winners) {
  FindWinnersImpl(taps, count, channels, largest, winners);
}

KERAS_LAP_CLONES void FindWinners(const Tap<double>* taps, int64_t count,
                                  int64_t channels, double* largest, int64_t* winners) {
  FindWinnersImpl(taps, count, channels, largest, winners);
}

KERAS_LAP_CLONES void Load(const Half* from, int64_t count, float* to) {
  LoadImpl(from, count, to);
}

KERAS_LAP_CLONES void Load(const BFloat16* from, int64_t count, float* to) {
  LoadImpl(from, count, to);
}

KERAS_LAP_CLONES void Store(const float* from, int64_t count, Half* to) {
  StoreImpl(from, count, to);
}

KERAS_LAP_CLONES void Store(const float* from, int64_t count, BFloat16* to) {
  StoreImpl(from, count, to);
}

}  // namespace keras_lap::cpu
