// Weighted sums of taps, written row after row of pixels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "buffer.h"
#include "channels.h"
#include "lanes.h"
#include "pixel_writer.h"
#include "window_taps.h"

namespace keras_lap::cpu {

// A row of pixels. Those inside `inner` have taps like the pixel `period` before, moved
// on by constant steps.
struct PixelRow {
  Range all, inner;
  int64_t period;
};

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
        all_channels_(all_channels),
        at_once_(std::max<int64_t>(1, kBytesAtOnce / (channels * sizeof(T)))),
        taps_(taps),
        part_(taps > kTermsAtOnce ? 3 * at_once_ * channels : 0),
        sums_(taps > kTermsAtOnce ? at_once_ * channels : 0),
        writer_(tensor, pixels, all_channels, channels, at_once_) {}

  void SetBlock(int64_t groups, int64_t channels) {
    groups_ = groups;
    channels_ = channels;
  }

  // Fills a row.
  //   steps   of the taps' arrays, from one pixel to that one period later
  //   list    list(x, taps) lists the taps of pixel x and returns their number
  //   ahead   ahead(x) is what to ask for from pixel x on, period by period
  //   target  first channel of pixel 0
  template <class List, class AheadOf>
  void Fill(const PixelRow& row, const Run& steps, List list, AheadOf ahead,
            T* target) {
    const int64_t most = std::max(int64_t{1}, at_once_ / row.period * row.period);
    const int64_t step = writer_.step(channels_);
    for (int64_t x = row.all.begin, pixels; x < row.all.end; x += pixels) {
      pixels = row.inner.contains(x) ? std::min(row.inner.end - x, most) : 1;
      T* const to = target + x * all_channels_;
      T* const out = writer_.Place(to);
      for (int64_t phase = 0; phase < std::min(pixels, row.period); ++phase) {
        Run run = steps;
        run.pixels = (pixels - phase - 1) / row.period + 1;
        run.out = row.period * step;
        const int64_t count = list(x + phase, taps_.get());
        SumUp(count, run, phase == 0 ? ahead(x) : Ahead{}, out + phase * step);
      }
      writer_.Write(to, pixels, channels_);
    }
  }

 private:
  static constexpr int64_t kBytesAtOnce = 16384;

  void SumUp(int64_t count, const Run& run, Ahead ahead, T* out) {
    const int64_t width = channels_ / groups_;
    if (width == 1) {
      SumTaps({true, extra_}, count, run, channels_, ahead, out);
      return;
    }
    for (int64_t g = 0; g < groups_; ++g, out += width, ahead = {}) {
      SumTaps({false, extra_}, count, run, width, ahead, out);
      NextGroup(taps_.get(), count, width);
    }
  }

  void SumTaps(Sum kind, int64_t count, const Run& run, int64_t channels, Ahead ahead,
               T* out) {
    const Tap<T>* taps = taps_.get();
    if (count <= kTermsAtOnce) {
      SumPixels(kind, taps, count, run, channels, rest_, ahead, out);
      return;
    }
    const int64_t size = run.pixels * channels;
    const Part<U> part{part_.get(), part_.get() + size};
    U* const largest = extra_ == Extra::kLargest ? part.largest + size : nullptr;
    std::fill_n(sums_.get(), size, 0.0);
    if (largest != nullptr) {
      std::fill_n(largest, size, -std::numeric_limits<U>::infinity());
    }
    for (int64_t t = 0; t < count; t += kTermsAtOnce, ahead = {}) {
      SumPart(kind, taps + t, std::min(count - t, kTermsAtOnce), run, channels, rest_,
              ahead, part);
      AddPart(part, size, sums_.get(), largest);
    }
    StoreSums(sums_.get(), largest, run, channels, rest_, out);
  }

  Extra extra_;
  U rest_;
  int64_t all_channels_, at_once_;
  Buffer<Tap<T>> taps_;
  Buffer<U> part_;
  Buffer<double> sums_;
  PixelWriter<T> writer_;
  int64_t groups_ = 1, channels_ = 1;
};

}  // namespace keras_lap::cpu
