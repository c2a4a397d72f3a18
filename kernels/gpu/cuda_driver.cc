#include "cuda_driver.h"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace keras_lap::gpu {
namespace {

// CUcontext, CUmodule, CUfunction and CUstream are pointers to what is not known here.
using Handle = void*;

struct Driver {
  int (*get_context)(Handle* context);
  int (*context_of_stream)(Handle stream, Handle* context);
  int (*push_context)(Handle context);
  int (*pop_context)(Handle* context);
  int (*load_module)(Handle* module, const void* image);
  int (*get_function)(Handle* function, Handle module, const char* name);
  int (*launch)(Handle function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                Handle stream, void** arguments, void** extra);
  int (*error_string)(int error, const char** text);
  std::string missing;  // empty if all is there
};

template <class Function>
void Find(Handle library, const char* name, Function& function, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr && missing.empty()) {
    missing = std::string("Expected the CUDA driver to have the function ") + name +
              ": install a newer driver";
  }
}

Driver Open() {
  Driver driver{};
  Handle library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    driver.missing =
        std::string("Expected a CUDA driver: install one. Received: ") + dlerror();
    return driver;
  }
  std::string& missing = driver.missing;
  Find(library, "cuCtxGetCurrent", driver.get_context, missing);
  Find(library, "cuStreamGetCtx", driver.context_of_stream, missing);
  Find(library, "cuCtxPushCurrent_v2", driver.push_context, missing);
  Find(library, "cuCtxPopCurrent_v2", driver.pop_context, missing);
  Find(library, "cuModuleLoadData", driver.load_module, missing);
  Find(library, "cuModuleGetFunction", driver.get_function, missing);
  Find(library, "cuLaunchKernel", driver.launch, missing);
  Find(library, "cuGetErrorString", driver.error_string, missing);
  return driver;
}

const Driver& TheDriver() {
  static const Driver* const driver = new Driver(Open());
  return *driver;
}

std::string Describe(int error, const char* call) {
  if (error == 0) return "";
  const char* text = nullptr;
  TheDriver().error_string(error, &text);
  return std::string(call) + " failed with CUDA error " + std::to_string(error) + ", " +
         (text == nullptr ? "unknown" : text);
}

std::string Load(const Kernel& kernel, Handle* function) {
  const Driver& driver = TheDriver();
  Handle module = nullptr;
  const std::string error =
      Describe(driver.load_module(&module, kernel.ptx), "cuModuleLoadData");
  if (!error.empty()) return error;
  return Describe(driver.get_function(function, module, kernel.entry),
                  "cuModuleGetFunction");
}

// Modules belong to contexts, and are kept as long as the process lives.
std::string FunctionOf(const Kernel& kernel, Handle* function) {
  Handle context = nullptr;
  const std::string error =
      Describe(TheDriver().get_context(&context), "cuCtxGetCurrent");
  if (!error.empty()) return error;
  if (context == nullptr) return "Expected a current CUDA context. Received: none";

  static std::mutex* const mutex = new std::mutex;
  static auto* const functions = new std::map<std::pair<Handle, const Kernel*>, Handle>;
  const std::lock_guard<std::mutex> lock(*mutex);
  const auto found = functions->find({context, &kernel});
  if (found != functions->end()) {
    *function = found->second;
    return "";
  }
  const std::string not_loaded = Load(kernel, function);
  if (not_loaded.empty()) (*functions)[{context, &kernel}] = *function;
  return not_loaded;
}

}  // namespace

std::string LaunchKernel(const Kernel& kernel, uint32_t programs,
                         std::vector<const void*> pointers,
                         std::vector<int32_t> integers, void* stream) {
  if (!TheDriver().missing.empty()) return TheDriver().missing;
  Handle function = nullptr;
  const std::string error = FunctionOf(kernel, &function);
  if (!error.empty()) return error;
  std::vector<void*> arguments;
  for (const void*& pointer : pointers) arguments.push_back(&pointer);
  for (int32_t& integer : integers) arguments.push_back(&integer);
  // Triton's kernels end with two pointers to scratch memory, which these do not use.
  void* none = nullptr;
  arguments.insert(arguments.end(), 2, &none);
  return Describe(
      TheDriver().launch(function, programs, 1, 1, kernel.threads, 1, 1,
                         kernel.shared_bytes, stream, arguments.data(), nullptr),
      (std::string("cuLaunchKernel of ") + kernel.entry).c_str());
}

std::string PushContextOf(void* stream) {
  if (!TheDriver().missing.empty()) return TheDriver().missing;
  Handle context = nullptr;
  const std::string error =
      Describe(TheDriver().context_of_stream(stream, &context), "cuStreamGetCtx");
  if (!error.empty()) return error;
  return Describe(TheDriver().push_context(context), "cuCtxPushCurrent");
}

std::string PopContext() {
  Handle context = nullptr;
  return Describe(TheDriver().pop_context(&context), "cuCtxPopCurrent");
}

}  // namespace keras_lap::gpu
