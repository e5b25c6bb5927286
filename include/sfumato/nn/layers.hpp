#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <typeinfo>
#include <utility>
#include <vector>

#include "sfumato/nn/function.hpp"
#include "sfumato/nn/initializers.hpp"
#include "sfumato/nn/module.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/conv2d_relu.hpp"
#include "sfumato/ops/convolution.hpp"
#include "sfumato/ops/interpolate.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/norm.hpp"
#include "sfumato/ops/pooling.hpp"
#include "sfumato/ops/relu.hpp"

namespace sfumato::nn {

/// ops::relu.
template <class T = float, class Device = Cpu>
class ReLU : public Module<T, Device> {
 public:
  Variable<T, Device> forward(const Variable<T, Device>& x) override { return ops::relu(x); }
};

/// ops::conv2d with a weight (out, in / groups, kernel h, kernel w) and a bias (out,).
template <class T = float, class Device = Cpu>
class Conv2d : public Module<T, Device> {
 public:
  /// Weights from kaiming_normal, biases zero. Throws ValueError unless the groups divide the
  /// channels.
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, ops::Size2d kernel,
         const ops::Conv2dOptions& options = {}, Random& random = default_random())
      : Conv2d(kaiming_normal<T, Device>(
                   {out_channels, channels_per_group(in_channels, out_channels, options), kernel.h,
                    kernel.w},
                   random),
               Tensor<T, Device>::zeros({out_channels}), options) {}

  Conv2d(std::int64_t in_channels, std::int64_t out_channels, ops::Size2d kernel, Random& random,
         const ops::Conv2dOptions& options = {})
      : Conv2d(in_channels, out_channels, kernel, options, random) {}

  /// Given values; the bias may be left undefined.
  Conv2d(Tensor<T, Device> weight, Tensor<T, Device> bias, const ops::Conv2dOptions& options = {})
      : options_(options), weight_(this->add_parameter("weight", std::move(weight))) {
    if (bias.defined()) bias_ = this->add_parameter("bias", std::move(bias));
  }

  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    return ops::conv2d(x, weight_, bias_, options_);
  }
  /// With a ReLU, in one pass over memory. What is derived from either may compute something else.
  Variable<T, Device> forward_fused(const Variable<T, Device>& x,
                                    const Module<T, Device>& next) override {
    if (typeid(*this) != typeid(Conv2d) || typeid(next) != typeid(ReLU<T, Device>)) return {};
    return ops::conv2d_relu(x, weight_, bias_, options_);
  }

 private:
  static std::int64_t channels_per_group(std::int64_t in_channels, std::int64_t out_channels,
                                         const ops::Conv2dOptions& options) {
    if (options.groups < 1 || in_channels % options.groups != 0 ||
        out_channels % options.groups != 0) {
      throw ValueError(message("Conv2d: ", in_channels, " channels in and ", out_channels,
                               " out do not divide into ", options.groups, " groups"));
    }
    return in_channels / options.groups;
  }

  ops::Conv2dOptions options_;
  Variable<T, Device> weight_;
  Variable<T, Device> bias_;
};

/// y = x Wᵀ + b over the last axis, with a weight (out, in) and a bias (out,).
template <class T = float, class Device = Cpu>
class Linear : public Module<T, Device> {
 public:
  /// Weights from kaiming_normal, biases zero.
  Linear(std::int64_t in_features, std::int64_t out_features, Random& random = default_random())
      : Linear(kaiming_normal<T, Device>({out_features, in_features}, random),
               Tensor<T, Device>::zeros({out_features})) {}

  /// Given values; the bias may be left undefined.
  Linear(Tensor<T, Device> weight, Tensor<T, Device> bias)
      : weight_(this->add_parameter("weight", std::move(weight))) {
    if (bias.defined()) bias_ = this->add_parameter("bias", std::move(bias));
  }

  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    const auto y = ops::matmul(x, weight_, {.transpose_b = true});
    return bias_.defined() ? y + bias_ : y;
  }

 private:
  Variable<T, Device> weight_;
  Variable<T, Device> bias_;
};

