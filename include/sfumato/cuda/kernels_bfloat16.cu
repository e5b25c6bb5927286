// The kernels of BFloat16, compiled.

#include "sfumato/cuda/kernels.cuh"

namespace sfumato::cuda {

extern const AllKernels<BFloat16> kBFloat16Kernels;
const AllKernels<BFloat16> kBFloat16Kernels;

}  // namespace sfumato::cuda
