// A stand-in for NVIDIA's driver and run-time libraries: a device whose memory is the
// host's and whose work is done at once. It holds what TensorFlow calls to find a GPU,
// to move tensors and to compile with XLA; every other function is missing, which
// TensorFlow takes for an error. Kernel launches go to a function that the test sets.
//
// Built with the names of all the libraries that TensorFlow looks for.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>

namespace {

using Handle = void*;
using Address = unsigned long long;

constexpr int kSuccess = 0, kOutOfMemory = 2, kNotFound = 500;
constexpr size_t kMemory = size_t{1} << 30;
constexpr int kVersion = 13000;

const Handle kContext = reinterpret_cast<Handle>(0x1000);
thread_local Handle current_context = nullptr;

// Handles that differ from each other; all that is asked of them.
Handle NewHandle() {
  static uintptr_t next = 0x2000;
  return reinterpret_cast<Handle>(__atomic_add_fetch(&next, 0x10, __ATOMIC_SEQ_CST));
}

std::mutex streams_mutex;
std::set<Handle> streams;

int NewStream(Handle* stream) {
  *stream = NewHandle();
  const std::lock_guard<std::mutex> lock(streams_mutex);
  streams.insert(*stream);
  return kSuccess;
}

template <class Pointer>
int Allocate(Pointer* pointer, size_t bytes) {
  void* memory = nullptr;
  const bool failed = posix_memalign(&memory, 4096, bytes) != 0;
  *pointer = reinterpret_cast<Pointer>(memory);
  return failed ? kOutOfMemory : kSuccess;
}

int Copy(void* target, const void* source, size_t bytes) {
  std::memcpy(target, source, bytes);
  return kSuccess;
}

int Copy(Address target, const void* source, size_t bytes) {
  return Copy(reinterpret_cast<void*>(target), source, bytes);
}

int Fill(Address target, unsigned value, size_t count) {
  auto* values = reinterpret_cast<unsigned*>(target);
  for (size_t i = 0; i < count; ++i) values[i] = value;
  return kSuccess;
}

// An H200's, as far as anybody asks; indices are those of CUdevice_attribute.
int Attribute(int attribute) {
  switch (attribute) {
    case 1:  // threads per block
    case 2:  // block dimensions
    case 3:
      return 1024;
    case 4:
      return 64;
    case 5:  // grid dimensions
      return 2147483647;
    case 6:
    case 7:
      return 65535;
    case 8:  // shared memory of a block
      return 49152;
    case 10:  // threads of a warp
      return 32;
    case 12:  // registers of a block
    case 82:  // registers of a multiprocessor
      return 65536;
    case 13:  // clock rates and bus width
      return 1980000;
    case 16:  // multiprocessors
      return 132;
    case 36:
      return 2619000;
    case 37:
      return 5120;
    case 38:  // cache
      return 50 << 20;
    case 39:  // threads of a multiprocessor
      return 2048;
    case 75:  // compute capability
      return 9;
    case 81:  // shared memory of a multiprocessor
      return 233472;
    case 97:  // shared memory of a block that asks for more
      return 232448;
    default:
      return 0;
  }
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

// Told of every kernel launch; returns a CUDA error.
using OnLaunch = int (*)(const char* image, unsigned programs, unsigned threads,
                         Handle stream, Handle context, void** arguments);
namespace {
OnLaunch on_launch = nullptr;
int load_error = kSuccess;
}  // namespace

// For the test.
EXPORT void StandInOnLaunch(OnLaunch function) { on_launch = function; }
EXPORT void StandInFailToLoad(int error) { load_error = error; }
EXPORT Handle StandInContext() { return kContext; }
EXPORT bool StandInMadeStream(Handle stream) {
  const std::lock_guard<std::mutex> lock(streams_mutex);
  return streams.count(stream) > 0;
}

// The device.
EXPORT int cuInit(unsigned) { return kSuccess; }
EXPORT int cuDriverGetVersion(int* version) {
  *version = kVersion;
  return kSuccess;
}
EXPORT int cuDeviceGetCount(int* count) {
  *count = 1;
  return kSuccess;
}
EXPORT int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return kSuccess;
}
EXPORT int cuDeviceGetName(char* name, int length, int) {
  std::snprintf(name, length, "stand-in");
  return kSuccess;
}
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int) {
  *bytes = kMemory;
  return kSuccess;
}
EXPORT int cuDeviceGetPCIBusId(char* id, int length, int) {
  std::snprintf(id, length, "0000:01:00.0");
  return kSuccess;
}
EXPORT int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = Attribute(attribute);
  return kSuccess;
}

