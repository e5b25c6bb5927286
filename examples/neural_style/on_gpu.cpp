// neural_style_gpu.so, which the program loads where there is a GPU; see gpu.hpp.

#include "arguments.hpp"
#include "run.hpp"
#include "sfumato/cuda.hpp"

extern "C" int neural_style_gpu_count() {
  return sfumato::cuda::device_count();
}

extern "C" int neural_style_run_on_gpu(const neural_style::Arguments& a, const char* program,
                                       int gpu) {
  sfumato::cuda::select_device(gpu);
  // bf16 has 8 bits itself.
  sfumato::cuda::options().allow_tf32 = a.tf32 || a.precision == "bf16";
  return neural_style::run<sfumato::Cuda>(a, program);
}
