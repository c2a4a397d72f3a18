// Short vectors of values in the compute type, read from and written to any storage.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "half.h"
#include "la_pool_cpu.h"

namespace keras_lap::cpu {

template <class V, int kCount>
struct VectorOf {
  typedef V Type __attribute__((vector_size(kCount * sizeof(V))));
};
// Compilers do poorly on vectors of one.
template <class V>
struct VectorOf<V, 1> {
  using Type = V;
};
template <class V, int kCount>
using Vector = typename VectorOf<V, kCount>::Type;

template <class T>
using IfComputed = std::enable_if_t<std::is_arithmetic_v<T>, int>;
template <class T>
using IfConverted = std::enable_if_t<!std::is_arithmetic_v<T>, int>;

template <int kCount, class V, IfComputed<V> = 0>
inline void Load(const V* from, Vector<V, kCount>* to) {
  std::memcpy(to, from, sizeof(*to));
}

template <int kCount, class T, IfConverted<T> = 0>
inline void Load(const T* from, Vector<float, kCount>* to) {
  if constexpr (kCount == 1) {
    const T some[2] = {*from};
    Vector<float, 2> values;
    Load<2>(some, &values);
    *to = values[0];
  } else {
    Vector<uint16_t, kCount> bits;
    std::memcpy(&bits, from, sizeof(bits));
    Widen<T>(__builtin_convertvector(bits, Vector<uint32_t, kCount>), to);
  }
}

template <int kCount, class V, IfComputed<V> = 0>
inline void Store(const Vector<V, kCount>& from, V* to) {
  std::memcpy(to, &from, sizeof(from));
}

template <int kCount, class T, IfConverted<T> = 0>
inline void Store(const Vector<float, kCount>& from, T* to) {
  if constexpr (kCount == 1) {
    T some[2];
    Store<2>(Vector<float, 2>{from}, some);
    *to = some[0];
  } else {
    Vector<uint32_t, kCount> wide;
    Narrow<T>(from, &wide);
    const auto bits = __builtin_convertvector(wide, Vector<uint16_t, kCount>);
    std::memcpy(to, &bits, sizeof(bits));
  }
}

// Every value of a vector. Written as `value + Vector{}`, GCC 12 fills in one by one.
template <int kCount, class V>
inline void Spread(V value, Vector<V, kCount>* to) {
  V copies[kCount];
  for (V& copy : copies) copy = value;
  std::memcpy(to, copies, sizeof(*to));
}

// How many terms are added up one by one: the error of a sum grows with their number.
// Those of more are sums of parts.
constexpr int64_t kTermsAtOnce = 64;

// Adds the upper half of a vector to the lower until one value is left.
template <int kCount, class V>
inline V Fold(const Vector<V, kCount>& values) {
  if constexpr (kCount == 1) {
    return values;
  } else {
    Vector<V, kCount / 2> halves[2];
    std::memcpy(halves, &values, sizeof(values));
    halves[0] += halves[1];
    return Fold<kCount / 2, V>(halves[0]);
  }
}

}  // namespace keras_lap::cpu
