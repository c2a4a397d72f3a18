// Taps of any storage type and in any number, for functions that take a few of them in
// the compute type.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "buffer.h"
#include "channels.h"

namespace keras_lap::cpu {

template <class T>
class TapReader {
  using U = ComputeType<T>;
  static constexpr bool kConverts = !std::is_same_v<T, U>;

 public:
  // For pixels of up to `channels` channels.
  explicit TapReader(int64_t channels)
      : features_(kConverts ? kTapsAtOnce * channels : 0),
        result_(kConverts ? channels : 0),
        sums_(channels),
        largest_(channels) {}

  // A pixel in the compute type, valid until the next call.
  const U* Pixel(const T* pixel, int64_t channels) {
    if constexpr (kConverts) {
      Load(pixel, channels, result_.get());
      return result_.get();
    } else {
      return pixel;
    }
  }

  // Calls `function(taps, count)` with all taps in turn, a few at a time.
  template <class Function>
  void ForSome(const Tap<T>* taps, int64_t count, int64_t channels, Function function) {
    if constexpr (!kConverts) {
      function(taps, count);
    } else {
      for (; count > 0; count -= kTapsAtOnce, taps += kTapsAtOnce) {
        const int64_t some = std::min(count, kTapsAtOnce);
        function(Convert(taps, some, channels), some);
      }
    }
  }

  // out = sum over taps.
  void SumAll(Sum kind, const Tap<T>* taps, int64_t count, int64_t channels, U rest,
              T* out) {
    U* result = Result(out);
    if (count <= kTapsAtOnce) {
      SumPixels(kind, Convert(taps, count, channels), &count, 1, channels, rest, result,
                0);
    } else {
      StartSum(channels, sums_.get(), largest_.get());
      ForSome(taps, count, channels, [&](const Tap<U>* some, int64_t some_count) {
        AddTaps(kind, some, some_count, channels, rest, sums_.get(), largest_.get());
      });
      if (kind.extra == Extra::kLargest) {
        AddLargest(channels, rest, largest_.get(), sums_.get());
      }
      std::copy_n(sums_.get(), channels, result);
    }
    if constexpr (kConverts) Store(result, channels, out);
  }

 private:
  U* Result(T* out) {
    if constexpr (kConverts) {
      return result_.get();
    } else {
      return out;
    }
  }

  const Tap<U>* Convert(const Tap<T>* taps, int64_t count, int64_t channels) {
    if constexpr (!kConverts) {
      return taps;
    } else {
      U* features = features_.get();
      for (int64_t t = 0; t < count; ++t, features += channels) {
        Load(taps[t].values, channels, features);
        converted_[t] = {features, taps[t].coefficients, taps[t].index,
                         taps[t].winners};
      }
      return converted_;
    }
  }

  Buffer<U> features_, result_, sums_, largest_;
  Tap<U> converted_[kTapsAtOnce];
};

}  // namespace keras_lap::cpu
