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
  keras_lap::PoolingIntegers fields;
  for (int64_t& field : fields) std::cin >> field;
  return keras_lap::FromIntegers(fields);
}

std::string Call(const std::string& direction, keras_lap::gpu::DataType dtype,
                 const Pooling& p, int64_t* scratch) {
  void* const stream = Address(64);
  const keras_lap::gpu::ScopedContext context(stream);
  if (!context.error().empty()) return context.error();
  if (direction == "forward") {
    const keras_lap::ForwardArguments arguments = {Address(1), Address(2), Address(3),
                                                   Address(4), Address(6)};
    return keras_lap::gpu::Forward(p, dtype, arguments, stream);
  }
  *scratch = keras_lap::gpu::BackwardScratchBytes(p, dtype);
  const keras_lap::BackwardArguments arguments = {Address(1), Address(2), Address(3),
                                                  Address(4), Address(5), Address(7),
                                                  Address(8), Address(9), Address(10)};
  return keras_lap::gpu::Backward(p, dtype, arguments, Address(11), stream);
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
