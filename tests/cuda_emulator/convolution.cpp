#include "convolution.hpp"

#include <algorithm>
#include <vector>

#include "numbers.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/cpu.hpp"

namespace emulator {

namespace {

using Plane = Eigen::Map<RowMajor, 0, Eigen::OuterStride<>>;
using ConstPlane = Eigen::Map<const RowMajor, 0, Eigen::OuterStride<>>;

/// Calls visit(matrix row, pixel in it, offset in the plane of the channel or -1 in the padding)
/// for the patches of one channel at the output rows [row, row_end).
template <class Visit>
void for_each_tap(const Convolution& g, std::int64_t row, std::int64_t row_end,
                  const Visit& visit) {
  for (std::int64_t tap = 0; tap < g.kernel_h * g.kernel_w; ++tap) {
    const std::int64_t dy = tap / g.kernel_w * g.dilation_h - g.padding_h;
    const std::int64_t dx = tap % g.kernel_w * g.dilation_w - g.padding_w;
    for (std::int64_t out_y = row; out_y < row_end; ++out_y) {
      const std::int64_t in_y = out_y * g.stride_h + dy;
      const bool row_inside = in_y >= 0 && in_y < g.h;
      for (std::int64_t out_x = 0; out_x < g.out_w; ++out_x) {
        const std::int64_t in_x = out_x * g.stride_w + dx;
        const bool inside = row_inside && in_x >= 0 && in_x < g.w;
        visit(tap, (out_y - row) * g.out_w + out_x, inside ? in_y * g.w + in_x : -1);
      }
    }
  }
}

void gather(const Convolution& g, const double* planes, std::int64_t channels, std::int64_t row,
            std::int64_t row_end, RowMajor& patches) {
  const std::int64_t taps = g.kernel_h * g.kernel_w;
  patches.resize(channels * taps, (row_end - row) * g.out_w);
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const double* const plane = planes + channel * g.h * g.w;
    double* const rows = patches.data() + channel * taps * patches.cols();
    for_each_tap(g, row, row_end, [&](std::int64_t tap, std::int64_t pixel, std::int64_t offset) {
      rows[tap * patches.cols() + pixel] = offset < 0 ? 0.0 : plane[offset];
    });
  }
}

/// The filters as they are applied: a true convolution turns them by 180°.
const double* applied(const Convolution& g, const double* filters, std::vector<double>& turned) {
  if (!g.flips) return filters;
  turned.assign(filters, filters + g.filter_count());
  const std::int64_t taps = g.kernel_h * g.kernel_w;
  for (auto at = turned.begin(); at != turned.end(); at += taps) std::reverse(at, at + taps);
  return turned.data();
}

/// Whether it would take long in this way. Then sfumato's Cpu computes it, which multiplies less,
/// by Winograd's algorithm.
bool is_large(const Convolution& g) {
  constexpr std::int64_t kLarge = std::int64_t{1} << 24;  // multiplications
  return !g.flips && g.filter_count() * g.n * g.out_h * g.out_w >= kLarge;
}

sfumato::Conv2dGeometry geometry(const Convolution& g) {
  return {.batch = g.n,
          .in_channels = g.c,
          .in_h = g.h,
          .in_w = g.w,
          .out_channels = g.k,
          .out_h = g.out_h,
          .out_w = g.out_w,
          .kernel_h = g.kernel_h,
          .kernel_w = g.kernel_w,
          .stride_h = g.stride_h,
          .stride_w = g.stride_w,
          .padding_h = g.padding_h,
          .padding_w = g.padding_w,
          .dilation_h = g.dilation_h,
          .dilation_w = g.dilation_w,
          .groups = g.groups};
}

constexpr std::int64_t kChannels = 8;  // whose patches one thread holds

/// Calls body(image, group, first channel, channels) for every part of the input, on all threads.
template <class Body>
void for_each_part(const Convolution& g, std::int64_t images, const Body& body) {
  const std::int64_t in_group = g.c / g.groups;
  const std::int64_t parts = (in_group + kChannels - 1) / kChannels;
  sfumato::parallel_for(images * g.groups * parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % parts * kChannels;
      body(i / parts / g.groups, i / parts % g.groups, first,
           std::min(kChannels, in_group - first));
    }
  });
}

}  // namespace

