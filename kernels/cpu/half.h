// Loads and stores that convert between the storage type and the compute type.
// Branch-free on integers, so that loops over them vectorise on any machine.
#pragma once

#include <cstdint>
#include <cstring>

#include "la_pool_cpu.h"

namespace keras_lap::cpu {

template <class To, class From>
inline To BitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

inline float ToCompute(float value) { return value; }
inline double ToCompute(double value) { return value; }

inline float ToCompute(BFloat16 value) {
  return BitCast<float>(uint32_t{value.bits} << 16);
}

// Subnormal halves go through an integer conversion, not through subnormal floats,
// which threads of a training framework often flush to zero.
inline float ToCompute(Half value) {
  const uint32_t bits = value.bits;
  const uint32_t magnitude = bits & 0x7fff;
  const uint32_t normal = (magnitude << 13) + (112u << 23);
  const uint32_t special = (magnitude << 13) | 0x7f800000u;
  const float subnormal =
      static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f;
  uint32_t result = magnitude < 0x400 ? BitCast<uint32_t>(subnormal) : normal;
  result = magnitude >= 0x7c00 ? special : result;
  return BitCast<float>(result | (bits & 0x8000) << 16);
}

template <class T>
inline T ToStorage(ComputeType<T> value) {
  return value;
}

template <>
inline BFloat16 ToStorage<BFloat16>(float value) {
  const uint32_t bits = BitCast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const uint32_t nan = bits >> 16 | 0x40;
  return {static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded)};
}

template <>
inline Half ToStorage<Half>(float value) {
  const uint32_t bits = BitCast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffff;
  // Rounds to nearest even at the last place that a half of this size keeps.
  const uint32_t normal =
      (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  const uint32_t subnormal =
      BitCast<uint32_t>(BitCast<float>(magnitude) + 0.5f) - 0x3f000000;
  uint32_t result = magnitude < 113u << 23 ? subnormal : normal;
  result = magnitude >= 143u << 23 ? 0x7c00 : result;
  result = magnitude > 0x7f800000 ? 0x7e00 : result;
  return {static_cast<uint16_t>(result | (bits >> 16 & 0x8000))};
}

}  // namespace keras_lap::cpu
