#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/core/division.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/gemm.hpp"

/// Convolution as a matrix product (im2col): the patch under the filter at every output position
/// becomes a column of a matrix, a few output rows at a time, so that the matrix stays in cache.
/// Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
/// processing" (2006).
namespace sfumato::cpu {

/// Some output rows of one image and group, and the matrix of their patches: one row for each
/// (channel, kernel row, kernel column), one column for each output position.
class PatchBlock {
 public:
  PatchBlock(const Conv2dGeometry& geometry, std::int64_t first_row, std::int64_t rows)
      : g_(geometry), first_row_(first_row), rows_(rows) {}

  std::int64_t columns() const { return rows_ * g_.out_w; }
  /// Where the block begins in an output plane.
  std::int64_t offset() const { return first_row_ * g_.out_w; }

  /// Fills the matrix from the group's input channels.
  template <class T>
  void gather(const T* x, Compute<T>* patches) const {
    parallel_for(channels() * taps(), kRowsPerChunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const T* plane = x + row / taps() * g_.in_h * g_.in_w;
        for_each_line(row % taps(), patches + row * columns(),
                      [&](Compute<T>* line, std::int64_t in_row, std::int64_t in_column,
                          std::int64_t first, std::int64_t last) {
                        std::fill(line, line + first, Compute<T>{0});
                        const T* source = plane + in_row * g_.in_w + in_column;
                        if (g_.stride_w == 1) {
                          std::copy(source + first, source + last, line + first);
                        } else {
                          for (std::int64_t j = first; j < last; ++j)
                            line[j] = source[j * g_.stride_w];
                        }
                        std::fill(line + last, line + g_.out_w, Compute<T>{0});
                      });
      }
    });
  }

  /// The adjoint of gather: adds the matrix to the group's input channels.
  template <class T>
  void scatter(const T* patches, T* dx) const {
    parallel_for(channels(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin * taps(); row < end * taps(); ++row) {
        T* plane = dx + row / taps() * g_.in_h * g_.in_w;
        for_each_line(row % taps(), patches + row * columns(),
                      [&](const T* line, std::int64_t in_row, std::int64_t in_column,
                          std::int64_t first, std::int64_t last) {
                        T* target = plane + in_row * g_.in_w + in_column;
                        for (std::int64_t j = first; j < last; ++j)
                          target[j * g_.stride_w] += line[j];
                      });
      }
    });
  }

 private:
  static constexpr std::int64_t kRowsPerChunk = 8;

  std::int64_t channels() const { return g_.in_channels / g_.groups; }
  std::int64_t taps() const { return g_.kernel_h * g_.kernel_w; }

  /// Calls `body(line, in_row, in_column, first, last)` for each output row of one filter tap: the
  /// outputs first … last - 1 see the input at in_column + j · stride_w, the others see padding.
  template <class T, class Body>
  void for_each_line(std::int64_t tap, T* line, const Body& body) const {
    const std::int64_t in_column = tap % g_.kernel_w * g_.dilation_w - g_.padding_w;
    const std::int64_t first =
        std::min(g_.out_w, in_column < 0 ? ceil_div(-in_column, g_.stride_w) : 0);
    const std::int64_t last = std::clamp(
        g_.in_w > in_column ? ceil_div(g_.in_w - in_column, g_.stride_w) : 0, first, g_.out_w);
    for (std::int64_t i = first_row_; i < first_row_ + rows_; ++i, line += g_.out_w) {
      const std::int64_t in_row =
          i * g_.stride_h + tap / g_.kernel_w * g_.dilation_h - g_.padding_h;
      const bool inside = in_row >= 0 && in_row < g_.in_h;
      body(line, inside ? in_row : 0, in_column, inside ? first : g_.out_w,
           inside ? last : g_.out_w);
    }
  }

  const Conv2dGeometry& g_;
  std::int64_t first_row_;
  std::int64_t rows_;
};

/// Sizes of the matrices of one group.
struct GroupSizes {
  explicit GroupSizes(const Conv2dGeometry& g)
      : out_channels(g.out_channels / g.groups),
        in_channels(g.in_channels / g.groups),
        patch(in_channels * g.kernel_h * g.kernel_w),
        in_plane(g.in_h * g.in_w),
        out_plane(g.out_h * g.out_w) {}
  std::int64_t out_channels;
  std::int64_t in_channels;
  std::int64_t patch;
  std::int64_t in_plane;
  std::int64_t out_plane;
};

