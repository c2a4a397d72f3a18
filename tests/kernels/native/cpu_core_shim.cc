// The CPU core behind plain C functions, one for each pass, for ctypes.
#include "../../../kernels/cpu/la_pool_cpu.h"

using keras_lap::Pooling;
using keras_lap::cpu::BFloat16;
using keras_lap::cpu::ComputeType;
using keras_lap::cpu::Half;

namespace {

// Calls `pass` with a value of the storage type that NumPy calls by this letter.
template <class Pass>
void WithType(char letter, Pass pass) {
  if (letter == 'd') pass(double{});
  if (letter == 'f') pass(float{});
  if (letter == 'e') pass(Half{});
  if (letter == 'b') pass(BFloat16{});
}

template <class T>
T* As(void* pointer) {
  return static_cast<T*>(pointer);
}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) int64_t forward_units(const Pooling* pooling) {
  return keras_lap::cpu::ForwardUnits(*pooling);
}

__attribute__((visibility("default"))) int64_t backward_units(const Pooling* pooling) {
  return keras_lap::cpu::BackwardUnits(*pooling);
}

__attribute__((visibility("default"))) int64_t partials_size(const Pooling* pooling) {
  return keras_lap::cpu::PartialsSize(*pooling);
}

__attribute__((visibility("default"))) void forward(char letter, const Pooling* pooling,
                                                    void* x, void* scores, void* alpha,
                                                    void* gate, void* y, int64_t begin,
                                                    int64_t end) {
  WithType(letter, [=](auto zero) {
    using T = decltype(zero);
    using U = ComputeType<T>;
    keras_lap::cpu::Forward<T>(*pooling, As<T>(x), As<U>(scores), As<U>(alpha),
                               As<U>(gate), As<T>(y), begin, end);
  });
}

__attribute__((visibility("default"))) void backward(
    char letter, const Pooling* pooling, void* x, void* scores, void* alpha, void* gate,
    void* dy, void* dx, void* dscores, double* partials, int64_t begin, int64_t end) {
  WithType(letter, [=](auto zero) {
    using T = decltype(zero);
    using U = ComputeType<T>;
    keras_lap::cpu::Backward<T>(*pooling, As<T>(x), As<U>(scores), As<U>(alpha),
                                As<U>(gate), As<T>(dy), As<T>(dx), As<U>(dscores),
                                partials, begin, end);
  });
}

__attribute__((visibility("default"))) void sum_partials(char letter,
                                                         const Pooling* pooling,
                                                         double* partials, void* dalpha,
                                                         void* dgate) {
  WithType(letter, [=](auto zero) {
    using T = decltype(zero);
    using U = ComputeType<T>;
    keras_lap::cpu::SumPartials<T>(*pooling, partials, As<U>(dalpha), As<U>(dgate));
  });
}
}
