// The ops, layers, losses and optimisers of float for sfumato::kernels.

#include "sfumato/instances.hpp"

namespace sfumato {

SFUMATO_INSTANCES()

}  // namespace sfumato