/// ops::max_pool2d.
template <class T = float, class Device = Cpu>
class MaxPool2d : public detail::FunctionOf<T, Device, const ops::MaxPool2dOptions&,
                                            ops::max_pool2d<T, Device>> {
 public:
  explicit MaxPool2d(const ops::MaxPool2dOptions& options = {}) : MaxPool2d::FunctionOf(options) {}
  explicit MaxPool2d(std::int64_t kernel, std::int64_t stride = 0)
      : MaxPool2d(ops::MaxPool2dOptions{.kernel = kernel, .stride = stride}) {}
};

/// ops::avg_pool2d.
template <class T = float, class Device = Cpu>
class AvgPool2d : public detail::FunctionOf<T, Device, const ops::AvgPool2dOptions&,
                                            ops::avg_pool2d<T, Device>> {
 public:
  explicit AvgPool2d(const ops::AvgPool2dOptions& options = {}) : AvgPool2d::FunctionOf(options) {}
  explicit AvgPool2d(std::int64_t kernel, std::int64_t stride = 0)
      : AvgPool2d(ops::AvgPool2dOptions{.kernel = kernel, .stride = stride}) {}
};

/// A pooling by 2 × 2 that leaves `scale` times the root of the sum of squares.
template <class T = float, class Device = Cpu>
class L2Pool2d : public Module<T, Device> {
 public:
  explicit L2Pool2d(double scale = 1.0) : scale_(scale) {}
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    return ops::detail::root(ops::avg_pool2d(ops::square(x), {.divisor_override = 1})) *
           static_cast<Compute<T>>(scale_);
  }

 private:
  double scale_;
};

/// ops::adaptive_avg_pool2d.
template <class T = float, class Device = Cpu>
class AdaptiveAvgPool2d
    : public detail::FunctionOf<T, Device, ops::Size2d, ops::adaptive_avg_pool2d<T, Device>> {
 public:
  explicit AdaptiveAvgPool2d(ops::Size2d size) : AdaptiveAvgPool2d::FunctionOf(size) {}
};

/// ops::interpolate.
template <class T = float, class Device = Cpu>
class Upsample : public detail::FunctionOf<T, Device, const ops::InterpolateOptions&,
                                           ops::interpolate<T, Device>> {
 public:
  explicit Upsample(const ops::InterpolateOptions& options) : Upsample::FunctionOf(options) {}
};

/// (n, …) to (n, everything else in a row); n may be 0.
template <class T = float, class Device = Cpu>
class Flatten : public Module<T, Device> {
 public:
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    const Shape& shape = x.shape();
    const std::int64_t n = shape[0];
    const Shape rest(std::span<const std::int64_t>(shape.begin() + 1, shape.end()));
    return ops::reshape(x, Shape{n, rest.numel()});
  }
};

namespace detail {
/// A seed that nobody else was given: far from the others, and from numbers that people choose.
inline std::uint64_t next_seed() {
  static std::atomic<std::uint64_t> count = 0;
  return 0x9E3779B97F4A7C15U * ++count;
}
}  // namespace detail

/// In training, sets each element to zero with the given probability and scales the others up, so
/// that the mean stays; otherwise does nothing. Srivastava et al., "Dropout" (2014).
template <class T = float, class Device = Cpu>
class Dropout : public Module<T, Device> {
 public:
  /// Draws from a stream of its own, another one for each layer that the program makes: the same
  /// from run to run when layers are made in the same order. Throws ValueError unless
  /// 0 ≤ probability < 1.
  explicit Dropout(double probability = 0.5) : Dropout(probability, detail::next_seed()) {}

  /// Draws from the stream of a seed: layers with one seed drop the same elements.
  Dropout(double probability, std::uint64_t seed) : probability_(probability), random_(seed) {
    if (!(probability >= 0.0 && probability < 1.0)) {
      throw ValueError(
          message("Dropout: probability ", probability, " must be at least 0 and less than 1"));
    }
  }

  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    if (!this->training() || probability_ == 0.0) return x;
    std::vector<T> mask(static_cast<std::size_t>(x.numel()));
    for (T& value : mask) value = random_.uniform() < probability_ ? T{0} : T{1};
    const auto scale = static_cast<Compute<T>>(1.0 / (1.0 - probability_));
    return x * Variable<T, Device>(Tensor<T, Device>::from(mask, x.shape())) * scale;
  }

  /// Where masks are drawn from: with its state() restored, training goes on with the same masks.
  Random& random() { return random_; }

 private:
  double probability_;
  Random random_;
};

}  // namespace sfumato::nn
