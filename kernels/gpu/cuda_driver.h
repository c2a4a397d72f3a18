// The CUDA driver, found at run time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "la_pool_ptx.h"

namespace keras_lap::gpu {

// Functions return an empty string, or what went wrong in plain words.

// Enqueues a kernel on a one-dimensional grid, in the current context.
std::string LaunchKernel(const Kernel& kernel, uint32_t programs,
                         std::vector<const void*> pointers,
                         std::vector<int32_t> integers, void* stream);

// Makes the context of a stream current until `PopContext`.
std::string PushContextOf(void* stream);
std::string PopContext();

}  // namespace keras_lap::gpu
