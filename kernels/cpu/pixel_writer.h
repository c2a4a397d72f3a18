// Where results are written: straight to the tensor, or past the caches if the tensor
// is too large to stay in them.
#pragma once

#include <cstdint>

#include "buffer.h"
#include "stream.h"

namespace keras_lap::cpu {

template <class T>
class PixelWriter {
 public:
  // For a tensor of `pixels` pixels that is written in blocks of `channels` channels,
  // up to `at_once` pixels at once.
  PixelWriter(const T* tensor, int64_t pixels, int64_t all_channels, int64_t channels,
              int64_t at_once)
      : stage_(channels * at_once),
        streaming_(pixels * all_channels * Size() >= kStreamedBytes &&
                   all_channels * Size() % kCacheLine == 0 &&
                   channels * Size() % kCacheLine == 0 &&
                   reinterpret_cast<uintptr_t>(tensor) % kCacheLine == 0) {}
  ~PixelWriter() {
    if (streaming_) FinishStreaming();
  }

  // Where to put what `Write` shall bring to `target`.
  T* Place(T* target) const { return streaming_ ? stage_.get() : target; }
  void Write(T* target, int64_t count) const {
    if (streaming_) StreamLines(stage_.get(), target, count * Size());
  }

 private:
  static constexpr int64_t kStreamedBytes = int64_t{16} << 20;
  static constexpr int64_t Size() { return sizeof(T); }

  Buffer<T> stage_;
  bool streaming_;
};

}  // namespace keras_lap::cpu
