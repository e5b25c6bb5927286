// The functions of the Cpu device for sfumato::kernels.

#include "sfumato/cpu/instances.hpp"

namespace sfumato {

SFUMATO_CPU_INSTANCES(, float)
SFUMATO_CPU_INSTANCES(, double)
SFUMATO_CPU_INSTANCES(, BFloat16)

}  // namespace sfumato
