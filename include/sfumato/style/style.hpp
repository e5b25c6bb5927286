#pragma once

/// Neural style transfer as a library call.

#include "sfumato/style/objective.hpp"
#include "sfumato/style/preprocess.hpp"
#include "sfumato/style/transfer.hpp"
