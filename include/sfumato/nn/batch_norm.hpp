#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/values.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/nn/module.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/normalization.hpp"
#include "sfumato/ops/reduction.hpp"

namespace sfumato::nn {

/// What BatchNorm2d adds to the variance, and how fast its running statistics follow.
struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< the share of the latest batch
};

/// Images (n, c, h, w), each channel with the mean 0 and the variance 1, times a weight, plus a
/// bias: (x - mean) / √(variance + ε) · weight + bias. In training, of the batch at hand, and the
/// buffers running_mean and running_var follow; else these stand in. Ioffe and Szegedy, "Batch
/// normalization" (2015); names, numbers and the unbiased running variance are PyTorch's.
template <class T = float, class Device = Cpu>
class BatchNorm2d : public Module<T, Device> {
 public:
  explicit BatchNorm2d(std::int64_t channels, const BatchNormOptions& options = {})
      : options_(options),
        weight_(this->add_parameter("weight", Tensor<T, Device>::ones({channels}))),
        bias_(this->add_parameter("bias", Tensor<T, Device>::zeros({channels}))),
        running_mean_(this->add_buffer("running_mean", Tensor<T, Device>::zeros({channels}))),
        running_var_(this->add_buffer("running_var", Tensor<T, Device>::ones({channels}))),
        batches_(this->add_buffer("num_batches_tracked", Tensor<T, Device>::zeros({}))) {}

  /// Throws ShapeError for other images, and ValueError in training for a single value a channel,
  /// which has no variance.
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    const std::int64_t channels = weight_.numel();
    if (x.rank() != 4 || x.shape()[1] != channels) {
      throw ShapeError(
          message("BatchNorm2d: ", x.shape(), " must be images (n, ", channels, ", h, w)"));
    }
    const auto normalized = [&](const Variable<T, Device>& mean, const Variable<T, Device>& var) {
      return ops::batch_norm(x, mean, var, weight_, bias_, options_.epsilon);
    };
    if (!this->training()) return normalized(running_mean_, running_var_);
    const std::int64_t count = x.numel() / std::max<std::int64_t>(channels, 1);
    if (count < 2) {
      throw ValueError(message("BatchNorm2d: one value a channel in ", x.shape(),
                               " has no variance; call eval() to use what has been learnt"));
    }
    const auto moments = ops::detail::channel_moments(x);
    follow(moments, count);
    // In float the moments are computed anew: rounded to 16 bits, a mean would shift all.
    const auto normalize = [moments, epsilon = options_.epsilon](const auto& in) {
      if constexpr (SixteenBits<T>) {
        return ops::detail::batch_norm_in_training(in[0], ops::detail::channel_moments(in[0]),
                                                   in[1], in[2], epsilon);
      } else {
        return ops::detail::batch_norm_in_training(in[0], moments, in[1], in[2], epsilon);
      }
    };
    return ops::detail::in_float<T, Device>("BatchNorm2d", {x, weight_, bias_}, normalize);
  }

 private:
  /// A checkpoint that computes a batch again for its gradient does not count it again.
  void follow(const ops::detail::ChannelMoments<T, Device>& moments, std::int64_t count) {
    if (sfumato::detail::GradientScope::is_open()) return;
    no_grad([&] {
      const auto number = static_cast<double>(count);
      const auto follow_one = [&](Variable<T, Device>& running, const Tensor<T, Device>& latest,
                                  double factor) {
        const auto kept = running * static_cast<Compute<T>>(1.0 - options_.momentum);
        const auto added = Variable(latest.reshape(running.shape())) *
                           static_cast<Compute<T>>(options_.momentum * factor);
        running.mutable_value() = (kept + added).value();
      };
      follow_one(running_mean_, moments.mean, 1.0);
      follow_one(running_var_, moments.variance, number / (number - 1.0));
      batches_.mutable_value() = (batches_ + Compute<T>{1}).value();
    });
  }

  BatchNormOptions options_;
  Variable<T, Device> weight_;
  Variable<T, Device> bias_;
  Variable<T, Device> running_mean_;
  Variable<T, Device> running_var_;
  Variable<T, Device> batches_;
};

}  // namespace sfumato::nn