/// Calls `body(block, image_and_group, group, patches)` for blocks that cover all outputs;
/// `patches` is room for the block's matrix. With `in_parallel` blocks are small, and each is done
/// by one thread.
template <class T, class Body>
void for_each_patch_block(const Conv2dGeometry& g, const Body& body, bool in_parallel = false) {
  const std::int64_t most_elements = in_parallel ? 1 << 16 : 1 << 21;
  const GroupSizes sizes(g);
  if (g.out_h == 0 || g.out_w == 0) return;
  const std::int64_t rows = std::clamp<std::int64_t>(
      most_elements / std::max<std::int64_t>(sizes.patch * g.out_w, 1), 1, g.out_h);
  const std::int64_t per_image = ceil_div(g.out_h, rows);
  const std::int64_t count = g.batch * g.groups * per_image;
  parallel_for(count, in_parallel ? 1 : count, [&](std::int64_t begin, std::int64_t end) {
    auto patches = Tensor<T, Cpu>::empty({sizes.patch * rows * g.out_w});
    for (std::int64_t index = begin; index < end; ++index) {
      const std::int64_t image = index / per_image;
      const std::int64_t row = index % per_image * rows;
      body(PatchBlock(g, row, std::min(rows, g.out_h - row)), image, image % g.groups,
           patches.data());
    }
  });
}

/// y of T from weights in what T is computed in.
template <class T>
void conv2d_im2col(const Conv2dGeometry& g, const T* x, const Compute<T>* weight, const T* bias,
                   T* y) {
  using C = Compute<T>;
  const GroupSizes sizes(g);
  // Few weights go with many small blocks, a thread to each; of many, each block should use all.
  constexpr std::int64_t kFewWeights = 1 << 14;
  const bool small = sizes.out_channels * sizes.patch <= kFewWeights;
  const auto body = [&](const PatchBlock& block, std::int64_t image, std::int64_t group,
                        C* patches) {
    const std::int64_t columns = block.columns();
    T* const target = y + image * sizes.out_channels * sizes.out_plane + block.offset();
    Tensor<C, Cpu> unrounded;
    MatrixView<C> out;
    if constexpr (SixteenBits<T>) {
      unrounded = Tensor<C, Cpu>::empty({sizes.out_channels, columns});
      out = {unrounded.data(), columns};
    } else {
      out = {target, sizes.out_plane};
    }
    for (std::int64_t channel = 0; channel < sizes.out_channels; ++channel) {
      std::fill_n(out.data + channel * out.stride, columns,
                  bias == nullptr ? C{0} : C{bias[group * sizes.out_channels + channel]});
    }
    block.gather(x + image * sizes.in_channels * sizes.in_plane, patches);
    multiply<C>(sizes.out_channels, columns, sizes.patch,
                {weight + group * sizes.out_channels * sizes.patch, sizes.patch},
                {patches, columns}, out, true);
    if constexpr (SixteenBits<T>) {
      for (std::int64_t channel = 0; channel < sizes.out_channels; ++channel) {
        std::copy_n(out.data + channel * columns, columns, target + channel * sizes.out_plane);
      }
    }
  };
  for_each_patch_block<C>(g, body, small);
}

/// dx from dy of T; all else in what T is computed in.
template <class T>
void conv2d_input_gradient_im2col(const Conv2dGeometry& g, const T* dy, const Compute<T>* weight,
                                  Compute<T>* dx) {
  using C = Compute<T>;
  const GroupSizes sizes(g);
  std::fill_n(dx, g.batch * g.in_channels * sizes.in_plane, C{0});
  for_each_patch_block<C>(g, [&](const PatchBlock& block, std::int64_t image, std::int64_t group,
                                 C* patches) {
    const std::int64_t columns = block.columns();
    const T* const source = dy + image * sizes.out_channels * sizes.out_plane + block.offset();
    Tensor<C, Cpu> wide;
    MatrixView<const C> right;
    if constexpr (SixteenBits<T>) {
      wide = Tensor<C, Cpu>::empty({sizes.out_channels, columns});
      parallel_for(sizes.out_channels, 1, [&](std::int64_t channel, std::int64_t) {
        std::copy_n(source + channel * sizes.out_plane, columns, wide.data() + channel * columns);
      });
      right = {wide.data(), columns};
    } else {
      right = {source, sizes.out_plane};
    }
    multiply<C>(sizes.patch, columns, sizes.out_channels,
                {weight + group * sizes.out_channels * sizes.patch, sizes.patch, true}, right,
                {patches, columns}, false);
    block.scatter(patches, dx + image * sizes.in_channels * sizes.in_plane);
  });
}

template <class T>
void conv2d_weight_gradient_im2col(const Conv2dGeometry& g, const T* x, const T* dy, T* dweight) {
  const GroupSizes sizes(g);
  std::fill_n(dweight, g.out_channels * sizes.patch, T{0});
  for_each_patch_block<T>(
      g, [&](const PatchBlock& block, std::int64_t image, std::int64_t group, T* patches) {
        block.gather(x + image * sizes.in_channels * sizes.in_plane, patches);
        multiply<T>(
            sizes.out_channels, sizes.patch, block.columns(),
            {dy + image * sizes.out_channels * sizes.out_plane + block.offset(), sizes.out_plane},
            {patches, block.columns(), true},
            {dweight + group * sizes.out_channels * sizes.patch, sizes.patch}, true);
      });
}

}  // namespace sfumato::cpu
