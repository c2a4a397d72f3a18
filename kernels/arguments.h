// Tensors of one forward or backward pass, on whatever device; shapes and types are
// those named in pooling.h.
#pragma once

namespace keras_lap {

struct ForwardArguments {
  const void *x, *scores, *alpha, *gate;
  void* y;
};

struct BackwardArguments {
  const void *x, *scores, *alpha, *gate, *dy;
  void *dx, *dscores, *dalpha, *dgate;
};

}  // namespace keras_lap
