#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/io/stored_type.hpp"

namespace sfumato::io::detail {

/// One tensor of a safetensors file.
struct SafetensorsEntry {
  std::string unsupported = {};         ///< why it can't be read, to stand after its name, or empty
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

/// Looks at JSON as it is parsed: no object may have a key twice, which a document would merge, and
/// nothing may nest deeper than headers do. `fail` is called with what is wrong and must throw.
template <class Fail>
class JsonKeys {
 public:
  explicit JsonKeys(const Fail& fail) : fail_(fail) {}

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(std::int64_t) { return true; }
  bool number_unsigned(std::uint64_t) { return true; }
  bool number_float(double, const std::string&) { return true; }
  bool string(const std::string&) { return true; }
  bool binary(const nlohmann::json::binary_t&) { return true; }
  bool start_object(std::size_t) {
    open();
    keys_.emplace_back();
    return true;
  }
  bool key(const std::string& name) {
    if (!keys_.back().insert(name).second) {
      fail_(message("the name '", excerpt(name), "' stands twice in the header"));
    }
    return true;
  }
  bool end_object() {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) {
    open();
    return true;
  }
  bool end_array() {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) {
    return false;
  }

 private:
  void open() {
    constexpr int kMostDepth = 4;
    if (++depth_ > kMostDepth) fail_("the header is nested too deeply");
  }

  const Fail& fail_;
  int depth_ = 0;
  std::vector<std::unordered_set<std::string>> keys_;  ///< of the objects that are open
};

/// Reads and checks the JSON of a header, in time that grows with its length alone.
class SafetensorsHeaderParser {
 public:
  /// `source` names the file in errors; `available` is how many bytes follow the header.
  SafetensorsHeaderParser(std::string source, std::uint64_t available)
      : source_(std::move(source)), available_(available) {}

  /// Throws IoError for bad JSON, a name that stands twice, and entries that are malformed, do not
  /// fill their bytes or lie outside the data.
  SafetensorsHeader parse(const std::string& text) const {
    const auto failing = [this](const std::string& what) { fail(what); };
    JsonKeys keys(failing);
    // The parser would take a NUL for the end and ignore what follows it.
    const bool whole = text.find('\0') == std::string::npos;
    if (!whole || !Json::sax_parse(text, &keys)) fail("the header is not valid JSON");
    const Json json = Json::parse(text);
    if (!json.is_object()) fail("the header is not a JSON object");
    SafetensorsHeader header;
    for (const auto& [name, value] : json.items()) {
      if (name != "__metadata__") {
        header.entries.emplace(name, parse_entry(name, value));
      } else if (!value.is_null()) {
        header.metadata = parse_metadata(value);
      }
    }
    return header;
  }

 private:
  using Json = nlohmann::json;

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(source_, ": ", what));
  }

  std::map<std::string, std::string> parse_metadata(const Json& value) const {
    if (!value.is_object()) fail("__metadata__ is not a JSON object");
    std::map<std::string, std::string> metadata;
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) fail(message("the metadata '", excerpt(key), "' is not a string"));
      metadata.emplace(key, text);
    }
    return metadata;
  }

  SafetensorsEntry parse_entry(const std::string& name, const Json& value) const {
    const auto bad = [&](const std::string& what) {
      fail(message("tensor '", excerpt(name), "': ", what));
    };
    if (!value.is_object() || !value.contains("dtype") || !value["dtype"].is_string() ||
        !value.contains("shape") || !value["shape"].is_array() || !value.contains("data_offsets") ||
        !value["data_offsets"].is_array() || value["data_offsets"].size() != 2) {
      bad("dtype, shape or data_offsets is missing or malformed");
    }
    SafetensorsEntry entry;
    entry.dtype = value["dtype"];
    const std::size_t rank = value["shape"].size();
    const bool too_many = rank > kMaxRank;
    if (too_many) {
      entry.unsupported = message(" has ", rank, " dimensions, but at most ", kMaxRank,
                                  " are read; save it in another shape");
    }
    for (const Json& extent : value["shape"]) {
      if (!extent.is_number_unsigned()) bad("an extent of the shape is not a whole number");
      const auto size = extent.get<std::uint64_t>();
      if (size > std::uint64_t{1} << 62) bad(message("the extent ", size, " is absurd"));
      if (too_many) continue;
      try {
        entry.shape.push_back(static_cast<std::int64_t>(size));
      } catch (const ShapeError& error) {
        bad(error.what());
      }
    }
    for (const Json& offset : value["data_offsets"]) {
      if (!offset.is_number_unsigned()) bad("an offset is not a whole number");
    }
    entry.begin = value["data_offsets"][0];
    entry.end = value["data_offsets"][1];
    if (entry.begin > entry.end || entry.end > available_) {
      bad(message("offsets ", entry.begin, " to ", entry.end, " are outside the ", available_,
                  " bytes of data"));
    }
    const auto* const known =
        std::find_if(kStoredTypes.begin(), kStoredTypes.end(),
                     [&](const StoredTypeInfo& type) { return entry.dtype == type.name; });
    if (known == kStoredTypes.end()) return entry;  // which only matters to whom asks for it
    entry.type = known->type;
    if (too_many) return entry;  // as well
    const auto elements = static_cast<std::uint64_t>(entry.shape.numel());
    const std::uint64_t bytes = entry.end - entry.begin;
    if (elements > bytes || elements * known->bytes != bytes) {
      bad(message("the shape ", entry.shape, " of ", entry.dtype, " does not fill its ", bytes,
                  " bytes"));
    }
    return entry;
  }

  std::string source_;
  std::uint64_t available_;
};

}  // namespace sfumato::io::detail
