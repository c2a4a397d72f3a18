// Scratch memory: aligned to cache lines, not initialised, freed with its owner.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include "stream.h"

namespace keras_lap::cpu {

template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t size)
      : data_(static_cast<T*>(
            ::operator new(size * sizeof(T), std::align_val_t{kCacheLine}))) {}

  T* get() const { return data_.get(); }

 private:
  struct Delete {
    void operator()(T* data) const {
      ::operator delete(data, std::align_val_t{kCacheLine});
    }
  };
  std::unique_ptr<T, Delete> data_;
};

}  // namespace keras_lap::cpu
