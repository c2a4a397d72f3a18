// What is done to the channels of the pixels under one window, in the compute type.
#pragma once

#include <cstdint>
#include <type_traits>

#include "la_pool_cpu.h"

namespace keras_lap::cpu {

// An integer as wide as U, so that choices of the one vectorise with the other.
template <class U>
using IndexType = std::conditional_t<sizeof(U) == 8, int64_t, int32_t>;

// One summand of a pixel.
template <class T>
struct Tap {
  using U = ComputeType<T>;
  const T* values;              // one per channel
  const U* coefficients;        // one for all channels, or one per channel
  int64_t index;                // in its window, row-major
  const IndexType<U>* winners;  // per channel, index of the tap with the largest value
};

// What there is in a sum besides coefficient * value.
enum class Extra {
  kNone,
  kLargest,  // `rest` times the largest value
  kWinners,  // `rest` times the value in those channels where the tap is the winner
};

struct Sum {
  bool coefficient_per_channel;
  Extra extra;
};

// Up to this many taps of a pixel can be summed by `SumPixels`.
constexpr int64_t kTapsAtOnce = 9;

// out = sum over taps, for pixels in a row: their taps follow each other, `counts` of
// them for each pixel, and their sums are `step` apart.
void SumPixels(Sum kind, const Tap<float>* taps, const int64_t* counts, int64_t pixels,
               int64_t channels, float rest, float* out, int64_t step);
void SumPixels(Sum kind, const Tap<double>* taps, const int64_t* counts, int64_t pixels,
               int64_t channels, double rest, double* out, int64_t step);

// The same in steps, for any number of taps; `largest` only counts for kLargest.
void StartSum(int64_t channels, float* sums, float* largest);
void StartSum(int64_t channels, double* sums, double* largest);
void AddTaps(Sum kind, const Tap<float>* taps, int64_t count, int64_t channels,
             float rest, float* sums, float* largest);
void AddTaps(Sum kind, const Tap<double>* taps, int64_t count, int64_t channels,
             double rest, double* sums, double* largest);
void AddLargest(int64_t channels, float rest, const float* largest, float* sums);
void AddLargest(int64_t channels, double rest, const double* largest, double* sums);

// Dot products of dy with pixels; the one of tap t goes to out[t.index * step].
void Dots(const float* dy, const Tap<float>* taps, int64_t count, int64_t channels,
          float* out, int64_t step);
void Dots(const double* dy, const Tap<double>* taps, int64_t count, int64_t channels,
          double* out, int64_t step);

// The same with every channel by itself: products.
void Products(const float* dy, const Tap<float>* taps, int64_t count, int64_t channels,
              float* out, int64_t step);
void Products(const double* dy, const Tap<double>* taps, int64_t count,
              int64_t channels, double* out, int64_t step);

// Takes taps into account in the largest values so far and where they were found first.
void FindWinners(const Tap<float>* taps, int64_t count, int64_t channels,
                 float* largest, int32_t* winners);
void FindWinners(const Tap<double>* taps, int64_t count, int64_t channels,
                 double* largest, int64_t* winners);

// Conversions to and from storage.
void Load(const Half* from, int64_t count, float* to);
void Load(const BFloat16* from, int64_t count, float* to);
void Store(const float* from, int64_t count, Half* to);
void Store(const float* from, int64_t count, BFloat16* to);

}  // namespace keras_lap::cpu
