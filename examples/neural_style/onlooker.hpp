#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "display.hpp"
#include "sfumato/core/tensor.hpp"

namespace neural_style {

/// Who looks on while a picture is painted, besides the terminal; called by the thread that paints.
class Onlooker {
 public:
  using Pixels = std::function<sfumato::Tensor<std::uint8_t>()>;  ///< (height, width, 3), as it is

  Onlooker() = default;
  Onlooker(const Onlooker&) = delete;
  Onlooker& operator=(const Onlooker&) = delete;
  virtual ~Onlooker() = default;

  /// An iteration is done. Returns the signal by which the run is to end behind it, or 0.
  virtual int see(const Standing& standing, const Pixels& pixels) = 0;
  /// Why the run ended before its end.
  virtual void hear(const std::string& trouble) = 0;
};

}  // namespace neural_style
