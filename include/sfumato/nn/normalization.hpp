#pragma once

#include <cstdint>

#include "sfumato/nn/module.hpp"
#include "sfumato/ops/normalization.hpp"

/// The normalizations of ops/normalization.hpp with a weight of ones and a bias of zeros to train.
namespace sfumato::nn {

/// ops::layer_norm.
template <class T = float, class Device = Cpu>
class LayerNorm : public Module<T, Device> {
 public:
  explicit LayerNorm(const Shape& normalized_shape,
                     double epsilon = ops::detail::kNormalizationEpsilon)
      : shape_(normalized_shape),
        epsilon_(epsilon),
        weight_(this->add_parameter("weight", Tensor<T, Device>::ones(shape_))),
        bias_(this->add_parameter("bias", Tensor<T, Device>::zeros(shape_))) {}
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    return ops::layer_norm(x, shape_, weight_, bias_, epsilon_);
  }

 private:
  Shape shape_;
  double epsilon_;
  Variable<T, Device> weight_;
  Variable<T, Device> bias_;
};

/// ops::group_norm.
template <class T = float, class Device = Cpu>
class GroupNorm : public Module<T, Device> {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels,
            double epsilon = ops::detail::kNormalizationEpsilon)
      : groups_(groups),
        epsilon_(epsilon),
        weight_(this->add_parameter("weight", Tensor<T, Device>::ones({channels}))),
        bias_(this->add_parameter("bias", Tensor<T, Device>::zeros({channels}))) {}
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    return ops::group_norm(x, groups_, weight_, bias_, epsilon_);
  }

 private:
  std::int64_t groups_;
  double epsilon_;
  Variable<T, Device> weight_;
  Variable<T, Device> bias_;
};

/// ops::instance_norm of images (n, c, h, w), by default without a weight and bias, as in PyTorch.
template <class T = float, class Device = Cpu>
class InstanceNorm2d : public Module<T, Device> {
 public:
  explicit InstanceNorm2d(std::int64_t channels, bool affine = false,
                          double epsilon = ops::detail::kNormalizationEpsilon)
      : channels_(channels), epsilon_(epsilon) {
    if (!affine) return;
    weight_ = this->add_parameter("weight", Tensor<T, Device>::ones({channels}));
    bias_ = this->add_parameter("bias", Tensor<T, Device>::zeros({channels}));
  }
  /// Throws ShapeError for other images.
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    if (x.rank() != 4 || x.size(1) != channels_) {
      throw ShapeError(
          message("InstanceNorm2d: ", x.shape(), " must be images (n, ", channels_, ", h, w)"));
    }
    return ops::instance_norm(x, weight_, bias_, epsilon_);
  }

 private:
  std::int64_t channels_;
  double epsilon_;
  Variable<T, Device> weight_;
  Variable<T, Device> bias_;
};

}  // namespace sfumato::nn
