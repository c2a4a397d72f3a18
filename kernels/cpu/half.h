// Conversions between storage and compute type, for vectors of bits and of floats.
// Branch-free on integers: fast on any machine, and no subnormal float is met, which
// threads of a training framework often flush to zero.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "la_pool_cpu.h"

namespace keras_lap::cpu {

template <class To, class From>
inline void BitCast(const From& from, To* to) {
  static_assert(sizeof(To) == sizeof(From));
  std::memcpy(to, &from, sizeof(from));
}

template <class T, class Bits, class Floats>
inline void Widen(const Bits& bits, Floats* to) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    const Bits result = bits << 16;
    BitCast(result, to);
  } else {
    const Bits magnitude = bits & 0x7fff;
    const Bits normal = (magnitude << 13) + (112u << 23);
    const Bits special = (magnitude << 13) | 0x7f800000u;
    const Floats subnormal = __builtin_convertvector(magnitude, Floats) * 0x1p-24f;
    Bits result;
    BitCast(subnormal, &result);
    result = magnitude < 0x400 ? result : normal;
    result = magnitude >= 0x7c00 ? special : result;
    result |= (bits & 0x8000) << 16;
    BitCast(result, to);
  }
}

template <class T, class Bits, class Floats>
inline void Narrow(const Floats& values, Bits* to) {
  Bits bits;
  BitCast(values, &bits);
  if constexpr (std::is_same_v<T, BFloat16>) {
    const Bits rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const Bits nan = bits >> 16 | 0x40;
    *to = (bits & 0x7fffffff) > 0x7f800000 ? nan : rounded;
  } else {
    const Bits magnitude = bits & 0x7fffffff;
    // Rounds to nearest even at the last place that a half of this size keeps.
    const Bits normal =
        (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    Floats shifted;
    BitCast(magnitude, &shifted);
    shifted += 0.5f;
    Bits subnormal;
    BitCast(shifted, &subnormal);
    subnormal -= 0x3f000000;
    Bits result = magnitude < (113u << 23) ? subnormal : normal;
    result = magnitude >= (143u << 23) ? Bits{} + 0x7c00 : result;
    result = magnitude > 0x7f800000 ? Bits{} + 0x7e00 : result;
    *to = result | (bits >> 16 & 0x8000);
  }
}

}  // namespace keras_lap::cpu
