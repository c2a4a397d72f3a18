// Runs the CPU core on random problems in buffers of exactly the right size, for the
// sanitizers to watch, and checks that cutting the work into ranges changes no bit.
//
// usage: fuzz_cpu_core PROBLEMS [SEED]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <type_traits>
#include <vector>

#include "../../../kernels/cpu/la_pool_cpu.h"

using keras_lap::Base;
using keras_lap::Pooling;
using keras_lap::Weighting;
using keras_lap::cpu::BackwardUnits;
using keras_lap::cpu::BFloat16;
using keras_lap::cpu::ComputeType;
using keras_lap::cpu::ForwardUnits;
using keras_lap::cpu::Half;
using keras_lap::cpu::PartialsSize;

namespace {

std::mt19937 generator;

int64_t Between(int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(generator);
}

// One axis whose windows all hold a pixel.
struct RandomAxis {
  RandomAxis() {
    size = Between(1, 12);
    if (Between(0, 5) == 0) {
      window = stride = size;
    } else {
      window = Between(1, 5);
      stride = Between(1, 6);
      pad = Between(0, window - 1);
      const int64_t after = Between(0, window - 1);
      size = std::max(size, window - pad - after);
      windows = (pad + size + after - window) / stride + 1;
    }
  }

  int64_t size, window, stride, pad = 0, windows = 1;
};

Pooling RandomPooling() {
  const RandomAxis rows, columns;
  Pooling p{};
  p.batch = Between(0, 3);
  p.groups = Between(0, 1) == 0 ? 1 : Between(1, 20);
  p.channels = p.groups * (Between(0, 2) == 0 ? 1 : Between(1, 40));
  p.height = rows.size;
  p.width = columns.size;
  p.window_height = rows.window;
  p.window_width = columns.window;
  p.stride_height = rows.stride;
  p.stride_width = columns.stride;
  p.pad_top = rows.pad;
  p.pad_left = columns.pad;
  p.out_height = rows.windows;
  p.out_width = columns.windows;
  p.weighting = static_cast<Weighting>(Between(0, 1));
  p.base = static_cast<Base>(Between(0, 3));
  p.gated = Between(0, 1) == 1;
  p.base_sees_padding = Between(0, 1) == 1;
  p.alpha_per_group = Between(0, 1) == 1;
  return p;
}

// Floats become any number, now and then an extreme one; halves any bits at all.
template <class T>
std::vector<T> Random(int64_t size) {
  std::vector<T> values(size);
  for (T& value : values) {
    if constexpr (std::is_floating_point_v<T>) {
      value = std::normal_distribution<T>()(generator);
      if (Between(0, 30) == 0) value *= static_cast<T>(1e30);
    } else {
      value.bits = static_cast<uint16_t>(Between(0, 0xffff));
    }
  }
  return values;
}

// Calls `pass(begin, end)` on ranges that cover [0, units).
template <class Pass>
void Cut(int64_t units, bool whole, Pass pass) {
  for (int64_t begin = 0; begin < units;) {
    const int64_t end = whole ? units : Between(begin + 1, units);
    pass(begin, end);
    begin = end;
  }
}

template <class T>
struct Problem {
  using U = ComputeType<T>;

  explicit Problem(const Pooling& pooling) : pooling(pooling) {
    const int64_t pixels = pooling.batch * pooling.height * pooling.width;
    const int64_t windows = pooling.batch * pooling.out_height * pooling.out_width;
    x = Random<T>(pixels * pooling.channels);
    dy = Random<T>(windows * pooling.channels);
    scores = Random<U>(pixels * pooling.groups);
    alpha = Random<U>(pooling.alpha_per_group ? pooling.groups : 1);
    for (U& a : alpha) a = a < 0 ? -a : a;
  }

  struct Results {
    std::vector<T> y, dx;
    std::vector<U> dscores, dalpha;
    U dgate;
  };

  Results Run(bool whole) const {
    Results r{std::vector<T>(dy.size()), std::vector<T>(x.size()),
              std::vector<U>(scores.size()), std::vector<U>(alpha.size()), U{}};
    std::vector<double> partials(PartialsSize(pooling));
    const U gate = U{0.25};
    const U* gate_or_null = pooling.base == Base::kNone ? nullptr : &gate;
    Cut(ForwardUnits(pooling), whole, [&](int64_t begin, int64_t end) {
      keras_lap::cpu::Forward<T>(pooling, x.data(), scores.data(), alpha.data(),
                                 gate_or_null, r.y.data(), begin, end);
    });
    Cut(BackwardUnits(pooling), whole, [&](int64_t begin, int64_t end) {
      keras_lap::cpu::Backward<T>(pooling, x.data(), scores.data(), alpha.data(),
                                  gate_or_null, dy.data(), r.dx.data(),
                                  r.dscores.data(), partials.data(), begin, end);
    });
    keras_lap::cpu::SumPartials<T>(pooling, partials.data(), r.dalpha.data(), &r.dgate);
    return r;
  }

  Pooling pooling;
  std::vector<T> x, dy;
  std::vector<U> scores, alpha;
};

template <class V>
bool SameBits(const std::vector<V>& a, const std::vector<V>& b) {
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(V)) == 0;
}

template <class T>
bool Passes() {
  const Problem<T> problem(RandomPooling());
  const auto whole = problem.Run(true), cut = problem.Run(false);
  return SameBits(whole.y, cut.y) && SameBits(whole.dx, cut.dx) &&
         SameBits(whole.dscores, cut.dscores) && SameBits(whole.dalpha, cut.dalpha) &&
         std::memcmp(&whole.dgate, &cut.dgate, sizeof(cut.dgate)) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int problems = argc > 1 ? std::atoi(argv[1]) : 1000;
  generator.seed(argc > 2 ? std::atoi(argv[2]) : 0);
  for (int i = 0; i < problems; ++i) {
    const bool passes[] = {Passes<float>(), Passes<double>(), Passes<Half>(),
                           Passes<BFloat16>()};
    if (!std::all_of(std::begin(passes), std::end(passes), [](bool b) { return b; })) {
      std::printf("problem %d: ranges change the result\n", i);
      return 1;
    }
  }
  std::printf("%d problems of each type\n", problems);
}
