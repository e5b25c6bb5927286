#pragma once

#include <cstdint>
#include <mutex>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cuda/convolution_plans.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/gemm.hpp"
#include "sfumato/cuda/map.hpp"
#include "sfumato/cuda/rectify.hpp"

namespace sfumato {

namespace cuda {

inline std::int64_t output_elements(const Conv2dGeometry& g) {
  return g.batch * g.out_channels * g.out_h * g.out_w;
}
inline std::int64_t input_elements(const Conv2dGeometry& g) {
  return g.batch * g.in_channels * g.in_h * g.in_w;
}
/// True when there is nothing to multiply: every result is zero.
inline bool is_empty(const Conv2dGeometry& g) {
  return input_elements(g) == 0 || output_elements(g) == 0;
}

struct AddBias {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T y, T bias) const {
    return y + bias;
  }
};

/// y += bias, channel by channel.
template <class T>
void add_bias(const Conv2dGeometry& g, const T* bias, T* y) {
  if (bias == nullptr) return;
  const Shape shape{g.batch, g.out_channels, g.out_h * g.out_w};
  const Strides strides = row_major_strides(shape);
  Cuda::map(AddBias{}, shape, Strided<T>{y, strides}, Strided<const T>{y, strides},
            Strided<const T>{bias, {0, 1, 0}});
}

/// One of cuDNN's convolutions, which all take the same scales: result = 1 · … + 0 · result.
template <class T, class Plan, class Run>
cudnnStatus_t run_plan(const Plan& plan, const Run& run) {
  const auto bytes = static_cast<std::int64_t>(plan.workspace_bytes);
  Workspace room = Workspace::empty({bytes});
  const Compute<T> one{1};
  const Compute<T> zero{0};
  return run(&one, &zero, bytes == 0 ? nullptr : room.data());
}

/// y = x * weight, and if `fused`, max(… + bias, 0) in the same call; false if cuDNN can't.
template <class T>
bool convolve(Context& context, ForwardPlan& plan, const Conv2dGeometry& g, const T* x,
              const T* weight, const T* bias, T* y, bool fused) {
  const ConvolutionDescriptors& d = plan.descriptors;
  const cudnnStatus_t status =
      run_plan<T>(plan, [&](const Compute<T>* one, const Compute<T>* zero, std::uint8_t* room) {
        if (fused) {
          return cudnnConvolutionBiasActivationForward(
              context.cudnn(), one, d.x.get(), x, d.weight.get(), weight, d.convolution.get(),
              plan.algorithm, room, plan.workspace_bytes, zero, d.y.get(), y, d.bias.get(), bias,
              d.relu.get(), d.y.get(), y);
        }
        return cudnnConvolutionForward(context.cudnn(), one, d.x.get(), x, d.weight.get(), weight,
                                       d.convolution.get(), plan.algorithm, room,
                                       plan.workspace_bytes, zero, d.y.get(), y);
      });
  if (fused && status == CUDNN_STATUS_NOT_SUPPORTED) return false;
  check(status, fused ? "cudnnConvolutionBiasActivationForward" : "cudnnConvolutionForward",
        ConvolutionShapes{g});
  return true;
}

}  // namespace cuda

template <class T>
void Cuda::conv2d(const Conv2dGeometry& geometry, const T* x, const T* weight, const T* bias,
                  T* y) {
  const Conv2dGeometry& g = geometry;
  if (cuda::is_empty(g)) {
    cuda::fill_zeros(y, static_cast<std::size_t>(cuda::output_elements(g)) * sizeof(T));
  } else {
    cuda::Context& context = cuda::Context::current();
    const std::lock_guard lock(context.library_mutex());
    cuda::ForwardPlan& plan = context.plans().forward(context, g, x, weight, y);
    cuda::convolve<T>(context, plan, g, x, weight, nullptr, y, false);
  }
  cuda::add_bias(g, bias, y);
}

template <class T>
void Cuda::conv2d_relu(const Conv2dGeometry& geometry, const T* x, const T* weight, const T* bias,
                       T* y, std::uint8_t* bits) {
  const Conv2dGeometry& g = geometry;
  const BitRows rows = output_rows(g);
  if (bias != nullptr && !cuda::is_empty(g)) {
    cuda::Context& context = cuda::Context::current();
    const std::lock_guard lock(context.library_mutex());
    cuda::ForwardPlan& plan = context.plans().forward(context, g, x, weight, y);
    plan.fuses = plan.fuses && cuda::convolve(context, plan, g, x, weight, bias, y, true);
    if (plan.fuses) {
      // What is positive before the rectifier is positive after it: only the bits are missing.
      if (bits != nullptr) relu<T>(rows, y, nullptr, bits);
      return;
    }
  }
  conv2d(g, x, weight, bias, y);
  relu<T>(rows, y, y, bits);
}

template <class T>
void Cuda::conv2d_input_gradient(const Conv2dGeometry& geometry, const T* dy, const T* weight,
                                 T* dx) {
  const Conv2dGeometry& g = geometry;
  if (cuda::is_empty(g)) {
    return cuda::fill_zeros(dx, static_cast<std::size_t>(cuda::input_elements(g)) * sizeof(T));
  }
  cuda::Context& context = cuda::Context::current();
  const std::lock_guard lock(context.library_mutex());
  cuda::InputGradientPlan& plan = context.plans().input_gradient(context, g, dy, weight, dx);
  const cuda::ConvolutionDescriptors& d = plan.descriptors;
  const auto run = [&](const Compute<T>* one, const Compute<T>* zero, std::uint8_t* room) {
    return cudnnConvolutionBackwardData(context.cudnn(), one, d.weight.get(), weight, d.y.get(), dy,
                                        d.convolution.get(), plan.algorithm, room,
                                        plan.workspace_bytes, zero, d.x.get(), dx);
  };
  cuda::check(cuda::run_plan<T>(plan, run), "cudnnConvolutionBackwardData",
              cuda::ConvolutionShapes{g});
}

template <class T>
void Cuda::conv2d_relu_input_gradient(const Conv2dGeometry& geometry, const T* dy,
                                      const std::uint8_t* bits, const T* weight, T* dx) {
  auto passed = Tensor<T, Cuda>::empty({cuda::output_elements(geometry)});
  gate<T>(output_rows(geometry), dy, bits, passed.data());
  conv2d_input_gradient<T>(geometry, passed.data(), weight, dx);
}

template <class T>
void Cuda::conv2d_weight_gradient(const Conv2dGeometry& geometry, const T* x, const T* dy,
                                  T* dweight) {
  const Conv2dGeometry& g = geometry;
  if (cuda::is_empty(g)) {
    return cuda::fill_zeros(dweight, static_cast<std::size_t>(g.weight_elements()) * sizeof(T));
  }
  cuda::Context& context = cuda::Context::current();
  const std::lock_guard lock(context.library_mutex());
  cuda::WeightGradientPlan& plan = context.plans().weight_gradient(context, g, x, dy, dweight);
  const cuda::ConvolutionDescriptors& d = plan.descriptors;
  const auto run = [&](const Compute<T>* one, const Compute<T>* zero, std::uint8_t* room) {
    return cudnnConvolutionBackwardFilter(context.cudnn(), one, d.x.get(), x, d.y.get(), dy,
                                          d.convolution.get(), plan.algorithm, room,
                                          plan.workspace_bytes, zero, d.weight.get(), dweight);
  };
  cuda::check(cuda::run_plan<T>(plan, run), "cudnnConvolutionBackwardFilter",
              cuda::ConvolutionShapes{g});
}

}  // namespace sfumato
