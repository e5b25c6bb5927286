#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/style/preprocess.hpp"

namespace sfumato::style {

/// What pixels a VGG-19 takes. As torchvision's: red, green, blue, from 0 to 1, minus the mean and
/// over the deviation of ImageNet.
struct VggInput {
  bool bgr = false;     ///< blue comes first, as in Caffe
  bool levels = false;  ///< from 0 to 255, minus the mean and not over the deviation, as in Caffe

  bool is_torchvision() const { return !bgr && !levels; }
  std::string to_string() const {
    return std::string(bgr ? "BGR" : "RGB") + (levels ? ", 0 to 255" : ", 0 to 1 normalised");
  }
};

namespace detail {

/// What the 64 filters of the first layer of Oxford's VGG-19 (Simonyan and Zisserman 2014, CC BY
/// 4.0) answer to one green pixel, and to a red picture without its blue, a third of it; both in
/// hundredths of each filter's norm. No other weights are known in both conventions: torchvision's
/// own were trained anew, with other filters in another order. The size of weights alone tells
/// nothing, since for pixels of any scale training finds weights of about the same.
inline constexpr std::array<int, 64> kOxfordGreen{
    7,   19,  46,  -29, 19,  -25, -7,  -12, -31, -17, 31, 28,  34,  17,  -33, -39,
    -19, 30,  -39, -25, -13, -5,  0,   -23, 22,  19,  -6, 32,  -33, -11, 25,  10,
    -16, 19,  30,  18,  4,   25,  9,   -41, 38,  -27, 4,  -23, 29,  -17, 28,  1,
    2,   -12, 15,  -14, -45, -7,  -20, 11,  -30, -34, 24, 22,  15,  -3,  22,  31};
inline constexpr std::array<int, 64> kOxfordRedMinusBlue{
    0,   -129, -38, 4,  18,   -94, -16,  37,  8,   -85,  0,  -9,  -8, -80, 4,  5,
    112, 21,   -25, 87, -50,  8,   -137, -20, -42, -126, 0,  101, 1,  129, -8, 3,
    88,  18,   0,   0,  -117, 6,   -24,  -80, 3,   -13,  -1, 0,   -7, -1,  35, -1,
    29,  -46,  -91, 0,  47,   34,  -20,  -40, -2,  -17,  1,  109, -1, 4,   0,  9};
/// The filters' root mean square over the biases': in torchvision's convention 82, in Caffe's 1.4.
inline constexpr double kOxfordStrength = 10.8;

/// The cosine of the angle between two vectors.
inline double alignment(const std::vector<double>& a, const std::array<int, 64>& b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa > 0 ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace detail

/// What pixels Oxford's VGG-19 takes, by what its first layer answers: weight (64, 3, 3, 3) and
/// bias (64,). That neither depends on scale factors of the layer nor on what the file says of
/// itself. Other networks, whatever their shapes, are taken for torchvision's.
template <class T>
VggInput vgg_input_of(const Tensor<T>& weight, const Tensor<T>& bias) {
  if (weight.shape() != Shape{64, 3, 3, 3} || bias.shape() != Shape{64}) return {};
  const std::vector<T> filters = weight.to_vector();
  double filter_squares = 0;
  std::vector<double> green(64);
  std::vector<double> red_minus_blue(64);
  for (std::size_t o = 0; o < 64; ++o) {
    double square = 0;
    for (std::size_t i = 0; i < 27; ++i) {
      const auto value = static_cast<double>(filters[o * 27 + i]);
      square += value * value;
      if (i < 9) red_minus_blue[o] += value;
      if (i >= 18) red_minus_blue[o] -= value;
    }
    if (!(square > 0)) return {};
    filter_squares += square;
    green[o] = static_cast<double>(filters[o * 27 + 13]) / std::sqrt(square);
    red_minus_blue[o] /= std::sqrt(square);
  }
  double bias_squares = 0;
  for (const T value : bias.to_vector()) {
    bias_squares += static_cast<double>(value) * static_cast<double>(value);
  }
  // Other filters, random ones among them, have come to at most a half.
  constexpr double kAlike = 0.9;
  const double colours = detail::alignment(red_minus_blue, detail::kOxfordRedMinusBlue);
  const bool oxford =
      detail::alignment(green, detail::kOxfordGreen) > kAlike && std::abs(colours) > kAlike;
  if (!oxford) return {};
  constexpr double kSquare = detail::kOxfordStrength * detail::kOxfordStrength;
  return {colours < 0, filter_squares < kSquare * bias_squares};
}

/// Changes the first layer's weight (n, 3, k, k) and bias (n,) so that the network takes pixels as
/// torchvision's and answers as it did. That is exact but for the outermost pixels, where it pads:
/// Caffe's zeros stand for its own mean, which is off by half a level of 255.
template <class T>
void take_torchvision_pixels(Tensor<T>& weight, Tensor<T>& bias, const VggInput& input) {
  if (input.is_torchvision()) return;
  std::vector<T> filters = weight.to_vector();
  std::vector<T> biases = bias.to_vector();
  const std::size_t area = filters.size() / biases.size() / 3;
  for (std::size_t o = 0; o < biases.size(); ++o) {
    T* const filter = filters.data() + o * 3 * area;
    if (input.bgr) std::swap_ranges(filter, filter + area, filter + 2 * area);
    if (!input.levels) continue;
    double shift = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      double sum = 0;
      for (std::size_t i = 0; i < area; ++i) {
        T& value = filter[c * area + i];
        sum += static_cast<double>(value);
        value = static_cast<T>(static_cast<double>(value) * 255 * kImageNetDeviation[c]);
      }
      shift += sum * (255 * kImageNetMean[c] - kCaffeMean[c]);
    }
    biases[o] = static_cast<T>(static_cast<double>(biases[o]) + shift);
  }
  weight = Tensor<T>::from(filters, weight.shape());
  bias = Tensor<T>::from(biases, bias.shape());
}

}  // namespace sfumato::style
