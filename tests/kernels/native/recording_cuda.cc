// A stand-in for libcuda.so.1 that prints launches instead of making them. What the
// arguments are it reads from the PTX, as a driver does.
//
// FAILING in the environment names a call that fails, WITHOUT_CONTEXT leaves the thread
// without a context.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Handle = void*;

struct Module {
  std::string entry;
  std::vector<bool> wide;  // whether each parameter has 64 bits
  size_t size;
};

constexpr int kInvalidValue = 1, kNotFound = 500, kLaunchFailed = 719;
int depth = 0;

int Result(const char* call, int error) {
  const char* failing = std::getenv("FAILING");
  return failing != nullptr && std::strcmp(failing, call) == 0 ? error : 0;
}

}  // namespace

extern "C" {

int cuCtxGetCurrent(Handle* context) {
  const bool none = depth == 0 || std::getenv("WITHOUT_CONTEXT") != nullptr;
  *context = none ? nullptr : &depth;
  return Result(__func__, kInvalidValue);
}

#ifndef OLD_DRIVER
int cuStreamGetCtx(Handle, Handle* context) {
  *context = &depth;
  return Result(__func__, kInvalidValue);
}
#endif

int cuDeviceGet(int* device, int number) {
  *device = number;
  return 0;
}

int cuDevicePrimaryCtxRetain(Handle* context, int) {
  *context = &depth;
  return 0;
}

int cuCtxPushCurrent_v2(Handle) {
  ++depth;
  return Result(__func__, kInvalidValue);
}

int cuCtxPopCurrent_v2(Handle*) {
  --depth;
  return 0;
}

int cuModuleLoadData(Handle* module, const char* image) {
  const std::string ptx = image;
  const std::string before = ".visible .entry ", wide = ".param .u64";
  const size_t start = ptx.find(before) + before.size();
  const size_t open = ptx.find('(', start), close = ptx.find(")\n", start);
  auto* loaded = new Module{ptx.substr(start, open - start), {}, ptx.size()};
  for (size_t at = ptx.find(".param", open); at < close;
       at = ptx.find(".param", at + 1)) {
    loaded->wide.push_back(ptx.compare(at, wide.size(), wide) == 0);
  }
  *module = loaded;
  return Result(__func__, kInvalidValue);
}

int cuModuleGetFunction(Handle* function, Handle module, const char* name) {
  if (static_cast<Module*>(module)->entry != name) return kNotFound;
  *function = module;
  return Result(__func__, kNotFound);
}

int cuLaunchKernel(Handle function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z,
                   unsigned shared, Handle stream, void** arguments, void** extra) {
  const Module& kernel = *static_cast<Module*>(function);
  if (extra != nullptr) return kInvalidValue;
  std::printf("launch %s %zu %u %u %u %u %u %u %u %ju", kernel.entry.c_str(),
              kernel.size, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared,
              reinterpret_cast<uintmax_t>(stream));
  for (size_t i = 0; i < kernel.wide.size(); ++i) {
    if (kernel.wide[i]) {
      std::printf(" %ju", uintmax_t{*static_cast<uint64_t*>(arguments[i])});
    } else {
      std::printf(" %d", *static_cast<int32_t*>(arguments[i]));
    }
  }
  std::printf("\n");
  std::fflush(stdout);
  return Result(__func__, kLaunchFailed);
}

int cuGetErrorString(int error, const char** text) {
  *text = error == kLaunchFailed ? "unspecified launch failure" : nullptr;
  return 0;
}
}
