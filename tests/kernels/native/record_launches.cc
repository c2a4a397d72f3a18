// Calls the GPU launcher as standard input says, one call per line:
//   forward|backward dtype, then the fields of Pooling in their order
// and prints the error of each call, or "ok" and the bytes of scratch memory. Device
// pointers are made up: the n-th argument lies at n * 2^40.
#include <cstdint>
#include <iostream>
#include <string>

#include "../../../kernels/gpu/launch.h"

namespace {

using keras_lap::Pooling;

void* Address(uintptr_t n) { return reinterpret_cast<void*>(n << 40); }

Pooling ReadPooling() {
  Pooling p;
  int32_t weighting, base;
  std::cin >> p.batch >> p.height >> p.width >> p.channels >> p.groups >>
      p.window_height >> p.window_width >> p.stride_height >> p.stride_width >>
      p.pad_top >> p.pad_left >> p.out_height >> p.out_width >> weighting >> base >>
      p.gated >> p.base_sees_padding >> p.alpha_per_group;
  p.weighting = static_cast<keras_lap::Weighting>(weighting);
  p.base = static_cast<keras_lap::Base>(base);
  return p;
}

std::string Call(const std::string& direction, keras_lap::gpu::DataType dtype,
                 const Pooling& p, int64_t* scratch) {
  void* const stream = Address(64);
  const keras_lap::gpu::ScopedContext context(stream);
  if (!context.error().empty()) return context.error();
  if (direction == "forward") {
    return keras_lap::gpu::Forward(p, dtype, Address(1), Address(2), Address(3),
                                   Address(4), Address(6), stream);
  }
  *scratch = keras_lap::gpu::BackwardScratchBytes(p, dtype);
  return keras_lap::gpu::Backward(p, dtype, Address(1), Address(2), Address(3),
                                  Address(4), Address(5), Address(7), Address(8),
                                  Address(9), Address(10), Address(11), stream);
}

}  // namespace

int main() {
  std::string direction;
  int32_t dtype;
  while (std::cin >> direction >> dtype) {
    const Pooling pooling = ReadPooling();
    int64_t scratch = 0;
    const std::string error = Call(
        direction, static_cast<keras_lap::gpu::DataType>(dtype), pooling, &scratch);
    std::cout << (error.empty() ? "ok " + std::to_string(scratch) : error) << std::endl;
  }
}
