#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"

namespace sfumato::io::detail {

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
        if (accept('[')) {
          throw IoError(message(source_,
                                ": a structured array of several fields, which is not read; save "
                                "one field by itself"));
        }
        header.descr = quoted();
        has_descr = true;
      } else if (key == "fortran_order" && !has_order) {
        header.fortran_order = boolean();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = shape();
        has_shape = true;
      } else {
        fail(message("unexpected key '", excerpt(key), "'"));
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
    if (!accept(wanted)) fail(message("expected '", wanted, "'"));
  }
  std::string quoted() {
    skip_spaces();
    // Python 2 may have marked it as text or bytes.
    const bool marked =
        position_ + 1 < text_.size() && (text_[position_] == 'u' || text_[position_] == 'b');
    if (marked) ++position_;
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
    if (position_ < text_.size() && text_[position_] == 'L') ++position_;  // Python 2's long
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

}  // namespace sfumato::io::detail
