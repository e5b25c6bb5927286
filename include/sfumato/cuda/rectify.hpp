#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/eight.hpp"
#include "sfumato/cuda/launch.hpp"
#include "sfumato/cuda/quotient.hpp"

namespace sfumato {

namespace cuda {

/// The elements that byte number `index` of BitRows is about.
struct BitRun {
  std::int64_t first;
  std::int64_t count;  ///< to the end of the row, which may be more than eight, or none

  SFUMATO_HOST_DEVICE BitRun(std::int64_t columns, std::int64_t bytes_per_row, std::int64_t index) {
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

  template <class Memory>
  void touch(Memory& memory, std::int64_t count) const {
    memory.reads(x, count / bytes_per_row * columns);
    memory.writes(y, count / bytes_per_row * columns);
    memory.writes(bits, count);
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const BitRun run(columns, bytes_per_row, index);
    Eight<T> eight = Eight<T>::load(x + run.first, run.count);
    unsigned byte = 0;
    for (int i = 0; i < 8; ++i) {
      T& value = eight.values[i];
      byte |= value <= T{0} ? 0U : 1U << i;
      value = value < T{0} ? T{0} : value;  // NaN stays NaN, and gets the gradient
    }
    if (y != nullptr) eight.store(y + run.first, run.count);
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

  template <class Memory>
  void touch(Memory& memory, std::int64_t count) const {
    memory.reads(x, count / bytes_per_row * columns);
    memory.reads(bits, count);
    memory.writes(y, count / bytes_per_row * columns);
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const BitRun run(columns, bytes_per_row, index);
    Eight<T> eight = Eight<T>::load(x + run.first, run.count);
    const unsigned byte = bits[index];
    for (int i = 0; i < 8; ++i) {
      if ((byte >> i & 1U) == 0) eight.values[i] = T{0};
    }
    eight.store(y + run.first, run.count);
  }
};

}  // namespace cuda

template <class T>
void Cuda::relu(const BitRows& rows, const T* x, T* y, std::uint8_t* bits) {
  cuda::launch("relu", cuda::ReluKernel<T>{rows.columns, rows.bytes_per_row(), x, y, bits},
               rows.rows * rows.bytes_per_row());
}

template <class T>
void Cuda::gate(const BitRows& rows, const T* x, const std::uint8_t* bits, T* y) {
  cuda::launch("gate", cuda::GateKernel<T>{rows.columns, rows.bytes_per_row(), x, bits, y},
               rows.rows * rows.bytes_per_row());
}

}  // namespace sfumato
