#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/eight.hpp"
#include "sfumato/cuda/launch.hpp"

namespace sfumato {

namespace cuda {

/// The elements that byte number `index` of BitRows is about.
struct BitPlace {
  std::int64_t first;
  std::int64_t count;  ///< to the end of the row, which may be more than eight, or none

  SFUMATO_HOST_DEVICE BitPlace(std::int64_t columns, std::int64_t bytes_per_row,
                               std::int64_t index) {
    const std::int64_t row = quotient(index, bytes_per_row);
    const std::int64_t column = (index - row * bytes_per_row) * 8;
    first = row * columns + column;
    count = columns - column;
  }
};

/// For byte number `index`: y = max(x, 0) of its elements, unless y is null, and which are
/// positive or NaN.
template <class T>
struct ReluKernel {
  std::int64_t columns;
  std::int64_t bytes_per_row;
  const T* x;
  T* y;
  std::uint8_t* bits;  ///< may be null

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const BitPlace place(columns, bytes_per_row, index);
    Eight<T> eight = Eight<T>::load(x + place.first, place.count);
    unsigned byte = 0;
    for (int i = 0; i < 8; ++i) {
      T& value = eight.values[i];
      byte |= value <= T{0} ? 0U : 1U << i;
      value = value < T{0} ? T{0} : value;  // NaN stays NaN, and gets the gradient
    }
    if (y != nullptr) eight.store(y + place.first, place.count);
    if (bits != nullptr) bits[index] = static_cast<std::uint8_t>(byte);
  }
};

/// For byte number `index`: y = x of its elements where their bits are set.
template <class T>
struct GateKernel {
  std::int64_t columns;
  std::int64_t bytes_per_row;
  const T* x;
  const std::uint8_t* bits;
  T* y;

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const BitPlace place(columns, bytes_per_row, index);
    Eight<T> eight = Eight<T>::load(x + place.first, place.count);
    const unsigned byte = bits[index];
    for (int i = 0; i < 8; ++i) {
      if ((byte >> i & 1U) == 0) eight.values[i] = T{0};
    }
    eight.store(y + place.first, place.count);
  }
};

template <class T>
void launch_relu(const BitRows& rows, const T* x, T* y, std::uint8_t* bits) {
  const std::int64_t elements = rows.rows * rows.columns;
  const std::int64_t bytes = rows.rows * rows.bytes_per_row();
  const std::array reads{dense(x, elements)};
  const std::array writes{dense(y, y == nullptr ? 0 : elements),
                          dense(bits, bits == nullptr ? 0 : bytes)};
  launch("relu", ReluKernel<T>{rows.columns, rows.bytes_per_row(), x, y, bits}, bytes, reads,
         writes);
}

}  // namespace cuda

template <class T>
void Cuda::relu(const BitRows& rows, const T* x, T* y, std::uint8_t* bits) {
  cuda::launch_relu(rows, x, y, bits);
}

template <class T>
void Cuda::gate(const BitRows& rows, const T* x, const std::uint8_t* bits, T* y) {
  const std::int64_t elements = rows.rows * rows.columns;
  const std::int64_t bytes = rows.rows * rows.bytes_per_row();
  const std::array reads{cuda::dense(x, elements), cuda::dense(bits, bytes)};
  const std::array writes{cuda::dense(y, elements)};
  cuda::launch("gate", cuda::GateKernel<T>{rows.columns, rows.bytes_per_row(), x, bits, y}, bytes,
               reads, writes);
}

}  // namespace sfumato
