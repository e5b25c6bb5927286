#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>

#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/half.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"
#include "sfumato/cpu/loops.hpp"

namespace sfumato {

namespace cpu {

/// Calls `body(plane, i, j, out_position)` for every window, of output (i, j) of a plane.
template <class Body>
void for_each_window(const Pool2dGeometry& g, const Body& body) {
  const std::int64_t work_per_plane = g.in_h * g.in_w + g.out_h * g.out_w;
  const std::int64_t grain =
      std::max<std::int64_t>(1, kElementsPerChunk / std::max<std::int64_t>(work_per_plane, 1));
  parallel_for(g.planes, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      for (std::int64_t i = 0; i < g.out_h; ++i) {
        for (std::int64_t j = 0; j < g.out_w; ++j) {
          body(plane, i, j, (plane * g.out_h + i) * g.out_w + j);
        }
      }
    }
  });
}

/// Whether some input is in several windows. Sums of 16-bit gradients are then made in float.
inline bool overlap(const Pool2dGeometry& g) {
  return g.stride_h < g.reach_h() || g.stride_w < g.reach_w();
}

/// Whether windows are of 2 × 2 side by side, the common case, for which there are kernels.
inline bool halves(const Pool2dGeometry& g) {
  return g.kernel_h == 2 && g.kernel_w == 2 && g.stride_h == 2 && g.stride_w == 2 &&
         g.padding_h == 0 && g.padding_w == 0 && g.dilation_h == 1 && g.dilation_w == 1 &&
         2 * g.out_h <= g.in_h && 2 * g.out_w <= g.in_w;
}

}  // namespace cpu

template <class T, class Place>
void Cpu::max_pool2d(const Pool2dGeometry& geometry, const T* x, T* y, Place* places) {
  if constexpr (cpu::HasKernels<T> && std::same_as<Place, std::uint8_t>) {
    if (cpu::halves(geometry)) {
      const auto& kernels = cpu::kernels<cpu::ElementKernels<T>>();
      const std::int64_t in_size = geometry.in_h * geometry.in_w;
      return parallel_for(geometry.planes, 1, [&](std::int64_t plane, std::int64_t) {
        for (std::int64_t i = 0; i < geometry.out_h; ++i) {
          const std::int64_t out = (plane * geometry.out_h + i) * geometry.out_w;
          kernels.max_pool2d_row(geometry, i, x + plane * in_size, y + out, places + out);
        }
      });
    }
  }
  cpu::for_each_window(
      geometry, [&](std::int64_t plane, std::int64_t i, std::int64_t j, std::int64_t out) {
        const T* image = x + plane * geometry.in_h * geometry.in_w;
        std::int64_t best_row = geometry.top(i);
        std::int64_t best_column = geometry.left(j);
        T best = image[best_row * geometry.in_w + best_column];
        for (std::int64_t row = best_row; row < geometry.bottom(i); row += geometry.dilation_h) {
          for (std::int64_t column = geometry.left(j); column < geometry.right(j);
               column += geometry.dilation_w) {
            const T value = image[row * geometry.in_w + column];
            // The first maximum wins, and the first NaN over everything.
            if (!(value <= best) && best == best) {
              best = value;
              best_row = row;
              best_column = column;
            }
          }
        }
        y[out] = best;
        places[out] = static_cast<Place>(geometry.place(i, j, best_row, best_column));
      });
}

