// The kernels of Half, compiled.

#include "sfumato/cuda/kernels.cuh"

namespace sfumato::cuda {

extern const AllKernels<Half> kHalfKernels;
const AllKernels<Half> kHalfKernels;

}  // namespace sfumato::cuda
