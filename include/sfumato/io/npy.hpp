#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/npy_header.hpp"
#include "sfumato/io/stored_type.hpp"

/// NumPy's .npy format, versions 1 to 3: NumPy enhancement proposal 1 and numpy.lib.format.
namespace sfumato::io {

namespace detail {

template <class T>
std::string npy_descr() {
  static_assert(!std::same_as<T, BFloat16>, "NumPy has no bfloat16: use cast<float>()");
  if constexpr (std::same_as<T, Half>) return "<f2";
  if constexpr (std::same_as<T, std::uint8_t>) return "|u1";
  if constexpr (std::floating_point<T>) return message("<f", sizeof(T));
  if constexpr (std::signed_integral<T>) return message("<i", sizeof(T));
}

/// A type of NumPy's: '<f4' is little-endian, floating-point, four bytes.
struct NpyType {
  bool big_endian = false;
  char kind = '\0';  ///< b, i, u or f, and others that are not read
  std::size_t bytes = 0;
};

inline NpyType parse_npy_type(std::string_view descr) {
  NpyType type;
  constexpr std::string_view kOrders = "<>|=";
  if (descr.size() != 3 || kOrders.find(descr[0]) == std::string_view::npos) return type;
  type.big_endian = descr[0] == '>';
  type.kind = descr[1];
  type.bytes = static_cast<std::size_t>(descr[2] - '0');
  return type;
}

/// Whether a T holds a number exactly, or, if T has a fraction too, rounded to it; a finite number
/// is not rounded to infinity.
template <class T>
bool holds_exactly(double value) {
  if constexpr (Real<T>) {
    return !std::isfinite(value) || std::isfinite(static_cast<double>(static_cast<T>(value)));
  } else {
    const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
    const double begin = std::numeric_limits<T>::is_signed ? -end : 0;
    return value >= begin && value < end && value == std::trunc(value);
  }
}

/// Element `i` of `data`, which holds values of type From in the given order of bytes.
template <class From>
From npy_value(std::span<const std::uint8_t> data, std::size_t i, bool big_endian) {
  std::array<std::uint8_t, sizeof(From)> bytes;
  std::memcpy(bytes.data(), data.data() + i * sizeof(From), sizeof(From));
  if (big_endian) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<From>(bytes);
}

/// The values as T, where `value` makes what is to be converted of a From of the file.
template <class From, class T, class Value>
Tensor<T> npy_values(const NpyHeader& header, bool big_endian, std::span<const std::uint8_t> data,
                     const std::string& source, const Value& value) {
  const auto count = static_cast<std::uint64_t>(header.shape.numel());
  if (count > data.size() / sizeof(From) || data.size() != count * sizeof(From)) {
    throw IoError(message(source, ": the shape ", header.shape, " of ", header.descr, " needs ",
                          count, " values of ", sizeof(From), " bytes but ", data.size(),
                          " bytes follow the header"));
  }
  std::vector<T> values(static_cast<std::size_t>(count));
  // In Fortran's order the first index runs fastest: walk it and place each value.
  const Strides strides = row_major_strides(header.shape);
  std::array<std::int64_t, kMaxRank> index{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto number = value(npy_value<From>(data, i, big_endian));
    if (!holds_exactly<T>(number)) {
      throw IoError(message(source, ": holds values of type '", header.descr, "' but '",
                            npy_descr<T>(), "' is asked for, which can't hold ", number,
                            "; ask for another type or convert it in NumPy with astype()"));
    }
    if (!header.fortran_order) {
      values[i] = static_cast<T>(number);
      continue;
    }
    std::int64_t place = 0;
    for (std::size_t axis = 0; axis < kMaxRank; ++axis) place += index[axis] * strides[axis];
    values[static_cast<std::size_t>(place)] = static_cast<T>(number);
    for (int axis = 0; axis < header.shape.rank(); ++axis) {
      std::int64_t& along = index[static_cast<std::size_t>(axis)];
      if (++along < header.shape[axis]) break;
      along = 0;
    }
  }
  return Tensor<T>::from(values, header.shape);
}

}  // namespace detail

/// A tensor from the bytes of a .npy file, which may hold bool, integers and floating-point numbers
/// of 8 to 64 bits in any order of bytes; `source` names them in errors. Floating-point numbers are
/// rounded to T if T has a fraction too; all else is converted if no value changes. Throws IoError
/// that names both types and the value where one would, or is too large for T, and for anything
/// else.
template <Element T>
Tensor<T> read_npy_bytes(std::span<const std::uint8_t> bytes, const std::string& source) {
  const detail::NpyHeader header = detail::parse_npy_header(bytes, source);
  const detail::NpyType type = detail::parse_npy_type(header.descr);
  const auto as = [&]<class From>(From, const auto& value) {
    return detail::npy_values<From, T>(header, type.big_endian, bytes.subspan(header.data_offset),
                                       source, value);
  };
  const auto same = [](auto value) { return value; };
  const auto is = [&](char kind, std::size_t size) {
    return type.kind == kind && type.bytes == size;
  };
  if (is('f', 4)) return as(float{}, [](float value) { return static_cast<double>(value); });
  if (is('f', 8)) return as(double{}, same);
  if (is('f', 2)) {
    return as(std::uint16_t{}, [](std::uint16_t bits) { return double{half_to_float(bits)}; });
  }
  if (is('b', 1)) return as(std::uint8_t{}, [](std::uint8_t value) { return value != 0 ? 1 : 0; });
  if (is('i', 1)) return as(std::int8_t{}, same);
  if (is('i', 2)) return as(std::int16_t{}, same);
  if (is('i', 4)) return as(std::int32_t{}, same);
  if (is('i', 8)) return as(std::int64_t{}, same);
  if (is('u', 1)) return as(std::uint8_t{}, same);
  if (is('u', 2)) return as(std::uint16_t{}, same);
  if (is('u', 4)) return as(std::uint32_t{}, same);
  if (is('u', 8)) return as(std::uint64_t{}, same);
  throw IoError(message(source, ": holds values of type '", excerpt(header.descr), "' but '",
                        detail::npy_descr<T>(),
                        "' is asked for; bool, whole numbers and floating-point ones of 16, 32 and "
                        "64 bits are read"));
}

/// A tensor from a .npy file; see read_npy_bytes.
template <Element T>
Tensor<T> read_npy(const std::filesystem::path& path) {
  const FileReader file(path);
  return read_npy_bytes<T>(file.read_all(file.size()), file.name());
}

/// Writes a tensor as .npy, version 1, whole or not at all. Throws IoError.
template <Element T, class Device>
void write_npy(const std::filesystem::path& path, const Tensor<T, Device>& tensor) {
  std::string header = message("{'descr': '", detail::npy_descr<T>(),
                               "', 'fortran_order': False, 'shape': ", tensor.shape(), ", }");
  constexpr std::size_t kPrefix = 10;
  constexpr std::size_t kAlignment = 64;
  header.append(kAlignment - (kPrefix + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  std::string prefix(detail::kNpyMagic);
  for (const std::size_t byte :
       {std::size_t{1}, std::size_t{0}, header.size() & 0xFF, header.size() >> 8}) {
    prefix += static_cast<char>(byte);
  }
  const std::vector<T> values = tensor.to_vector();
  AtomicFileWriter file(path);
  file.write(prefix.data(), prefix.size());
  file.write(header.data(), header.size());
  file.write(values.data(), values.size() * sizeof(T));
  file.commit();
}

}  // namespace sfumato::io
