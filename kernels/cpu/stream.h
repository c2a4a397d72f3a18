// Traffic with memory beyond what loads and stores of results need.
#pragma once

#include <cstdint>

namespace keras_lap::cpu {

constexpr int64_t kCacheLine = 64;

// Whether a tensor is too large to be found in the caches once all of it was touched.
constexpr bool OutgrowsCaches(int64_t bytes) { return bytes >= int64_t{16} << 20; }

// Copies whole cache lines, to where a line begins, past the caches.
void StreamLines(const void* from, void* to, int64_t bytes);

// Makes streamed lines visible to other threads before anything stored later.
void FinishStreaming();

// Memory that will be read some time after the pixels of a run: lines of several rows
// with each of them. Any address will do.
struct Ahead {
  void Prefetch(int64_t pixel) const {
    for (int64_t r = 0; r < rows; ++r) {
      const uintptr_t first = begin + pixel * step + r * row_step;
      for (int64_t i = 0; i < bytes; i += kCacheLine) {
        __builtin_prefetch(reinterpret_cast<const void*>(first + i), 0, 2);
      }
    }
  }

  uintptr_t begin = 0;
  int64_t step = 0;  // from pixel to pixel
  int64_t rows = 0, row_step = 0, bytes = 0;
};

}  // namespace keras_lap::cpu
