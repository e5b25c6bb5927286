#pragma once

#include <cstdint>

#include "sfumato/core/division.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/launch.hpp"
#include "sfumato/cuda/quotient.hpp"

// All pooling is our own: cuDNN's does not say where the maxima are, and its gradient of the mean
// wants the input and output back, which nobody keeps.

namespace sfumato {

namespace cuda {

inline std::int64_t inputs(const Pool2dGeometry& g) {
  return g.planes * g.in_h * g.in_w;
}
inline std::int64_t outputs(const Pool2dGeometry& g) {
  return g.planes * g.out_h * g.out_w;
}

/// The part of an image that output number `index` of a pooling sees.
struct Window {
  std::int64_t plane;
  std::int64_t i;  ///< of the output in its plane: row
  std::int64_t j;  ///< and column
  std::int64_t top;
  std::int64_t bottom;
  std::int64_t left;
  std::int64_t right;

  SFUMATO_HOST_DEVICE Window(const Pool2dGeometry& g, std::int64_t index) {
    const std::int64_t row = quotient(index, g.out_w);
    plane = quotient(row, g.out_h);
    i = row - plane * g.out_h;
    j = index - row * g.out_w;
    top = g.top(i);
    bottom = g.bottom(i);
    left = g.left(j);
    right = g.right(j);
  }
};

/// The outputs whose windows lie over input number `index`: rows [top, bottom), columns [left,
/// right).
struct Observers {
  std::int64_t plane;
  std::int64_t position;  ///< of the input in its plane
  std::int64_t top;
  std::int64_t bottom;
  std::int64_t left;
  std::int64_t right;

  SFUMATO_HOST_DEVICE Observers(const Pool2dGeometry& g, std::int64_t index) {
    const std::int64_t size = g.in_h * g.in_w;
    plane = quotient(index, size);
    position = index - plane * size;
    const std::int64_t row = quotient(position, g.in_w);
    const std::int64_t column = position - row * g.in_w;
    find(row + g.padding_h, g.reach_h(), g.stride_h, g.out_h, top, bottom);
    find(column + g.padding_w, g.reach_w(), g.stride_w, g.out_w, left, right);
  }

 private:
  static SFUMATO_HOST_DEVICE void find(std::int64_t position, std::int64_t kernel,
                                       std::int64_t stride, std::int64_t outputs,
                                       std::int64_t& first, std::int64_t& end) {
    first = position < kernel ? 0 : quotient(position - kernel, stride) + 1;
    end = quotient(position, stride) + 1;
    if (end > outputs) end = outputs;
  }
};

template <class T, class Place>
struct MaxPoolKernel {
  Pool2dGeometry g;
  const T* x;
  T* y;
  Place* places;

  template <class Memory>
  void touch(Memory& memory, std::int64_t) const {
    memory.reads(x, inputs(g));
    memory.writes(y, outputs(g));
    memory.writes(places, outputs(g));
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const Window window(g, index);
    const T* const image = x + window.plane * g.in_h * g.in_w;
    std::int64_t best_row = window.top;
    std::int64_t best_column = window.left;
    T best = image[best_row * g.in_w + best_column];
    for (std::int64_t row = window.top; row < window.bottom; row += g.dilation_h) {
      for (std::int64_t column = window.left; column < window.right; column += g.dilation_w) {
        const T value = image[row * g.in_w + column];
        // The first maximum wins, and the first NaN over everything.
        if (!(value <= best) && best == best) {
          best = value;
          best_row = row;
          best_column = column;
        }
      }
    }
    y[index] = best;
    places[index] = static_cast<Place>(g.place(window.i, window.j, best_row, best_column));
  }
};

/// Each input looks for the outputs that chose it, so that none is written twice.
template <class T, class Place>
struct MaxPoolScatterKernel {
  Pool2dGeometry g;
  const T* dy;
  const Place* places;
  T* dx;

  template <class Memory>
  void touch(Memory& memory, std::int64_t) const {
    memory.reads(dy, outputs(g));
    memory.reads(places, outputs(g));
    memory.writes(dx, inputs(g));
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const Observers observers(g, index);
    Compute<T> total{0};
    for (std::int64_t i = observers.top; i < observers.bottom; ++i) {
      for (std::int64_t j = observers.left; j < observers.right; ++j) {
        const std::int64_t out = (observers.plane * g.out_h + i) * g.out_w + j;
        if (g.position(i, j, places[out]) == observers.position) total += dy[out];
      }
    }
    dx[index] = static_cast<T>(total);
  }
};

/// The same where windows lie side by side: window number `index`, of those that cover the image,
/// writes all that it sees. The last of a row or column may reach beyond the image, and be no
/// output.
template <class T, class Place>
struct MaxPoolTilesKernel {
  Pool2dGeometry g;
  std::int64_t rows;     ///< of windows in a plane
  std::int64_t columns;  ///< of windows in a plane
  const T* dy;
  const Place* places;
  T* dx;

  static bool applies(const Pool2dGeometry& g) {
    return g.stride_h == g.kernel_h && g.stride_w == g.kernel_w && g.padding_h == 0 &&
           g.padding_w == 0 && g.dilation_h == 1 && g.dilation_w == 1;
  }

