#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/matmul.hpp"

namespace sfumato::style {

namespace detail {

/// The orthonormal matrix (n, n) of the cosine transform DCT-II, a frequency per row.
inline std::vector<double> cosine_transform(std::int64_t n) {
  std::vector<double> rows;
  const auto length = static_cast<double>(n);
  for (std::int64_t k = 0; k < n; ++k) {
    const double factor = std::sqrt((k == 0 ? 1.0 : 2.0) / length);
    for (std::int64_t i = 0; i < n; ++i) {
      // As whole numbers, lest large angles lose their digits.
      const auto angle = static_cast<double>((2 * i + 1) * k % (4 * n));
      rows.push_back(factor * std::cos(std::numbers::pi * angle / (2.0 * length)));
    }
  }
  return rows;
}

}  // namespace detail

/// Divides each frequency of images (n, c, h, w) by itself, in cycles per pixel; the mean by the
/// lowest that there is. Losses of a network's features bend the more the higher a frequency of the
/// picture is, about in proportion, so that a gradient treated like this points farther: the
/// preconditioner with which optim::LBFGS takes half as many evaluations, or fewer. Frequencies are
/// those of the picture mirrored at its borders (DCT-II, by products with matrices).
///
///     optim::LBFGS<float> lbfgs({image}, {}, style::FrequencyScale<float>(height, width));
template <class T, class Device = Cpu>
class FrequencyScale {
 public:
  /// Throws ShapeError for empty images.
  FrequencyScale(std::int64_t height, std::int64_t width) {
    if (height < 1 || width < 1) {
      throw ShapeError(message("FrequencyScale: images of ", height, " x ", width, " are empty"));
    }
    const auto matrix = [](const std::vector<double>& values, std::int64_t rows,
                           std::int64_t columns) {
      return Variable<T, Device>(
          Tensor<T, Device>::from(std::vector<T>(values.begin(), values.end()), {rows, columns}));
    };
    down_ = matrix(detail::cosine_transform(height), height, height);
    across_ = matrix(detail::cosine_transform(width), width, width);
    const double lowest = 0.5 / static_cast<double>(std::max(height, width));
    std::vector<double> factors;
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const double frequency =
            0.5 * std::hypot(static_cast<double>(y) / static_cast<double>(height),
                             static_cast<double>(x) / static_cast<double>(width));
        factors.push_back(1.0 / std::max(frequency, lowest));
      }
    }
    factors_ = matrix(factors, height, width);
  }

  /// Throws ShapeError for images of another size.
  Tensor<T, Device> operator()(const Tensor<T, Device>& images) const {
    const NoGrad off;
    const auto frequencies = ops::matmul(ops::matmul(down_, Variable<T, Device>(images)), across_,
                                         {.transpose_b = true});
    return ops::matmul(ops::matmul(down_, frequencies * factors_, {.transpose_a = true}), across_)
        .value();
  }

 private:
  Variable<T, Device> down_;
  Variable<T, Device> across_;
  Variable<T, Device> factors_;
};

}  // namespace sfumato::style
