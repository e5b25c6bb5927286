// The kernels of integers and of casts, compiled.

#include "sfumato/cuda/kernels.cuh"

namespace sfumato::cuda {

extern const IntegerKernels kIntegerKernels;
const IntegerKernels kIntegerKernels;
extern const Casts<float, double, Half, BFloat16, std::uint8_t, std::int32_t, std::int64_t> kCasts;
const Casts<float, double, Half, BFloat16, std::uint8_t, std::int32_t, std::int64_t> kCasts;

}  // namespace sfumato::cuda
