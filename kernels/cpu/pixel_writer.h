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
        all_channels_(all_channels),
        streaming_(OutgrowsCaches(pixels * all_channels * Size()) &&
                   all_channels * Size() % kCacheLine == 0 &&
                   channels * Size() % kCacheLine == 0 &&
                   reinterpret_cast<uintptr_t>(tensor) % kCacheLine == 0) {}
  ~PixelWriter() {
    if (streaming_) FinishStreaming();
  }

  // Where to put what `Write` shall bring to `target`, and how far apart its pixels.
  T* Place(T* target) const { return streaming_ ? stage_.get() : target; }
  int64_t step(int64_t channels) const { return streaming_ ? channels : all_channels_; }

  void Write(T* target, int64_t pixels, int64_t channels) const {
    if (!streaming_) return;
    if (channels == all_channels_) {
      StreamLines(stage_.get(), target, pixels * channels * Size());
      return;
    }
    for (int64_t i = 0; i < pixels; ++i) {
      StreamLines(stage_.get() + i * channels, target + i * all_channels_,
                  channels * Size());
    }
  }

 private:
  static constexpr int64_t Size() { return sizeof(T); }

  Buffer<T> stage_;
  int64_t all_channels_;
  bool streaming_;
};

}  // namespace keras_lap::cpu
