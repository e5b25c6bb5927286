// cuDNN: a convolution with a bias and an activation in one call.

#include "cudnn_request.hpp"

using namespace emulator;

namespace {

/// What follows a convolution in the fused call: y = act(y + alpha2 · z + bias of the channel).
struct Activation {
  const void* bias;
  const void* z;
  double alpha2;
  bool relu, keep_nan;

  void run(const Described& d, double* y) const {
    const Convolution& g = d.geometry;
    const Doubles biases(d.type, alias_of(bias), g.k);
    const Doubles added(d.type, alias_of(z), alpha2 == 0.0 ? 0 : g.y_count());
    const std::int64_t plane = g.out_h * g.out_w;
    for (std::int64_t i = 0; i < g.y_count(); ++i) {
      double value = y[i] + biases.data()[i / plane % g.k];
      if (alpha2 != 0.0) value += alpha2 * added.data()[i];
      const bool passes = !relu || value > 0.0 || (keep_nan && std::isnan(value));
      y[i] = passes ? value : 0.0;
    }
  }
};

cudnnStatus_t run_fused(const Request& r, const Activation& activation) {
  Work work;
  if (const cudnnStatus_t status = check(r, work); status != CUDNN_STATUS_SUCCESS) return status;
  const auto k = static_cast<std::size_t>(r.d.geometry.k);
  work.accesses.push_back(reads(activation.bias, k * r.d.element()));
  if (activation.alpha2 != 0.0) {
    work.accesses.push_back(
        reads(activation.z, static_cast<std::size_t>(r.result_count) * r.d.element()));
  }
  work.run = scaled(r, convolve, [d = r.d, activation](double* y) { activation.run(d, y); });
  return submit_to(r.handle, std::move(work));
}

}  // namespace

cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t handle, const void* alpha1, cudnnTensorDescriptor_t x_descriptor, const void* x,
    cudnnFilterDescriptor_t filters_descriptor, const void* filters,
    cudnnConvolutionDescriptor_t convolution, cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
    size_t workspace_bytes, const void* alpha2, cudnnTensorDescriptor_t z_descriptor, const void* z,
    cudnnTensorDescriptor_t bias_descriptor, const void* bias,
    cudnnActivationDescriptor_t activation, cudnnTensorDescriptor_t y_descriptor, void* y) {
  const char* const call = "cudnnConvolutionBiasActivationForward";
  return cudnn_call(call, handle, [&] {
    const auto bad = [&](const char* why) {
      return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": ", why));
    };
    Described d{};
    const cudnnStatus_t status =
        describe(call, x_descriptor, filters_descriptor, convolution, y_descriptor, d);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    if (!described(call, z_descriptor, kTensorDescriptor) ||
        !described(call, bias_descriptor, kTensorDescriptor) ||
        !described(call, activation, kActivationDescriptor)) {
      return CUDNN_STATUS_BAD_PARAM;
    }
    const cudnnTensorStruct& b = *bias_descriptor;
    const cudnnTensorStruct& added = *z_descriptor;
    const Convolution& g = d.geometry;
    if (b.type != x_descriptor->type || b.n != 1 || b.c != g.k || b.h != 1 || b.w != 1) {
      return bad("the bias is not (1, k, 1, 1) of the type of the rest");
    }
    if (added.type != y_descriptor->type || added.n != g.n || added.c != g.k ||
        added.h != g.out_h || added.w != g.out_w) {
      return bad("z does not have the shape of y");
    }
    if (z == nullptr || bias == nullptr || alpha2 == nullptr) return bad("a pointer is null");
    const bool relu = activation->mode == CUDNN_ACTIVATION_RELU;
    if (!relu && activation->mode != CUDNN_ACTIVATION_IDENTITY) {
      return bad("the activation is neither relu nor the identity");
    }
    if (!relu && algorithm != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
      return bad("without an activation the algorithm must be IMPLICIT_PRECOMP_GEMM");
    }
    static constexpr double kZero = 0.0;  // as a float it is zero too
    return run_fused({call, handle, d, about(d, algorithm), x, filters, y, g.x_count(),
                      g.filter_count(), g.y_count(), workspace, workspace_bytes, alpha1, &kZero},
                     {bias, z, scale(alpha2, d), relu, activation->nan == CUDNN_PROPAGATE_NAN});
  });
}
