#pragma once

#include <cstdint>

namespace sfumato::cpu {

/// A row-major matrix somewhere in memory; rows are `stride` elements apart.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t stride = 0;
  bool transposed = false;  ///< read as the transpose of what is stored

  MatrixView block(std::int64_t row, std::int64_t column) const {
    const std::int64_t offset = transposed ? column * stride + row : row * stride + column;
    return {data + offset, stride, transposed};
  }
};

}  // namespace sfumato::cpu
