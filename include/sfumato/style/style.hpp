#pragma once

/// Neural style transfer as a library call. Beside it, what needs io/ is included by name:
/// style/pictures.hpp, style/weights.hpp and style/loss_scales.hpp.

#include "sfumato/style/average.hpp"
#include "sfumato/style/borders.hpp"
#include "sfumato/style/colors.hpp"
#include "sfumato/style/feature_extractor.hpp"
#include "sfumato/style/frequency_scale.hpp"
#include "sfumato/style/gatys.hpp"
#include "sfumato/style/iteration.hpp"
#include "sfumato/style/ladder.hpp"
#include "sfumato/style/methods.hpp"
#include "sfumato/style/minimize.hpp"
#include "sfumato/style/neighbors.hpp"
#include "sfumato/style/objective.hpp"
#include "sfumato/style/options.hpp"
#include "sfumato/style/pixels.hpp"
#include "sfumato/style/preprocess.hpp"
#include "sfumato/style/presets.hpp"
#include "sfumato/style/report.hpp"
#include "sfumato/style/state_tensors.hpp"
#include "sfumato/style/temporal.hpp"
#include "sfumato/style/term.hpp"
#include "sfumato/style/transfer.hpp"
#include "sfumato/style/vgg_input.hpp"
