// Weighted sums of taps, written pixel after pixel. Small sums are made several at
// once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "buffer.h"
#include "channels.h"
#include "pixel_writer.h"
#include "tap_reader.h"
#include "window_taps.h"

namespace keras_lap::cpu {

template <class T>
class PixelSums {
  using U = ComputeType<T>;

 public:
  // For a tensor of `pixels` pixels that is written in blocks of up to `channels`
  // channels, each pixel a sum of up to `taps` taps.
  PixelSums(const T* tensor, int64_t pixels, int64_t all_channels, int64_t channels,
            int64_t taps, Extra extra, U rest)
      : extra_(extra),
        rest_(rest),
        capacity_(Capacity(all_channels, channels, taps)),
        taps_(capacity_ * taps),
        reader_(channels),
        writer_(tensor, pixels, all_channels, channels, capacity_) {}

  void SetBlock(int64_t groups, int64_t channels) {
    groups_ = groups;
    channels_ = channels;
  }

  // Where to list the taps of the next pixel.
  Tap<T>* next_taps() { return taps_.get() + used_; }

  // Sums up the taps just listed. Targets follow each other in memory until `Finish`.
  void Add(int64_t count, T* target) {
    if (pixels_ == 0) target_ = target;
    counts_[pixels_++] = count;
    used_ += count;
    if (pixels_ == capacity_) Finish();
  }

  void Finish() {
    if (pixels_ == 0) return;
    T* out = writer_.Place(target_);
    const int64_t width = channels_ / groups_;
    if (width == 1) {
      SumUp(true, channels_, out);
    } else {
      for (int64_t g = 0; g < groups_; ++g) {
        SumUp(false, width, out + g * width);
        NextGroup(taps_.get(), used_, width);
      }
    }
    writer_.Write(target_, pixels_ * channels_);
    pixels_ = used_ = 0;
  }

 private:
  static constexpr int64_t kMostAtOnce = 16, kBytesAtOnce = 4096;

  static int64_t Capacity(int64_t all_channels, int64_t channels, int64_t taps) {
    if (!std::is_same_v<T, U> || channels != all_channels || taps > kTapsAtOnce)
      return 1;
    const int64_t bytes = channels * sizeof(U);
    return std::clamp<int64_t>(kBytesAtOnce / bytes, 1, kMostAtOnce);
  }

  void SumUp(bool per_channel, int64_t channels, T* out) {
    const Sum kind{per_channel, extra_};
    if constexpr (std::is_same_v<T, U>) {
      if (capacity_ > 1) {
        SumPixels(kind, taps_.get(), counts_, pixels_, channels, rest_, out, channels_);
        return;
      }
    }
    reader_.SumAll(kind, taps_.get(), used_, channels, rest_, out);
  }

  Extra extra_;
  U rest_;
  int64_t capacity_;
  Buffer<Tap<T>> taps_;
  TapReader<T> reader_;
  PixelWriter<T> writer_;
  int64_t groups_ = 1, channels_ = 1;
  int64_t counts_[kMostAtOnce];
  int64_t pixels_ = 0, used_ = 0;
  T* target_ = nullptr;
};

}  // namespace keras_lap::cpu
