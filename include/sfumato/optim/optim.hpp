#pragma once

/// Optimisers and learning-rate schedules.

#include "sfumato/optim/adam.hpp"
#include "sfumato/optim/clip.hpp"
#include "sfumato/optim/lbfgs.hpp"
#include "sfumato/optim/optimizer.hpp"
#include "sfumato/optim/rmsprop.hpp"
#include "sfumato/optim/schedules.hpp"
#include "sfumato/optim/sgd.hpp"
#include "sfumato/optim/wolfe_search.hpp"
