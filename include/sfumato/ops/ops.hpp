#pragma once

/// Everything that can be differentiated.

#include "sfumato/ops/activation.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/conv2d_relu.hpp"
#include "sfumato/ops/convolution.hpp"
#include "sfumato/ops/difference.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/padding.hpp"
#include "sfumato/ops/pooling.hpp"
#include "sfumato/ops/power.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/relu.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/ops/softmax.hpp"
#include "sfumato/ops/sum.hpp"
#include "sfumato/ops/upsample.hpp"
