// The kernels of double, compiled.

#include "sfumato/cuda/kernels.cuh"

namespace sfumato::cuda {

extern const AllKernels<double> kDoubleKernels;
const AllKernels<double> kDoubleKernels;

}  // namespace sfumato::cuda
