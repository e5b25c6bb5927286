#pragma once

// The arithmetic of convolutions: patches gathered into matrices, products by Eigen.

#include <cstdint>

namespace emulator {

/// x (n, c, h, w) with filters (k, c / groups, kernel_h, kernel_w) to y (n, k, out_h, out_w).
struct Convolution {
  std::int64_t n, c, h, w, k, kernel_h, kernel_w, out_h, out_w;
  std::int64_t padding_h, padding_w, stride_h, stride_w, dilation_h, dilation_w, groups;
  bool flips = false;  ///< CUDNN_CONVOLUTION: filters are turned by 180°

  std::int64_t x_count() const { return n * c * h * w; }
  std::int64_t y_count() const { return n * k * out_h * out_w; }
  std::int64_t filter_count() const { return k * (c / groups) * kernel_h * kernel_w; }
};

void convolve(const Convolution& g, const double* x, const double* filters, double* y);
void convolve_back_to_input(const Convolution& g, const double* filters, const double* dy,
                            double* dx);
void convolve_back_to_filters(const Convolution& g, const double* x, const double* dy,
                              double* dfilters);

}  // namespace emulator
