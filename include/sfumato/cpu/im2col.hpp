#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "sfumato/core/division.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/gemm.hpp"

/// Convolution as a matrix product (im2col): the patch under the filter at every output position
/// becomes a column of a matrix, some output rows of an image or some images at a time, so that the
/// matrix stays in cache and is wide enough for a product to be fast.
/// Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
/// processing" (2006).
namespace sfumato::cpu {

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

/// Some output rows of an image, or all of some images, and the matrix of the patches that one
/// group sees there: a row for each (channel, kernel row, kernel column), a column for each output
/// position.
class PatchBlock {
 public:
  PatchBlock(const Conv2dGeometry& geometry, std::int64_t group, std::int64_t image,
             std::int64_t images, std::int64_t row, std::int64_t rows)
      : g_(geometry),
        sizes_(geometry),
        group_(group),
        image_(image),
        images_(images),
        row_(row),
        rows_(rows) {}

  std::int64_t group() const { return group_; }
  std::int64_t columns() const { return images_ * columns_per_image(); }

  /// Fills the matrix from x.
  template <class T>
  void gather(const T* x, Compute<T>* patches) const {
    parallel_for(sizes_.patch, kRowsPerChunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for_each_line(row, [&](std::int64_t column, std::int64_t offset, std::int64_t first,
                               std::int64_t last) {
          for (std::int64_t image = 0; image < images_; ++image) {
            const T* source = x + image * g_.in_channels * sizes_.in_plane + offset;
            Compute<T>* line = patches + row * columns() + image * columns_per_image() + column;
            for (std::int64_t j = 0; j < first; ++j) line[j] = Compute<T>{0};
            if (g_.stride_w == 1) {
              for (std::int64_t j = first; j < last; ++j) line[j] = source[j];
            } else {
              for (std::int64_t j = first; j < last; ++j) line[j] = source[j * g_.stride_w];
            }
            for (std::int64_t j = last; j < g_.out_w; ++j) line[j] = Compute<T>{0};
          }
        });
      }
    });
  }

  /// The adjoint of gather: adds the matrix to dx.
  template <class T>
  void scatter(const T* patches, T* dx) const {
    const std::int64_t taps = g_.kernel_h * g_.kernel_w;
    parallel_for(sizes_.in_channels, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin * taps; row < end * taps; ++row) {
        for_each_line(row, [&](std::int64_t column, std::int64_t offset, std::int64_t first,
                               std::int64_t last) {
          for (std::int64_t image = 0; image < images_; ++image) {
            T* target = dx + image * g_.in_channels * sizes_.in_plane + offset;
            const T* line = patches + row * columns() + image * columns_per_image() + column;
            for (std::int64_t j = first; j < last; ++j) target[j * g_.stride_w] += line[j];
          }
        });
      }
    });
  }

  /// The group's channels of y, or of dy, at the block's positions, as the rows of a matrix in what
  /// the elements are computed in: where they are, if that is one, else in `room`.
  template <class T>
  auto outputs(T* y, Tensor<Compute<std::remove_const_t<T>>, Cpu>& room) const {
    using C = Compute<std::remove_const_t<T>>;
    using View = MatrixView<std::conditional_t<std::is_const_v<T>, const C, C>>;
    if constexpr (!SixteenBits<std::remove_const_t<T>>) {
      if (images_ == 1) return View{y + first_output(), sizes_.out_plane};
    }
    room = Tensor<C, Cpu>::empty({sizes_.out_channels, columns()});
    if constexpr (std::is_const_v<T>) {
      for_each_run(room, y, [](C* in_room, const T* in_y, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) in_room[i] = in_y[i];
      });
    }
    return View{room.data(), columns()};
  }
  /// Copies from `room`, if outputs() has used it, to y.
  template <class C, class T>
  void store_outputs(Tensor<C, Cpu>& room, T* y) const {
    if (!room.defined()) return;
    for_each_run(room, y, [](const C* in_room, T* in_y, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) in_y[i] = in_room[i];
    });
  }

 private:
  static constexpr std::int64_t kRowsPerChunk = 8;

  std::int64_t columns_per_image() const { return rows_ * g_.out_w; }
  std::int64_t first_output() const {
    return (image_ * g_.out_channels + group_ * sizes_.out_channels) * sizes_.out_plane +
           row_ * g_.out_w;
  }

  /// Calls `body(in_room, in_y, count)` for the runs of numbers that lie together in both.
  template <class C, class T, class Body>
  void for_each_run(Tensor<C, Cpu>& room, T* y, const Body& body) const {
    parallel_for(sizes_.out_channels, kRowsPerChunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t channel = begin; channel < end; ++channel) {
        for (std::int64_t image = 0; image < images_; ++image) {
          body(room.data() + channel * columns() + image * columns_per_image(),
               y + first_output() + (image * g_.out_channels + channel) * sizes_.out_plane,
               columns_per_image());
        }
      }
    });
  }

  /// Calls `body(column, offset, first, last)` for each output row of an image, of a row of the
  /// matrix: the column that it begins at, and that the outputs first … last - 1 see x at offset +
  /// j · stride_w, the others padding. Both are of the first image.
  template <class Body>
  void for_each_line(std::int64_t row, const Body& body) const {
    const std::int64_t tap = row % (g_.kernel_h * g_.kernel_w);
    const std::int64_t channel = group_ * sizes_.in_channels + row / (g_.kernel_h * g_.kernel_w);
    const std::int64_t in_column = tap % g_.kernel_w * g_.dilation_w - g_.padding_w;
    const std::int64_t first =
        std::min(g_.out_w, in_column < 0 ? ceil_div(-in_column, g_.stride_w) : 0);
    const std::int64_t last = std::clamp(
        g_.in_w > in_column ? ceil_div(g_.in_w - in_column, g_.stride_w) : 0, first, g_.out_w);
    for (std::int64_t i = 0; i < rows_; ++i) {
      const std::int64_t in_row =
          (row_ + i) * g_.stride_h + tap / g_.kernel_w * g_.dilation_h - g_.padding_h;
      const bool inside = in_row >= 0 && in_row < g_.in_h;
      const std::int64_t plane = (image_ * g_.in_channels + channel) * sizes_.in_plane;
      body(i * g_.out_w, plane + (inside ? in_row * g_.in_w + in_column : 0),
           inside ? first : g_.out_w, inside ? last : g_.out_w);
    }
  }

  const Conv2dGeometry& g_;
  GroupSizes sizes_;
  std::int64_t group_;
  std::int64_t image_;
  std::int64_t images_;
  std::int64_t row_;
  std::int64_t rows_;
};

