// Functions compiled once for every generation of x86-64 vectors; the loader picks.
#pragma once

// `flatten` inlines what such a function calls: only then is it cloned with it.
#ifndef KERAS_LAP_CLONES
#if defined(__x86_64__) && defined(__ELF__) && defined(__GNUC__) && \
    !defined(__clang__) && __GNUC__ >= 12
#define KERAS_LAP_CLONES \
  __attribute__((flatten, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERAS_LAP_CLONES __attribute__((flatten))
#endif
#endif
