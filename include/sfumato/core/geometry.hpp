#pragma once

#include <cstdint>

#include "sfumato/core/device.hpp"
#include "sfumato/core/division.hpp"

namespace sfumato {

/// A batch of matrix products c = op(a) · op(b), where op transposes or not. c is m × n, the sum
/// runs over k. All matrices are dense and row-major; a batch stride of zero uses one matrix for
/// every product.
struct GemmGeometry {
  std::int64_t batch = 1;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  std::int64_t batch_stride_a = 0;
  std::int64_t batch_stride_b = 0;
};

/// A convolution of images (batch, in_channels, in_h, in_w) with filters (out_channels,
/// in_channels / groups, kernel_h, kernel_w) to (batch, out_channels, out_h, out_w).
struct Conv2dGeometry {
  std::int64_t batch = 0;
  std::int64_t in_channels = 0;
  std::int64_t in_h = 0;
  std::int64_t in_w = 0;
  std::int64_t out_channels = 0;
  std::int64_t out_h = 0;
  std::int64_t out_w = 0;
  std::int64_t kernel_h = 1;
  std::int64_t kernel_w = 1;
  std::int64_t stride_h = 1;
  std::int64_t stride_w = 1;
  std::int64_t padding_h = 0;
  std::int64_t padding_w = 0;
  std::int64_t dilation_h = 1;
  std::int64_t dilation_w = 1;
  std::int64_t groups = 1;

  std::int64_t weight_elements() const {
    return out_channels * (in_channels / groups) * kernel_h * kernel_w;
  }
};

/// Windows over planes: `planes` images of one channel, (in_h, in_w) to (out_h, out_w). The last
/// windows may reach beyond the padding.
struct Pool2dGeometry {
  std::int64_t planes = 0;
  std::int64_t in_h = 0;
  std::int64_t in_w = 0;
  std::int64_t out_h = 0;
  std::int64_t out_w = 0;
  std::int64_t kernel_h = 1;
  std::int64_t kernel_w = 1;
  std::int64_t stride_h = 1;
  std::int64_t stride_w = 1;
  std::int64_t padding_h = 0;
  std::int64_t padding_w = 0;
  std::int64_t dilation_h = 1;
  std::int64_t dilation_w = 1;

  /// The side of what a window lies over, with what a dilation leaves out.
  SFUMATO_HOST_DEVICE std::int64_t reach_h() const { return dilation_h * (kernel_h - 1) + 1; }
  SFUMATO_HOST_DEVICE std::int64_t reach_w() const { return dilation_w * (kernel_w - 1) + 1; }
  /// Where the window of output row or column `i` begins, at the first of its elements that is in
  /// the image.
  SFUMATO_HOST_DEVICE std::int64_t top(std::int64_t i) const {
    return first_inside(i * stride_h - padding_h, dilation_h);
  }
  SFUMATO_HOST_DEVICE std::int64_t left(std::int64_t j) const {
    return first_inside(j * stride_w - padding_w, dilation_w);
  }
  /// Behind the last element of that window that is in the image.
  SFUMATO_HOST_DEVICE std::int64_t bottom(std::int64_t i) const {
    const std::int64_t end = i * stride_h - padding_h + reach_h();
    return end < in_h ? end : in_h;
  }
  SFUMATO_HOST_DEVICE std::int64_t right(std::int64_t j) const {
    const std::int64_t end = j * stride_w - padding_w + reach_w();
    return end < in_w ? end : in_w;
  }
  /// Which element of the window of output (i, j), counted row by row with those outside the image,
  /// is at `row` and `column` of the image …
  SFUMATO_HOST_DEVICE std::int64_t place(std::int64_t i, std::int64_t j, std::int64_t row,
                                         std::int64_t column) const {
    return (row + padding_h - i * stride_h) / dilation_h * kernel_w +
           (column + padding_w - j * stride_w) / dilation_w;
  }
  /// … and where in the image, counted the same way, that element is.
  SFUMATO_HOST_DEVICE std::int64_t position(std::int64_t i, std::int64_t j,
                                            std::int64_t place) const {
    const std::int64_t row = place / kernel_w;
    return (i * stride_h - padding_h + row * dilation_h) * in_w + j * stride_w - padding_w +
           (place - row * kernel_w) * dilation_w;
  }

 private:
  static SFUMATO_HOST_DEVICE std::int64_t first_inside(std::int64_t start, std::int64_t step) {
    return start >= 0 ? start : (step - -start % step) % step;
  }
};

/// One bit for each element of a tensor, a thirty-second of what floats take. Rows of `columns`
/// bits begin at whole 16-bit words, lowest bit first, so that vectors of 16 neighbours have theirs
/// in one place.
struct BitRows {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t bytes_per_row() const { return ceil_div(columns, 16) * 2; }
  /// With room behind the last row, so that 32 bits may be read where any bit is.
  std::int64_t bytes() const { return rows * bytes_per_row() + 4; }
};

/// How many windows of `kernel` elements, `dilation` apart, fit `size` padded on both sides when
/// moved by `stride`; below one when none fits.
inline std::int64_t window_count(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                                 std::int64_t padding, std::int64_t dilation = 1) {
  const std::int64_t reach = size + 2 * padding - dilation * (kernel - 1) - 1;
  return reach < 0 ? 0 : reach / stride + 1;
}
/// The same with a last one that reaches beyond the padding, if it begins before it.
inline std::int64_t window_count_with_partial(std::int64_t size, std::int64_t kernel,
                                              std::int64_t stride, std::int64_t padding,
                                              std::int64_t dilation = 1) {
  const std::int64_t reach = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (reach < 0) return 0;
  const std::int64_t count = ceil_div(reach, stride) + 1;
  return (count - 1) * stride >= size + padding ? count - 1 : count;
}

/// The rows of bits that say where the results of a convolution are positive.
inline BitRows output_rows(const Conv2dGeometry& g) {
  return {g.batch * g.out_channels * g.out_h, g.out_w};
}

}  // namespace sfumato