// The context.
EXPORT int cuDevicePrimaryCtxRetain(Handle* context, int) {
  *context = kContext;
  return kSuccess;
}
EXPORT int cuDevicePrimaryCtxGetState(int, unsigned* flags, int* active) {
  *flags = 0;
  *active = 1;
  return kSuccess;
}
EXPORT int cuCtxGetCurrent(Handle* context) {
  *context = current_context;
  return kSuccess;
}
EXPORT int cuCtxSetCurrent(Handle context) {
  current_context = context;
  return kSuccess;
}
EXPORT int cuCtxPushCurrent_v2(Handle context) { return cuCtxSetCurrent(context); }
EXPORT int cuCtxPopCurrent_v2(Handle* context) {
  *context = current_context;
  return cuCtxSetCurrent(nullptr);
}
EXPORT int cuCtxGetDevice(int* device) {
  *device = 0;
  return kSuccess;
}
EXPORT int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return kSuccess;
}

// Memory.
EXPORT int cuMemGetInfo_v2(size_t* free_bytes, size_t* bytes) {
  *free_bytes = *bytes = kMemory;
  return kSuccess;
}
EXPORT int cuMemAlloc_v2(Address* address, size_t bytes) {
  return Allocate(address, bytes);
}
EXPORT int cuMemcpyHtoDAsync_v2(Address target, const void* source, size_t bytes,
                                Handle) {
  return Copy(target, source, bytes);
}
EXPORT int cuMemcpyDtoHAsync_v2(void* target, const void* source, size_t bytes,
                                Handle) {
  return Copy(target, source, bytes);
}
EXPORT int cuMemsetD32Async(Address target, unsigned value, size_t count, Handle) {
  return Fill(target, value, count);
}

// Streams and events: all work is done when it is enqueued.
EXPORT int cuStreamCreate(Handle* stream, unsigned) { return NewStream(stream); }
EXPORT int cuStreamCreateWithPriority(Handle* stream, unsigned, int) {
  return NewStream(stream);
}
EXPORT int cuStreamGetCtx(Handle, Handle* context) {
  *context = kContext;
  return kSuccess;
}
EXPORT int cuStreamSynchronize(Handle) { return kSuccess; }
EXPORT int cuStreamWaitEvent(Handle, Handle, unsigned) { return kSuccess; }
EXPORT int cuEventCreate(Handle* event, unsigned) {
  *event = NewHandle();
  return kSuccess;
}
EXPORT int cuEventRecord(Handle, Handle) { return kSuccess; }
EXPORT int cuEventQuery(Handle) { return kSuccess; }

// Kernels: a module is its image, and so is each function in it.
EXPORT int cuModuleLoadData(Handle* module, const void* image) {
  *module = const_cast<void*>(image);
  return load_error;
}
EXPORT int cuModuleGetFunction(Handle* function, Handle module, const char*) {
  *function = module;
  return kSuccess;
}
EXPORT int cuFuncSetAttribute(Handle, int, int) { return kSuccess; }
EXPORT int cuLaunchKernel(Handle function, unsigned grid_x, unsigned, unsigned,
                          unsigned block_x, unsigned, unsigned, unsigned, Handle stream,
                          void** arguments, void**) {
  if (on_launch == nullptr) return kNotFound;
  return on_launch(static_cast<const char*>(function), grid_x, block_x, stream,
                   current_context, arguments);
}
EXPORT int cuGetErrorString(int, const char** text) {
  *text = "the stand-in was told to fail";
  return kSuccess;
}

// The run-time library.
EXPORT int cudaRuntimeGetVersion(int* version) {
  *version = 12050;
  return kSuccess;
}
EXPORT int cudaGetDevice(int* device) {
  *device = 0;
  return kSuccess;
}
EXPORT int cudaSetDevice(int) { return kSuccess; }
EXPORT int cudaPeekAtLastError() { return kSuccess; }
EXPORT int cudaGetDeviceCount(int* count) {
  *count = 1;
  return kSuccess;
}
EXPORT void** __cudaRegisterFatBinary(void*) {
  static void* handle;
  return &handle;
}
EXPORT void __cudaRegisterFatBinaryEnd(void**) {}
EXPORT void __cudaUnregisterFatBinary(void**) {}
EXPORT void __cudaRegisterFunction(void**, ...) {}
EXPORT void __cudaRegisterVar(void**, ...) {}
EXPORT const char* cudaGetErrorString(int) { return "stand-in"; }

// The management library.
EXPORT int nvmlInit_v2() { return kSuccess; }

// cuDNN: XLA asks for a handle, whatever it compiles.
EXPORT size_t cudnnGetVersion() { return 90300; }
EXPORT int cudnnGetProperty(int part, int* value) {
  *value = part == 0 ? 9 : 3;
  return kSuccess;
}
EXPORT int cudnnCreate(Handle* handle) {
  *handle = NewHandle();
  return kSuccess;
}