/// How all outputs are cut into blocks, of whole images where these are small.
class PatchBlocks {
 public:
  /// Blocks whose matrices have about `most_elements`.
  PatchBlocks(const Conv2dGeometry& geometry, std::int64_t most_elements)
      : g_(geometry), patch_(GroupSizes(geometry).patch) {
    const std::int64_t rows =
        std::max<std::int64_t>(1, most_elements / std::max<std::int64_t>(1, patch_ * g_.out_w));
    rows_ = std::min(rows, std::max<std::int64_t>(1, g_.out_h));
    images_ = std::clamp<std::int64_t>(rows / rows_, 1, std::max<std::int64_t>(1, g_.batch));
    per_image_ = ceil_div(g_.out_h, rows_);
  }

  std::int64_t count() const {
    return g_.out_w == 0 ? 0 : g_.groups * per_image_ * ceil_div(g_.batch, images_);
  }
  /// Room for the matrix of any block.
  template <class T>
  Tensor<T, Cpu> room() const {
    return Tensor<T, Cpu>::empty({patch_ * images_ * rows_ * g_.out_w});
  }
  PatchBlock operator[](std::int64_t index) const {
    const std::int64_t row = index / g_.groups % per_image_ * rows_;
    const std::int64_t image = index / g_.groups / per_image_ * images_;
    return {g_,    index % g_.groups,
            image, std::min(images_, g_.batch - image),
            row,   std::min(rows_, g_.out_h - row)};
  }

