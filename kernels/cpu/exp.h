// The exponential that weights are made of.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "half.h"
#include "lanes.h"

namespace keras_lap::cpu {

template <int kCount>
inline void Exp(const Vector<double, kCount>& x, Vector<double, kCount>* y) {
  for (int i = 0; i < kCount; ++i) (*y)[i] = std::exp(x[i]);
}

// Within 2 ulp, exactly 1 at 0, NaN for NaN. Results below about 1e-38 are 0, those
// above about 1e38 infinite.
template <int kCount>
inline void Exp(const Vector<float, kCount>& x, Vector<float, kCount>* y) {
  using Values = Vector<float, kCount>;
  // x = n log(2) + r with |r| <= log(2) / 2; adding 1.5 * 2^23 rounds to an integer.
  constexpr float kRound = 0x1.8p23f;
  const Values shifted = x * 1.44269504f + kRound;
  const Values n = shifted - kRound;
  const Values r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Values tail = r * 1.9875691500e-4f + 1.3981999507e-3f;
  tail = tail * r + 8.3334519073e-3f;
  tail = tail * r + 4.1665795894e-2f;
  tail = tail * r + 1.6666665459e-1f;
  tail = tail * r + 5.0000001201e-1f;
  const Values power = tail * r * r + r + 1.0f;
  // The shift leaves n alone of the bits and moves it to where the exponent is.
  Vector<uint32_t, kCount> bits;
  BitCast(shifted, &bits);
  bits = (bits << 23) + 0x3f800000;
  Values scale, infinite;
  BitCast(bits, &scale);
  Spread<kCount>(std::numeric_limits<float>::infinity(), &infinite);
  const Values result = x < -87.0f ? Values{} : power * scale;
  *y = x > 88.0f ? infinite : result;
}

}  // namespace keras_lap::cpu
