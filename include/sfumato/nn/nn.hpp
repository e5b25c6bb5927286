#pragma once

/// Networks: modules with named parameters and buffers.

#include "sfumato/nn/activations.hpp"
#include "sfumato/nn/batch_norm.hpp"
#include "sfumato/nn/initializers.hpp"
#include "sfumato/nn/layer_names.hpp"
#include "sfumato/nn/layers.hpp"
#include "sfumato/nn/module.hpp"
#include "sfumato/nn/module_list.hpp"
#include "sfumato/nn/normalization.hpp"
#include "sfumato/nn/resnet.hpp"
#include "sfumato/nn/sequential.hpp"
#include "sfumato/nn/summary.hpp"
#include "sfumato/nn/vgg.hpp"