 private:
  const Conv2dGeometry& g_;
  std::int64_t patch_;
  std::int64_t rows_;
  std::int64_t images_;
  std::int64_t per_image_;
};

/// Elements of the matrix of a block that all threads work on, and of one that a thread has for
/// itself.
inline constexpr std::int64_t kSharedPatches = 1 << 21;
inline constexpr std::int64_t kOwnPatches = 1 << 16;

/// Whether each block of patches should be done by one thread: few weights go with many small
/// blocks; of many, each block should use all.
inline bool has_few_weights(const Conv2dGeometry& g) {
  return g.weight_elements() / g.groups <= 1 << 14;
}

/// y of T from weights in what T is computed in.
template <class T>
void conv2d_im2col(const Conv2dGeometry& g, const T* x, const Compute<T>* weight, const T* bias,
                   T* y) {
  using C = Compute<T>;
  const GroupSizes sizes(g);
  const bool alone = has_few_weights(g);
  const PatchBlocks blocks(g, alone ? kOwnPatches : kSharedPatches);
  parallel_for(
      blocks.count(), alone ? 1 : blocks.count(), [&](std::int64_t begin, std::int64_t end) {
        auto patches = blocks.room<C>();
        for (std::int64_t index = begin; index < end; ++index) {
          const PatchBlock block = blocks[index];
          const std::int64_t columns = block.columns();
          const std::int64_t first = block.group() * sizes.out_channels;
          Tensor<C, Cpu> room;
          const MatrixView<C> out = block.outputs(y, room);
          for (std::int64_t channel = 0; bias != nullptr && channel < sizes.out_channels;
               ++channel) {
            std::fill_n(out.data + channel * out.stride, columns, C{bias[first + channel]});
          }
          block.gather(x, patches.data());
          multiply<C>(sizes.out_channels, columns, sizes.patch,
                      {weight + first * sizes.patch, sizes.patch}, {patches.data(), columns}, out,
                      bias != nullptr);
          block.store_outputs(room, y);
        }
      });
}

/// dx from dy of T; all else in what T is computed in.
template <class T>
void conv2d_input_gradient_im2col(const Conv2dGeometry& g, const T* dy, const Compute<T>* weight,
                                  Compute<T>* dx) {
  using C = Compute<T>;
  const GroupSizes sizes(g);
  std::fill_n(dx, g.batch * g.in_channels * sizes.in_plane, C{0});
  const PatchBlocks blocks(g, kSharedPatches);
  auto patches = blocks.room<C>();
  for (std::int64_t index = 0; index < blocks.count(); ++index) {
    const PatchBlock block = blocks[index];
    const std::int64_t columns = block.columns();
    Tensor<C, Cpu> room;
    const MatrixView<const C> right = block.outputs(dy, room);
    multiply<C>(sizes.patch, columns, sizes.out_channels,
                {weight + block.group() * sizes.out_channels * sizes.patch, sizes.patch, true},
                right, {patches.data(), columns}, false);
    block.scatter(patches.data(), dx);
  }
}

template <class T>
void conv2d_weight_gradient_im2col(const Conv2dGeometry& g, const T* x, const T* dy, T* dweight) {
  const GroupSizes sizes(g);
  std::fill_n(dweight, g.out_channels * sizes.patch, T{0});
  const PatchBlocks blocks(g, kSharedPatches);
  auto patches = blocks.room<T>();
  for (std::int64_t index = 0; index < blocks.count(); ++index) {
    const PatchBlock block = blocks[index];
    Tensor<T, Cpu> room;
    const MatrixView<const T> left = block.outputs(dy, room);
    block.gather(x, patches.data());
    multiply<T>(sizes.out_channels, sizes.patch, block.columns(), left,
                {patches.data(), block.columns(), true},
                {dweight + block.group() * sizes.out_channels * sizes.patch, sizes.patch}, true);
  }
}

}  // namespace sfumato::cpu
