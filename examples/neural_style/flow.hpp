#pragma once

#include <cstdint>

#include "sfumato/core/tensor.hpp"

namespace neural_style {

/// How two frames move into one another, as style::warp() takes it.
struct Flows {
  sfumato::Tensor<float> back;   ///< from a frame to the last one
  sfumato::Tensor<float> forth;  ///< from the last one to it
};

/// Between two frames (height, width, 3) of one size; a side of less than 16 pixels has no flow.
/// By OpenCV's DIS: Kroeger, Timofte, Dai and Van Gool, "Fast optical flow using dense inverse
/// search" (2016).
Flows optical_flow(const sfumato::Tensor<std::uint8_t>& last,
                   const sfumato::Tensor<std::uint8_t>& now);

}  // namespace neural_style
