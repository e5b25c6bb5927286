// The kernels of float, compiled.

#include "sfumato/cuda/kernels.cuh"

namespace sfumato::cuda {

extern const AllKernels<float> kFloatKernels;
const AllKernels<float> kFloatKernels;

}  // namespace sfumato::cuda
