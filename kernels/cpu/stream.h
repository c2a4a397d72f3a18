// Traffic with memory beyond what loads and stores of results need.
#pragma once

#include <cstdint>

namespace keras_lap::cpu {

constexpr int64_t kCacheLine = 64;

// Copies whole cache lines, to where a line begins, past the caches.
void StreamLines(const void* from, void* to, int64_t bytes);

// Makes streamed lines visible to other threads before anything stored later.
void FinishStreaming();

// Asks for memory that will be read soon; any address will do.
inline void Prefetch(uintptr_t address, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += kCacheLine) {
    __builtin_prefetch(reinterpret_cast<const void*>(address + i));
  }
}

}  // namespace keras_lap::cpu
