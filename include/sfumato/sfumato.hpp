#pragma once

/// All of sfumato on the CPU: tensors, automatic differentiation, networks, losses, optimisers,
/// data and style transfer. Files and images have headers of their own in sfumato/io/.

#include "sfumato/autodiff/anomaly.hpp"
#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/checkpoint.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/gradcheck.hpp"
#include "sfumato/autodiff/graphviz.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/data/loader.hpp"
#include "sfumato/instances.hpp"
#include "sfumato/losses/losses.hpp"
#include "sfumato/nn/nn.hpp"
#include "sfumato/ops/ops.hpp"
#include "sfumato/optim/optim.hpp"
#include "sfumato/style/style.hpp"
