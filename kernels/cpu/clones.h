// Functions compiled once for every generation of x86-64 vectors; the loader picks.
#pragma once

// `flatten` inlines what such a function calls: only then is it cloned with it.
#ifndef KERAS_LAP_CLONES
#if defined(__x86_64__) && defined(__ELF__) && defined(__GNUC__) && \
    !defined(__clang__) && __GNUC__ >= 12
#define KERAS_LAP_CLONES \
  __attribute__((flatten, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define KERAS_LAP_CLONES_FOR_AVX512
#else
#define KERAS_LAP_CLONES __attribute__((flatten))
#endif
#endif

namespace keras_lap::cpu {

// Whether the clone that runs here has registers of 64 bytes. Where it has not, GCC
// keeps vectors of that length in memory.
inline bool HasLongRegisters() {
#ifdef KERAS_LAP_CLONES_FOR_AVX512
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

}  // namespace keras_lap::cpu
