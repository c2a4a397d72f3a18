// One whole pass on the CPU, over the threads that the caller brings. Passes return
// whether there was memory enough.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>

#include "kernels/arguments.h"
#include "kernels/cpu/la_pool_cpu.h"

namespace keras_lap::host {

using Work = std::function<void(int64_t begin, int64_t end)>;

// Covers [0, units) by ranges, calls `work` on each, on any threads, and waits. `cost`
// is that of one unit in CPU cycles.
using ParallelFor = std::function<void(int64_t units, int64_t cost, const Work& work)>;

inline bool HasNoWindow(const Pooling& pooling) {
  return pooling.batch == 0 || pooling.out_height == 0 || pooling.out_width == 0;
}

constexpr char kOutOfMemory[] =
    "Expected memory for the weights of a row of windows, of which there is not "
    "enough. Use smaller windows or fewer score maps.";

// An exception must not leave a thread of the pool.
inline bool Cover(const ParallelFor& parallel_for, int64_t units, int64_t cost,
                  const Work& work) {
  std::atomic<bool> enough{true};
  parallel_for(units, cost, [&](int64_t begin, int64_t end) {
    try {
      work(begin, end);
    } catch (const std::bad_alloc&) {
      enough = false;
    }
  });
  return enough;
}

template <class T>
bool Forward(const Pooling& pooling, const ForwardArguments& arguments,
             const ParallelFor& parallel_for) {
  using U = cpu::ComputeType<T>;
  if (HasNoWindow(pooling)) return true;
  return Cover(parallel_for, cpu::ForwardUnits(pooling), cpu::ForwardUnitCost(pooling),
               [&](int64_t begin, int64_t end) {
                 cpu::Forward(pooling, static_cast<const T*>(arguments.x),
                              static_cast<const U*>(arguments.scores),
                              static_cast<const U*>(arguments.alpha),
                              static_cast<const U*>(arguments.gate),
                              static_cast<T*>(arguments.y), begin, end);
               });
}

template <class T>
bool Backward(const Pooling& pooling, const BackwardArguments& arguments,
              const ParallelFor& parallel_for) {
  using U = cpu::ComputeType<T>;
  if (HasNoWindow(pooling)) {
    // Then there is no pixel either.
    std::fill_n(static_cast<U*>(arguments.dalpha),
                pooling.alpha_per_group ? pooling.groups : 1, U{0});
    *static_cast<U*>(arguments.dgate) = 0;
    return true;
  }
  const std::unique_ptr<double[]> partials(
      new (std::nothrow) double[cpu::PartialsSize(pooling)]);
  const bool enough =
      partials &&
      Cover(parallel_for, cpu::BackwardUnits(pooling), cpu::BackwardUnitCost(pooling),
            [&](int64_t begin, int64_t end) {
              cpu::Backward(
                  pooling, static_cast<const T*>(arguments.x),
                  static_cast<const U*>(arguments.scores),
                  static_cast<const U*>(arguments.alpha),
                  static_cast<const U*>(arguments.gate),
                  static_cast<const T*>(arguments.dy), static_cast<T*>(arguments.dx),
                  static_cast<U*>(arguments.dscores), partials.get(), begin, end);
            });
  if (!enough) return false;
  cpu::SumPartials<T>(pooling, partials.get(), static_cast<U*>(arguments.dalpha),
                      static_cast<U*>(arguments.dgate));
  return true;
}

}  // namespace keras_lap::host