template <class T, class Place>
void Cpu::max_pool2d_scatter(const Pool2dGeometry& geometry, const T* dy, const Place* places,
                             T* dx) {
  const std::int64_t in_size = geometry.in_h * geometry.in_w;
  const std::int64_t out_size = geometry.out_h * geometry.out_w;
  if constexpr (cpu::HasKernels<T> && std::same_as<Place, std::uint8_t>) {
    if (cpu::halves(geometry)) {
      const auto& kernels = cpu::kernels<cpu::ElementKernels<T>>();
      return parallel_for(geometry.planes, 1, [&](std::int64_t plane, std::int64_t) {
        T* const target = dx + plane * in_size;
        for (std::int64_t i = 0; i < geometry.out_h; ++i) {
          const std::int64_t row = plane * out_size + i * geometry.out_w;
          kernels.max_pool2d_scatter_row(geometry, i, dy + row, places + row, target);
        }
        std::fill(target + geometry.out_h * 2 * geometry.in_w, target + in_size, T{0});
      });
    }
  }
  if constexpr (SixteenBits<T>) {
    if (cpu::overlap(geometry)) {
      const auto wide_dy = cpu::in_float(geometry.planes * out_size, dy);
      return cpu::store_rounded(geometry.planes * in_size, dx, [&](float* sums) {
        Cpu::max_pool2d_scatter(geometry, wide_dy.data(), places, sums);
      });
    }
  }
  parallel_for(geometry.planes, 1, [&](std::int64_t begin, std::int64_t end) {
    std::fill(dx + begin * in_size, dx + end * in_size, T{0});
  });
  cpu::for_each_window(geometry,
                       [&](std::int64_t plane, std::int64_t i, std::int64_t j, std::int64_t out) {
                         T& sum = dx[plane * in_size + geometry.position(i, j, places[out])];
                         sum = sum + dy[out];
                       });
}

template <class T, class Place>
void Cpu::max_pool2d_gather(const Pool2dGeometry& geometry, const T* x, const Place* places, T* y) {
  cpu::for_each_window(geometry,
                       [&](std::int64_t plane, std::int64_t i, std::int64_t j, std::int64_t out) {
                         const T* const image = x + plane * geometry.in_h * geometry.in_w;
                         y[out] = image[geometry.position(i, j, places[out])];
                       });
}

template <class T>
void Cpu::avg_pool2d(const Pool2dGeometry& geometry, const T* x, T* y) {
  const auto area = static_cast<Wide<T>>(geometry.kernel_h * geometry.kernel_w);
  cpu::for_each_window(
      geometry, [&](std::int64_t plane, std::int64_t i, std::int64_t j, std::int64_t out) {
        const T* image = x + plane * geometry.in_h * geometry.in_w;
        Wide<T> total{0};
        for (std::int64_t row = geometry.top(i); row < geometry.bottom(i); ++row) {
          for (std::int64_t column = geometry.left(j); column < geometry.right(j); ++column) {
            total += static_cast<Wide<T>>(image[row * geometry.in_w + column]);
          }
        }
        y[out] = static_cast<T>(total / area);
      });
}

template <class T>
void Cpu::avg_pool2d_gradient(const Pool2dGeometry& geometry, const T* dy, T* dx) {
  if constexpr (SixteenBits<T>) {
    if (cpu::overlap(geometry)) {
      const auto wide_dy = cpu::in_float(geometry.planes * geometry.out_h * geometry.out_w, dy);
      return cpu::store_rounded(
          geometry.planes * geometry.in_h * geometry.in_w, dx,
          [&](float* sums) { Cpu::avg_pool2d_gradient(geometry, wide_dy.data(), sums); });
    }
  }
  const auto area = static_cast<Compute<T>>(geometry.kernel_h * geometry.kernel_w);
  std::fill(dx, dx + geometry.planes * geometry.in_h * geometry.in_w, T{0});
  cpu::for_each_window(
      geometry, [&](std::int64_t plane, std::int64_t i, std::int64_t j, std::int64_t out) {
        T* image = dx + plane * geometry.in_h * geometry.in_w;
        const Compute<T> share = dy[out] / area;
        for (std::int64_t row = geometry.top(i); row < geometry.bottom(i); ++row) {
          for (std::int64_t column = geometry.left(j); column < geometry.right(j); ++column) {
            T& sum = image[row * geometry.in_w + column];
            sum = sum + share;
          }
        }
      });
}

}  // namespace sfumato
