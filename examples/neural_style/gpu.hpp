#pragma once

#include <dlfcn.h>

#include <string>

#include "arguments.hpp"
#include "sfumato/core/error.hpp"

namespace neural_style {

/// What on_gpu.cpp exports: the half of the program that is linked with CUDA's libraries. They take
/// 180 MB and a fifth of a second to load, so it is loaded where a GPU is to be used, and nowhere
/// else.
struct GpuHalf {
  int (*count)() = nullptr;  ///< how many GPUs there are
  int (*run)(const Arguments& a, const char* program, int gpu) = nullptr;  ///< the exit status
  std::string trouble = {};  ///< why it could not be loaded, and then the two are nothing
};

/// The same, looked for once.
inline const GpuHalf& gpu_half() {
  static const GpuHalf half = [] {
#ifdef SFUMATO_WITH_CUDA
    if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
      return GpuHalf{.trouble = "there is no NVIDIA GPU with a driver here"};
    }
    if (void* const library = dlopen("neural_style_gpu.so", RTLD_NOW | RTLD_LOCAL)) {
      const auto find = [&]<class Function>(Function*& function, const char* name) {
        function = reinterpret_cast<Function*>(dlsym(library, name));
      };
      GpuHalf found;
      find(found.count, "neural_style_gpu_count");
      find(found.run, "neural_style_run_on_gpu");
      if (found.count != nullptr && found.run != nullptr) return found;
    }
    const char* const why = dlerror();
    return GpuHalf{.trouble = sfumato::message("what is for GPUs could not be loaded: ",
                                               why == nullptr ? "no reason is known" : why)};
#else
    return GpuHalf{.trouble =
                       "this program was built without CUDA; build it where the CUDA toolkit "
                       "and cuDNN are"};
#endif
  }();
  return half;
}

}  // namespace neural_style
