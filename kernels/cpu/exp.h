// The exponential that weights are made of.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace keras_lap::cpu {

inline double Exp(double x) { return std::exp(x); }

// Within 2 ulp, exactly 1 at 0, NaN for NaN. Branch-free, so that loops over it
// vectorise. Results below about 1e-38 are 0, those above about 1e38 infinite.
inline float Exp(float x) {
  // x = n log(2) + r with |r| <= log(2) / 2; adding 1.5 * 2^23 rounds to an integer.
  constexpr float kRound = 0x1.8p23f;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float tail = 1.9875691500e-4f;
  tail = tail * r + 1.3981999507e-3f;
  tail = tail * r + 8.3334519073e-3f;
  tail = tail * r + 4.1665795894e-2f;
  tail = tail * r + 1.6666665459e-1f;
  tail = tail * r + 5.0000001201e-1f;
  const float power = tail * r * r + r + 1.0f;
  // The shift leaves n alone of the bits and moves it to where the exponent is.
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits << 23) + 0x3f800000;
  float scale;
  std::memcpy(&scale, &bits, sizeof(scale));
  float result = power * scale;
  result = x < -87.0f ? 0.0f : result;
  return x > 88.0f ? std::numeric_limits<float>::infinity() : result;
}

}  // namespace keras_lap::cpu
