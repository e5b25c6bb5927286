// The functions of the Cpu device for sfumato::kernels.

#include "sfumato/cpu/instances.hpp"
#include "sfumato/cpu/eigen_product.hpp"

namespace sfumato {

SFUMATO_CPU_INSTANCES(, float)
SFUMATO_CPU_INSTANCES(, double)
SFUMATO_CPU_INSTANCES(, BFloat16)

namespace cpu {

#define SFUMATO_EIGEN_PRODUCT(T)                                                             \
  template void eigen_product(std::int64_t, std::int64_t, std::int64_t, MatrixView<const T>, \
                              MatrixView<const T>, MatrixView<T>, bool);
SFUMATO_EIGEN_PRODUCT(double)
SFUMATO_EIGEN_PRODUCT(std::uint8_t)
SFUMATO_EIGEN_PRODUCT(std::int32_t)
SFUMATO_EIGEN_PRODUCT(std::int64_t)
#undef SFUMATO_EIGEN_PRODUCT

}  // namespace cpu

}  // namespace sfumato
