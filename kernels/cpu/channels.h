// What is done to the channels of pixels.
#pragma once

#include <cstdint>
#include <type_traits>

#include "la_pool_cpu.h"
#include "stream.h"

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

// Pixels in a row whose taps lie alike: from one to the next, everything moves on by
// a constant step.
struct Run {
  int64_t pixels;
  int64_t values, coefficients, winners, out;  // steps
};

// out = sum over taps, for all pixels of a run.
template <class T>
void SumPixels(Sum kind, const Tap<T>* taps, int64_t count, const Run& run,
               int64_t channels, ComputeType<T> rest, const Ahead& ahead, T* out);

// Sums over a part of the taps, without the largest values, and these, for all pixels
// of a run.
template <class U>
struct Part {
  U* sums;
  U* largest;
};

template <class T>
void SumPart(Sum kind, const Tap<T>* taps, int64_t count, const Run& run,
             int64_t channels, ComputeType<T> rest, const Ahead& ahead,
             const Part<ComputeType<T>>& part);

// Adds a part of `size` values to what those before add up to.
template <class U>
void AddPart(const Part<U>& part, int64_t size, double* sums, U* largest);

// out = sum of all parts, for all pixels of a run.
template <class T>
void StoreSums(const double* sums, const ComputeType<T>* largest, const Run& run,
               int64_t channels, ComputeType<T> rest, T* out);

// Dot products of dy with the taps of the windows of a run, in which dy moves on by
// `dy_step`. That of tap t goes to out[t.index * tap_step].
template <class T>
void Dots(const T* dy, int64_t dy_step, const Tap<T>* taps, int64_t count,
          const Run& run, int64_t channels, const Ahead& ahead, ComputeType<T>* out,
          int64_t tap_step);

// The same with every channel by itself: products.
template <class T>
void Products(const T* dy, int64_t dy_step, const Tap<T>* taps, int64_t count,
              const Run& run, int64_t channels, const Ahead& ahead, ComputeType<T>* out,
              int64_t tap_step);

// Finds per channel the first tap with the largest value, and the dot product of dy
// with these values.
template <class T>
void FindWinners(const T* dy, const Tap<T>* taps, int64_t count, int64_t channels,
                 IndexType<ComputeType<T>>* winners, ComputeType<T>* dot);

}  // namespace keras_lap::cpu
