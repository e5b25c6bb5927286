#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/io/stored_type.hpp"

namespace sfumato::io::detail {

/// One tensor of a safetensors file.
struct SafetensorsEntry {
  std::string dtype = {};               ///< as the file has it
  std::optional<StoredType> type = {};  ///< nothing where it is not one that is read
  Shape shape = {};
  std::uint64_t begin = 0;  ///< of the values, from where the header ends
  std::uint64_t end = 0;
};

/// What the header of a safetensors file says.
struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// The bits of one element of the types that the format has beyond those that are read.
struct OtherSafetensorsType {
  std::string_view name;
  std::uint64_t bits;
};
inline constexpr std::array<OtherSafetensorsType, 14> kOtherSafetensorsTypes{
    {{"BOOL", 8}, {"I8", 8}, {"I16", 16}, {"U16", 16}, {"U32", 32}, {"U64", 64}, {"C64", 64},
     {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F4", 4}, {"F6_E2M3", 6}, {"F6_E3M2", 6},
     {"C128", 128}}};

/// Reads the JSON of a header as it goes by, so that the time grows with its length alone and no
/// document is built: {name: {"dtype": text, "shape": [numbers], "data_offsets": [two numbers]}}.
class SafetensorsHeaderParser {
 public:
  /// `source` names the file in errors; `available` is how many bytes follow the header.
  SafetensorsHeaderParser(std::string source, std::uint64_t available)
      : source_(std::move(source)), available_(available) {}

  /// Throws IoError for bad JSON, a name that stands twice, and entries that are malformed, do not
  /// fill their bytes or lie outside the data.
  SafetensorsHeader parse(const std::string& text) {
    // The JSON parser would take a NUL for the end and ignore what follows it.
    const bool whole = text.find('\0') == std::string::npos;
    if (!whole || !nlohmann::json::sax_parse(text, this)) fail("the header is not valid JSON");
    return std::move(header_);
  }

  // What the JSON parser calls as it reads; each returns whether to go on.
  bool null() {
    if (level_ == 1 && name_ == kMetadata) return true;  // none
    return value(Kind::kOther);
  }
  bool boolean(bool) { return value(Kind::kOther); }
  bool number_integer(std::int64_t) { return value(Kind::kOther); }
  bool number_unsigned(std::uint64_t number) {
    number_ = number;
    return value(Kind::kNumber);
  }
  bool number_float(double, const std::string&) { return value(Kind::kOther); }
  bool string(std::string& text) {
    text_ = std::move(text);
    return value(Kind::kText);
  }
  bool binary(nlohmann::json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Kind::kObject); }
  bool start_array(std::size_t) { return open(Kind::kArray); }
  bool key(std::string& text) {
    if (level_ == 1) {
      name_ = std::move(text);
      begin_entry();
    } else if (level_ == 2) {
      field_ = std::move(text);
    }
    return true;
  }
  bool end_object() {
    if (level_ == 2 && name_ != kMetadata && !ignored_) end_entry();
    return close();
  }
  bool end_array() { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) {
    return false;
  }

 private:
  enum class Kind { kOther, kNumber, kText, kObject, kArray };
  static constexpr std::string_view kMetadata = "__metadata__";

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(source_, ": ", what));
  }
  [[noreturn]] void bad(const std::string& what) const {
    fail(message("tensor '", excerpt(name_), "': ", what));
  }
  [[noreturn]] void malformed() const {
    bad("dtype, shape or data_offsets is missing or malformed");
  }
