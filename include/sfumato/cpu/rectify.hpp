#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>

#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"
#include "sfumato/cpu/loops.hpp"

namespace sfumato {

namespace cpu {

/// Calls `body(first, count, bits)` for runs of elements that lie in one row and begin at a whole
/// 16-bit word: the offset of the first element, how many there are, and the offset of their bits.
template <class Body>
void for_each_bit_run(const BitRows& rows, const Body& body) {
  const std::int64_t words = rows.bytes_per_row() / 2;
  constexpr std::int64_t kWords = kElementsPerChunk / 16;
  parallel_for(rows.rows * words, kWords, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t row = begin / words;
      const std::int64_t column = begin % words * 16;
      const std::int64_t stop = std::min(end, (row + 1) * words);
      const std::int64_t count = std::min((stop - begin) * 16, rows.columns - column);
      body(row * rows.columns + column, count, begin * 2);
      begin = stop;
    }
  });
}

template <class T>
void relu_run(std::int64_t count, const T* x, T* y, std::uint8_t* bits) {
  for (std::int64_t i = 0; i < count; i += 16) {
    std::uint16_t word = 0;
    for (std::int64_t j = i; j < std::min(i + 16, count); ++j) {
      const T value = x[j];
      word = static_cast<std::uint16_t>(word | (value <= T{0} ? 0U : 1U << (j - i)));
      y[j] = value < T{0} ? T{0} : value;  // NaN stays NaN, and gets the gradient
    }
    if (bits != nullptr) {
      bits[i / 8] = static_cast<std::uint8_t>(word & 0xff);
      bits[i / 8 + 1] = static_cast<std::uint8_t>(word >> 8);
    }
  }
}

template <class T>
void gate_run(std::int64_t count, const T* x, const std::uint8_t* bits, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = (bits[i / 8] >> (i % 8) & 1) != 0 ? x[i] : T{0};
}

}  // namespace cpu

template <class T>
void Cpu::relu(const BitRows& rows, const T* x, T* y, std::uint8_t* bits) {
  cpu::for_each_bit_run(rows, [&](std::int64_t first, std::int64_t count, std::int64_t byte) {
    std::uint8_t* const own = bits == nullptr ? nullptr : bits + byte;
    if constexpr (cpu::HasKernels<T>) {
      cpu::kernels<cpu::ElementKernels<T>>().relu_run(count, x + first, y + first, own);
    } else {
      cpu::relu_run(count, x + first, y + first, own);
    }
  });
}

template <class T>
void Cpu::gate(const BitRows& rows, const T* x, const std::uint8_t* bits, T* y) {
  cpu::for_each_bit_run(rows, [&](std::int64_t first, std::int64_t count, std::int64_t byte) {
    if constexpr (cpu::HasKernels<T>) {
      cpu::kernels<cpu::ElementKernels<T>>().gate_run(count, x + first, bits + byte, y + first);
    } else {
      cpu::gate_run(count, x + first, bits + byte, y + first);
    }
  });
}

}  // namespace sfumato
