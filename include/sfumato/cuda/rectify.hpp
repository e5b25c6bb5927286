#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/launch.hpp"

namespace sfumato {

namespace cuda {

/// Where bits and elements of BitRows are, in numbers that the GPU divides by.
struct BitPlaces {
  std::int64_t columns;
  std::int64_t words;  ///< of 16 bits, for each row

  explicit BitPlaces(const BitRows& rows)
      : columns(rows.columns), words(rows.bytes_per_row() / 2) {}
};

/// For word number `index`: y = max(x, 0) of its elements, unless y is null, and which are
/// positive.
template <class T>
struct ReluKernel {
  BitPlaces places;
  const T* x;
  T* y;
  std::uint8_t* bits;  ///< may be null

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const std::int64_t row = quotient(index, places.words);
    const std::int64_t column = (index - row * places.words) * 16;
    const std::int64_t first = row * places.columns + column;
    const std::int64_t left = places.columns - column;
    const int count = left < 16 ? static_cast<int>(left) : 16;
    unsigned word = 0;
    for (int i = 0; i < count; ++i) {
      const T value = x[first + i];
      word |= value > T{0} ? 1U << i : 0U;
      if (y != nullptr) y[first + i] = value < T{0} ? T{0} : value;  // NaN stays NaN
    }
    if (bits != nullptr) {
      bits[index * 2] = static_cast<std::uint8_t>(word & 255U);
      bits[index * 2 + 1] = static_cast<std::uint8_t>(word >> 8);
    }
  }
};

/// For element number `index`.
template <class T>
struct GateKernel {
  BitPlaces places;
  const T* x;
  const std::uint8_t* bits;
  T* y;

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const std::int64_t row = quotient(index, places.columns);
    const std::int64_t column = index - row * places.columns;
    const int byte = bits[row * places.words * 2 + column / 8];
    y[index] = (byte >> (column % 8) & 1) != 0 ? x[index] : T{0};
  }
};

template <class T>
void launch_relu(const BitRows& rows, const T* x, T* y, std::uint8_t* bits) {
  const std::int64_t elements = rows.rows * rows.columns;
  const std::int64_t words = rows.rows * rows.bytes_per_row() / 2;
  const std::array reads{dense(x, elements)};
  const std::array writes{dense(y, y == nullptr ? 0 : elements),
                          dense(bits, bits == nullptr ? 0 : words * 2)};
  launch("relu", ReluKernel<T>{BitPlaces(rows), x, y, bits}, words, reads, writes);
}

}  // namespace cuda

template <class T>
void Cuda::relu(const BitRows& rows, const T* x, T* y, std::uint8_t* bits) {
  cuda::launch_relu(rows, x, y, bits);
}

template <class T>
void Cuda::gate(const BitRows& rows, const T* x, const std::uint8_t* bits, T* y) {
  const std::int64_t elements = rows.rows * rows.columns;
  const std::array reads{cuda::dense(x, elements),
                         cuda::dense(bits, rows.rows * rows.bytes_per_row())};
  const std::array writes{cuda::dense(y, elements)};
  cuda::launch("gate", cuda::GateKernel<T>{cuda::BitPlaces(rows), x, bits, y}, elements, reads,
               writes);
}

}  // namespace sfumato