void convolve(const Convolution& g, const double* x, const double* filters, double* y) {
  if (is_large(g)) {
    return sfumato::Cpu::conv2d<double>(geometry(g), x, filters, nullptr, y);
  }
  std::vector<double> turned;
  filters = applied(g, filters, turned);
  const std::int64_t in_group = g.c / g.groups;
  const std::int64_t out_group = g.k / g.groups;
  const std::int64_t size = in_group * g.kernel_h * g.kernel_w;
  const std::int64_t rows = std::clamp<std::int64_t>(2048 / std::max<std::int64_t>(g.out_w, 1), 1,
                                                     std::max<std::int64_t>(g.out_h, 1));
  const std::int64_t bands = (g.out_h + rows - 1) / rows;
  sfumato::parallel_for(g.n * g.groups * bands, 1, [&](std::int64_t begin, std::int64_t end) {
    RowMajor patches;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i % bands * rows;
      const std::int64_t row_end = std::min(row + rows, g.out_h);
      const std::int64_t group = i / bands % g.groups;
      const std::int64_t image = i / bands / g.groups;
      gather(g, x + (image * g.c + group * in_group) * g.h * g.w, in_group, row, row_end, patches);
      const Eigen::Map<const RowMajor> weights(filters + group * out_group * size, out_group, size);
      Plane out(y + (image * g.k + group * out_group) * g.out_h * g.out_w + row * g.out_w,
                out_group, patches.cols(), Eigen::OuterStride<>(g.out_h * g.out_w));
      out.noalias() = weights * patches;
    }
  });
}

void convolve_back_to_input(const Convolution& g, const double* filters, const double* dy,
                            double* dx) {
  if (is_large(g)) {
    return sfumato::Cpu::conv2d_input_gradient(geometry(g), dy, filters, dx);
  }
  std::vector<double> turned;
  filters = applied(g, filters, turned);
  const std::int64_t taps = g.kernel_h * g.kernel_w;
  const std::int64_t out_group = g.k / g.groups;
  for_each_part(
      g, g.n,
      [&](std::int64_t image, std::int64_t group, std::int64_t first, std::int64_t channels) {
        const ConstPlane weights(filters + (group * out_group * (g.c / g.groups) + first) * taps,
                                 out_group, channels * taps,
                                 Eigen::OuterStride<>(g.c / g.groups * taps));
        const Eigen::Map<const RowMajor> gradient(
            dy + (image * g.k + group * out_group) * g.out_h * g.out_w, out_group,
            g.out_h * g.out_w);
        RowMajor patches(channels * taps, g.out_h * g.out_w);
        patches.noalias() = weights.transpose() * gradient;
        for (std::int64_t channel = 0; channel < channels; ++channel) {
          double* const plane =
              dx + (image * g.c + group * (g.c / g.groups) + first + channel) * g.h * g.w;
          const double* const rows = patches.data() + channel * taps * patches.cols();
          std::fill(plane, plane + g.h * g.w, 0.0);
          for_each_tap(g, 0, g.out_h,
                       [&](std::int64_t tap, std::int64_t pixel, std::int64_t offset) {
                         if (offset >= 0) plane[offset] += rows[tap * patches.cols() + pixel];
                       });
        }
      });
}

void convolve_back_to_filters(const Convolution& g, const double* x, const double* dy,
                              double* dfilters) {
  const std::int64_t taps = g.kernel_h * g.kernel_w;
  const std::int64_t in_group = g.c / g.groups;
  const std::int64_t out_group = g.k / g.groups;
  for_each_part(g, 1,
                [&](std::int64_t, std::int64_t group, std::int64_t first, std::int64_t channels) {
                  Plane out(dfilters + (group * out_group * in_group + first) * taps, out_group,
                            channels * taps, Eigen::OuterStride<>(in_group * taps));
                  out.setZero();
                  RowMajor patches;
                  for (std::int64_t image = 0; image < g.n; ++image) {
                    gather(g, x + (image * g.c + group * in_group + first) * g.h * g.w, channels, 0,
                           g.out_h, patches);
                    const Eigen::Map<const RowMajor> gradient(
                        dy + (image * g.k + group * out_group) * g.out_h * g.out_w, out_group,
                        g.out_h * g.out_w);
                    out.noalias() += gradient * patches.transpose();
                  }
                });
  if (g.flips) {
    for (double* at = dfilters; at != dfilters + g.filter_count(); at += taps)
      std::reverse(at, at + taps);
  }
}

}  // namespace emulator
