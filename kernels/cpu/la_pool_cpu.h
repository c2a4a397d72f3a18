// Local attention pooling on the CPU: forward and backward passes over ranges of
// independent units of work. Free of TensorFlow.
//
//   Forward<T>   any partition of [0, ForwardUnits(p)) into ranges fills y.
//   Backward<T>  any partition of [0, BackwardUnits(p)) into ranges fills dx, dscores
//                and `partials`, from which SumPartials<T> makes dalpha and dgate.
//
// Ranges may run in any order and at once; every partition gives bitwise the same
// results. Where windows overlap, few long ranges cost least. Outputs need not be
// cleared and must not overlap inputs. Pointers need the alignment of their type only.
#pragma once

#include <cstdint>

#include "../pooling.h"

namespace keras_lap::cpu {

// Storage formats, bit compatible with everybody else's types of these names.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

template <class T>
struct ComputeTypeOf {
  using type = float;
};
template <>
struct ComputeTypeOf<double> {
  using type = double;
};
// What scores, alpha and gate are given in and what everything is computed in.
template <class T>
using ComputeType = typename ComputeTypeOf<T>::type;

int64_t ForwardUnits(const Pooling& pooling);
int64_t BackwardUnits(const Pooling& pooling);

// Rough cost of one unit in CPU cycles.
int64_t ForwardUnitCost(const Pooling& pooling);
int64_t BackwardUnitCost(const Pooling& pooling);

// Number of doubles in the `partials` of the backward pass.
int64_t PartialsSize(const Pooling& pooling);

// `gate` is read only if there is a base.
template <class T>
void Forward(const Pooling& pooling, const T* x, const ComputeType<T>* scores,
             const ComputeType<T>* alpha, const ComputeType<T>* gate, T* y,
             int64_t begin, int64_t end);

template <class T>
void Backward(const Pooling& pooling, const T* x, const ComputeType<T>* scores,
              const ComputeType<T>* alpha, const ComputeType<T>* gate, const T* dy,
              T* dx, ComputeType<T>* dscores, double* partials, int64_t begin,
              int64_t end);

// Writes dalpha (shaped like alpha) and dgate (zero without a base).
template <class T>
void SumPartials(const Pooling& pooling, const double* partials, ComputeType<T>* dalpha,
                 ComputeType<T>* dgate);

}  // namespace keras_lap::cpu
