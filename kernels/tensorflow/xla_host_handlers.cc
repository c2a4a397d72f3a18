// What XLA's compiled programs call on the CPU, over XLA's threads.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "kernels/tensorflow/host.h"
#include "kernels/tensorflow/xla_calls.h"

namespace keras_lap {
namespace {

namespace ffi = xla::ffi;

// Blocks of work that whoever has time takes on.
class Blocks {
 public:
  Blocks(int64_t units, int64_t count, const host::Work& work)
      : units_(units), count_(count), work_(work), unfinished_(count) {}

  // Works until there is no block left to begin. `work` is not touched after the last
  // block is done, so helpers may come late.
  void Help() {
    for (int64_t block = next_++; block < count_; block = next_++) {
      work_(block * units_ / count_, (block + 1) * units_ / count_);
      const std::lock_guard<std::mutex> lock(mutex_);
      if (--unfinished_ == 0) all_finished_.notify_all();
    }
  }

  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_finished_.wait(lock, [&] { return unfinished_ == 0; });
  }

 private:
  const int64_t units_, count_;
  const host::Work& work_;
  std::atomic<int64_t> next_{0};
  std::mutex mutex_;
  std::condition_variable all_finished_;
  int64_t unfinished_;
};

// Below this many cycles, handing a block to another thread does not pay.
constexpr int64_t kLeastBlockCost = 20000;
constexpr int64_t kBlocksPerThread = 4;

// The calling thread works too, so that it gets done even if all others are busy.
host::ParallelFor OnThreadsOf(ffi::ThreadPool& threads) {
  return [&threads](int64_t units, int64_t cost, const host::Work& work) {
    if (units == 0) return;
    const int64_t most = std::min(units, threads.num_threads() * kBlocksPerThread);
    const int64_t paying = units * std::max<int64_t>(cost, 1) / kLeastBlockCost;
    const int64_t count = std::max<int64_t>(std::min(most, paying), 1);
    const auto blocks = std::make_shared<Blocks>(units, count, work);
    const int64_t helpers = std::min(threads.num_threads(), count) - 1;
    for (int64_t i = 0; i < helpers; ++i) {
      threads.Schedule([blocks] { blocks->Help(); });
    }
    blocks->Help();
    blocks->Wait();
  };
}

// Calls `run` with a value of the core's type for features stored in `type`.
template <class Run>
ffi::Error WithStorageType(ffi::DataType type, const Run& run) {
  bool enough_memory;
  switch (type) {
    case ffi::F16:
      enough_memory = run(cpu::Half());
      break;
    case ffi::BF16:
      enough_memory = run(cpu::BFloat16());
      break;
    case ffi::F32:
      enough_memory = run(float());
      break;
    case ffi::F64:
      enough_memory = run(double());
      break;
    default:
      return ffi::Error::InvalidArgument("Expected features of a float type.");
  }
  return enough_memory
             ? ffi::Error::Success()
             : ffi::Error(ffi::ErrorCode::kResourceExhausted, host::kOutOfMemory);
}

ffi::Error Forward(ffi::ThreadPool threads, ffi::DataType type, const Pooling& pooling,
                   const ForwardArguments& arguments) {
  return WithStorageType(type, [&](auto stored) {
    return host::Forward<decltype(stored)>(pooling, arguments, OnThreadsOf(threads));
  });
}

ffi::Error Backward(ffi::ThreadPool threads, ffi::DataType type, const Pooling& pooling,
                    const BackwardArguments& arguments, void* /*scratch*/) {
  return WithStorageType(type, [&](auto stored) {
    return host::Backward<decltype(stored)>(pooling, arguments, OnThreadsOf(threads));
  });
}

XLA_FFI_DEFINE_HANDLER(kForward, (CallForward<Forward, ffi::ThreadPool>),
                       ForwardBinding<ffi::ThreadPool>());
XLA_FFI_DEFINE_HANDLER(kBackward, (CallBackward<Backward, ffi::ThreadPool>),
                       BackwardBinding<ffi::ThreadPool>());
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kForwardTarget, "Host", kForward);
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kBackwardTarget, "Host", kBackward);

}  // namespace
}  // namespace keras_lap
