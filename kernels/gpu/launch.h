// Launches the ahead-of-time compiled GPU kernels through the CUDA driver, which is
// loaded when first needed: neither CUDA's headers nor its libraries are built against.
#pragma once

#include <cstdint>
#include <string>

#include "../arguments.h"
#include "../pooling.h"

namespace keras_lap::gpu {

enum class DataType : int32_t { kFloat32 = 0, kFloat16 = 1, kBFloat16 = 2 };

// All pointers are device pointers, aligned to 16 bytes at least; `stream` is a
// CUstream. A CUDA context must be current. The work is enqueued, not waited for. An
// empty string means success, any other is an error in plain words.

// Writes all of y.
std::string Forward(const Pooling& pooling, DataType dtype,
                    const ForwardArguments& arguments, void* stream);

// Bytes of device memory that `Backward` needs besides its results; may be 0.
int64_t BackwardScratchBytes(const Pooling& pooling, DataType dtype);

// Writes all of dx, dscores, dalpha and dgate. `scratch` need not be cleared.
std::string Backward(const Pooling& pooling, DataType dtype,
                     const BackwardArguments& arguments, void* scratch, void* stream);

// Makes the context that a stream belongs to current, and the former one again at the
// end, for callers that hand over a stream alone.
class ScopedContext {
 public:
  explicit ScopedContext(void* stream);
  ~ScopedContext();
  ScopedContext(const ScopedContext&) = delete;
  ScopedContext& operator=(const ScopedContext&) = delete;

  // Empty if the context is current now.
  const std::string& error() const { return error_; }

 private:
  std::string error_;
};

}  // namespace keras_lap::gpu
