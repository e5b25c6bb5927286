#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/style/preprocess.hpp"

namespace sfumato::style {

/// The numbers that an optimiser changes of a picture, all minus ImageNet's mean: what a step of a
/// learning rate is long, and how colours weigh against each other, depends on them.
enum class Pixels {
  kNormalized,  ///< over the deviation, as a network takes them
  kUnit,        ///< white is 1 more than black
  kLevels,      ///< white is 255 more than black
};

/// A normalised picture (1, 3, h, w) in other numbers, and back.
template <class T, class Device>
class PixelScale {
 public:
  explicit PixelScale(Pixels pixels) : plain_(pixels == Pixels::kNormalized) {
    const double white = pixels == Pixels::kLevels ? 255.0 : 1.0;
    std::vector<T> factors;
    std::vector<T> darkest;
    std::vector<T> brightest;
    for (std::size_t c = 0; c < 3; ++c) {
      const double factor = plain_ ? 1.0 : white * kImageNetDeviation[c];
      factors.push_back(static_cast<T>(factor));
      darkest.push_back(static_cast<T>((0.0 - kImageNetMean[c]) / kImageNetDeviation[c] * factor));
      brightest.push_back(
          static_cast<T>((1.0 - kImageNetMean[c]) / kImageNetDeviation[c] * factor));
    }
    factors_ = colour(factors);
    black_ = colour(darkest);
    white_ = colour(brightest);
  }

  Variable<T, Device> normalized(const Variable<T, Device>& pixels) const {
    return plain_ ? pixels : pixels / Variable<T, Device>(factors_);
  }
  Variable<T, Device> pixels(const Variable<T, Device>& normalized) const {
    return plain_ ? normalized : normalized * Variable<T, Device>(factors_);
  }
  /// Clips every value to what can be shown, in place.
  void clip(Tensor<T, Device>& pixels) const {
    ops::apply_into("clip", ops::detail::Maximum{}, pixels, pixels, black_);
    ops::apply_into("clip", ops::detail::Minimum{}, pixels, pixels, white_);
  }

 private:
  static Tensor<T, Device> colour(const std::vector<T>& channels) {
    return Tensor<T, Device>::from(channels, {1, 3, 1, 1});
  }

  bool plain_;
  Tensor<T, Device> factors_;
  Tensor<T, Device> black_;
  Tensor<T, Device> white_;
};

}  // namespace sfumato::style
