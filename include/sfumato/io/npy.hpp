#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/io/file.hpp"

/// NumPy's .npy format, versions 1 to 3: NumPy enhancement proposal 1 and numpy.lib.format.
namespace sfumato::io {

namespace detail {

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

/// What the header of a .npy file says.
struct NpyHeader {
  std::string descr;  ///< such as "<f4"
  bool fortran_order = false;
  Shape shape;
  std::size_t data_offset = 0;
};

/// Reads the header, which is a Python dictionary of three entries, strictly.
class NpyHeaderParser {
 public:
  NpyHeaderParser(std::string_view text, const std::string& source)
      : text_(text), source_(source) {}

  NpyHeader parse() {
    NpyHeader header;
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_descr) {
        header.descr = quoted();
        has_descr = true;
      } else if (key == "fortran_order" && !has_order) {
        header.fortran_order = boolean();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = shape();
        has_shape = true;
      } else {
        fail(message("unexpected key '", key, "'"));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (position_ != text_.size()) fail("text follows the dictionary");
    if (!has_descr || !has_order || !has_shape) fail("descr, fortran_order or shape is missing");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(source_, ": the .npy header is malformed: ", what));
  }
  void skip_spaces() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) {
      ++position_;
    }
  }
  bool accept(char wanted) {
    skip_spaces();
    if (position_ >= text_.size() || text_[position_] != wanted) return false;
    ++position_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(message("expected '", std::string(1, wanted), "'"));
  }
  std::string quoted() {
    skip_spaces();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') fail("expected a string");
    const std::size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) fail("a string does not end");
    const std::string_view value = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return std::string(value);
  }
  bool boolean() {
    skip_spaces();
    for (const std::string_view word : {std::string_view("True"), std::string_view("False")}) {
      if (text_.substr(position_, word.size()) == word) {
        position_ += word.size();
        return word == "True";
      }
    }
    fail("expected True or False");
  }
  Shape shape() {
    Shape result;
    expect('(');
    while (!accept(')')) {
      const std::int64_t extent = number();
      try {
        result.push_back(extent);
      } catch (const ShapeError& error) {
        fail(error.what());
      }
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return result;
  }
  std::int64_t number() {
    skip_spaces();
    constexpr std::size_t kMostDigits = 18;
    const std::size_t start = position_;
    std::int64_t value = 0;
    while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9') {
      if (position_ - start >= kMostDigits) fail("an extent is too large");
      value = value * 10 + (text_[position_++] - '0');
    }
    if (position_ == start) fail("expected a number");
    return value;
  }

  std::string_view text_;
  const std::string& source_;
  std::size_t position_ = 0;
};

inline NpyHeader parse_npy_header(std::span<const std::uint8_t> bytes, const std::string& source) {
  const auto byte = [&](std::size_t i) -> std::size_t { return bytes[i]; };
  const bool has_magic =
      bytes.size() >= 10 && std::memcmp(bytes.data(), kNpyMagic.data(), kNpyMagic.size()) == 0;
  if (!has_magic) throw IoError(message(source, ": not a .npy file"));
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) {
    throw IoError(message(source, ": .npy version ", version, " is not supported; 1 to 3 are"));
  }
  const std::size_t begin = version == 1 ? 10 : 12;
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) {
    if (bytes.size() < begin) throw IoError(message(source, ": truncated in the .npy header"));
    length |= byte(10) << 16 | byte(11) << 24;
  }
  if (length > bytes.size() - begin) {
    throw IoError(message(source, ": truncated: the .npy header says it has ", length,
                          " bytes at offset ", begin, " but the file has ", bytes.size()));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + begin, length);
  NpyHeader header = NpyHeaderParser(text, source).parse();
  header.data_offset = begin + length;
  return header;
}

template <class T>
std::string npy_descr() {
  static_assert(!std::same_as<T, BFloat16>, "NumPy has no bfloat16: use cast<float>()");
  if constexpr (std::same_as<T, Half>) return "<f2";
  if constexpr (std::same_as<T, std::uint8_t>) return "|u1";
  if constexpr (std::floating_point<T>) return message("<f", sizeof(T));
  if constexpr (std::signed_integral<T>) return message("<i", sizeof(T));
}

/// The values as T. `From` is what the file holds.
template <class From, class T>
Tensor<T> npy_values(const NpyHeader& header, std::span<const std::uint8_t> data,
                     const std::string& source) {
  const auto count = static_cast<std::uint64_t>(header.shape.elements());
  if (count > data.size() / sizeof(From) || data.size() != count * sizeof(From)) {
    throw IoError(message(source, ": the shape ", header.shape, " of ", header.descr, " needs ",
                          count, " values of ", sizeof(From), " bytes but ", data.size(),
                          " bytes follow the header"));
  }
  std::vector<T> values(static_cast<std::size_t>(count));
  std::vector<From> stored(values.size());
  if (!stored.empty()) std::memcpy(stored.data(), data.data(), data.size());
  if (!header.fortran_order) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(stored[i]);
    return Tensor<T>::from(values, header.shape);
  }
  // In Fortran's order the first index runs fastest: walk it and place each value.
  const Strides strides = row_major_strides(header.shape);
  std::array<std::int64_t, kMaxRank> index{};
  for (const From value : stored) {
    std::int64_t place = 0;
    for (std::size_t axis = 0; axis < kMaxRank; ++axis) place += index[axis] * strides[axis];
    values[static_cast<std::size_t>(place)] = static_cast<T>(value);
    for (int axis = 0; axis < header.shape.rank(); ++axis) {
      std::int64_t& i = index[static_cast<std::size_t>(axis)];
      if (++i < header.shape[axis]) break;
      i = 0;
    }
  }
  return Tensor<T>::from(values, header.shape);
}

}  // namespace detail

/// A tensor from the bytes of a .npy file; `source` names them in errors. float and double are
/// converted into each other, other types must match. Throws IoError for anything else.
template <Element T>
Tensor<T> read_npy_bytes(std::span<const std::uint8_t> bytes, const std::string& source) {
  const detail::NpyHeader header = detail::parse_npy_header(bytes, source);
  const auto data = bytes.subspan(header.data_offset);
  if (header.descr == detail::npy_descr<T>()) {
    return detail::npy_values<T, T>(header, data, source);
  }
  if constexpr (std::floating_point<T>) {
    using Other = std::conditional_t<std::same_as<T, float>, double, float>;
    if (header.descr == detail::npy_descr<Other>()) {
      return detail::npy_values<Other, T>(header, data, source);
    }
  }
  throw IoError(message(source, ": holds values of type '", header.descr, "' but '",
                        detail::npy_descr<T>(), "' is asked for"));
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