  template <class Memory>
  void touch(Memory& memory, std::int64_t) const {
    memory.reads(dy, outputs(g));
    memory.reads(places, outputs(g));
    memory.writes(dx, inputs(g));
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const std::int64_t line = quotient(index, columns);
    const std::int64_t column = index - line * columns;
    const std::int64_t plane = quotient(line, rows);
    const std::int64_t row = line - plane * rows;
    const bool is_output = row < g.out_h && column < g.out_w;
    const std::int64_t out = (plane * g.out_h + row) * g.out_w + column;
    const std::int64_t chosen = is_output ? g.position(row, column, places[out]) : -1;
    const T value = is_output ? dy[out] : T{0};
    T* const image = dx + plane * g.in_h * g.in_w;
    for (std::int64_t i = row * g.kernel_h; i < (row + 1) * g.kernel_h && i < g.in_h; ++i) {
      for (std::int64_t j = column * g.kernel_w; j < (column + 1) * g.kernel_w && j < g.in_w; ++j) {
        const std::int64_t position = i * g.in_w + j;
        image[position] = position == chosen ? value : T{0};
      }
    }
  }
};

template <class T, class Place>
struct MaxPoolGatherKernel {
  Pool2dGeometry g;
  const T* x;
  const Place* places;
  T* y;

  template <class Memory>
  void touch(Memory& memory, std::int64_t) const {
    memory.reads(x, inputs(g));
    memory.reads(places, outputs(g));
    memory.writes(y, outputs(g));
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const Window window(g, index);
    y[index] = x[window.plane * g.in_h * g.in_w + g.position(window.i, window.j, places[index])];
  }
};

template <class T>
struct AvgPoolKernel {
  Pool2dGeometry g;
  const T* x;
  T* y;

  template <class Memory>
  void touch(Memory& memory, std::int64_t) const {
    memory.reads(x, inputs(g));
    memory.writes(y, outputs(g));
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const Window window(g, index);
    const T* const image = x + window.plane * g.in_h * g.in_w;
    Wide<T> total{0};
    for (std::int64_t i = window.top; i < window.bottom; ++i) {
      for (std::int64_t j = window.left; j < window.right; ++j) {
        total += static_cast<Wide<T>>(image[i * g.in_w + j]);
      }
    }
    y[index] = static_cast<T>(total / static_cast<Wide<T>>(g.kernel_h * g.kernel_w));
  }
};

template <class T>
struct AvgPoolGradientKernel {
  Pool2dGeometry g;
  const T* dy;
  T* dx;

  template <class Memory>
  void touch(Memory& memory, std::int64_t) const {
    memory.reads(dy, outputs(g));
    memory.writes(dx, inputs(g));
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const Observers observers(g, index);
    Compute<T> total{0};
    for (std::int64_t i = observers.top; i < observers.bottom; ++i) {
      for (std::int64_t j = observers.left; j < observers.right; ++j) {
        total += dy[(observers.plane * g.out_h + i) * g.out_w + j];
      }
    }
    dx[index] = static_cast<T>(total / static_cast<Compute<T>>(g.kernel_h * g.kernel_w));
  }
};

}  // namespace cuda

template <class T, class Place>
void Cuda::max_pool2d(const Pool2dGeometry& geometry, const T* x, T* y, Place* places) {
  cuda::launch("max_pool2d", cuda::MaxPoolKernel<T, Place>{geometry, x, y, places},
               cuda::outputs(geometry));
}

template <class T, class Place>
void Cuda::max_pool2d_scatter(const Pool2dGeometry& geometry, const T* dy, const Place* places,
                              T* dx) {
  constexpr const char* kKernel = "max_pool2d_scatter";
  using Tiles = cuda::MaxPoolTilesKernel<T, Place>;
  if (Tiles::applies(geometry)) {
    const std::int64_t rows = ceil_div(geometry.in_h, geometry.kernel_h);
    const std::int64_t columns = ceil_div(geometry.in_w, geometry.kernel_w);
    cuda::launch(kKernel, Tiles{geometry, rows, columns, dy, places, dx},
                 geometry.planes * rows * columns);
    return;
  }
  cuda::launch(kKernel, cuda::MaxPoolScatterKernel<T, Place>{geometry, dy, places, dx},
               cuda::inputs(geometry));
}

template <class T, class Place>
void Cuda::max_pool2d_gather(const Pool2dGeometry& geometry, const T* x, const Place* places,
                             T* y) {
  cuda::launch("max_pool2d_gather", cuda::MaxPoolGatherKernel<T, Place>{geometry, x, places, y},
               cuda::outputs(geometry));
}

template <class T>
void Cuda::avg_pool2d(const Pool2dGeometry& geometry, const T* x, T* y) {
  cuda::launch("avg_pool2d", cuda::AvgPoolKernel<T>{geometry, x, y}, cuda::outputs(geometry));
}

template <class T>
void Cuda::avg_pool2d_gradient(const Pool2dGeometry& geometry, const T* dy, T* dx) {
  cuda::launch("avg_pool2d_gradient", cuda::AvgPoolGradientKernel<T>{geometry, dy, dx},
               cuda::inputs(geometry));
}

}  // namespace sfumato
