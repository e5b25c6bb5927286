#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/stored_type.hpp"

/// The safetensors format of Hugging Face: eight bytes with the length of a JSON header, the
/// header (name → dtype, shape, offsets), the values.
namespace sfumato::io {

/// A safetensors file, its header read and checked; values are read when asked for.
class SafetensorsFile {
 public:
  /// Throws IoError unless the header is complete and every tensor lies within the file, overlaps
  /// no other and leaves no hole. Nothing is allocated that the file is not large enough to hold.
  explicit SafetensorsFile(const std::filesystem::path& path) : file_(path) {
    std::uint8_t prefix[kPrefix];
    file_.read_at(0, prefix, kPrefix);
    std::uint64_t length = 0;
    for (std::size_t i = kPrefix; i-- > 0;) length = length << 8 | prefix[i];
    if (length > file_.size() - kPrefix || length > kMostHeader) {
      fail(message("the header claims ", length, " bytes but the file has ", file_.size(),
                   "; is this a safetensors file?"));
    }
    std::string text(static_cast<std::size_t>(length), '\0');
    file_.read_at(kPrefix, text.data(), text.size());
    data_offset_ = kPrefix + length;
    parse(text);
    check_layout();
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, entry] : entries_) all.push_back(name);
    return all;
  }
  bool contains(const std::string& name) const { return entries_.contains(name); }
  /// These throw IoError for a name that the file does not have.
  const Shape& shape(const std::string& name) const { return find(name).shape; }
  StoredType type(const std::string& name) const { return find(name).type; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// One tensor. Floating-point types are converted, integers must be asked for as they are stored.
  /// Throws IoError for an unknown name or another type.
  template <Element T>
  Tensor<T> read(const std::string& name) const {
    const Entry& entry = find(name);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(entry.end - entry.begin));
    file_.read_at(data_offset_ + entry.begin, bytes.data(), bytes.size());
    std::vector<T> values(static_cast<std::size_t>(entry.shape.elements()));
    if (!detail::decode_values(entry.type, bytes.data(), values)) {
      fail(message("tensor '", name, "' holds ", detail::info(entry.type).name,
                   ", which can't be read as ", detail::info(detail::natural_type<T>()).name));
    }
    return Tensor<T>::from(values, entry.shape);
  }

 private:
  struct Entry {
    StoredType type;
    Shape shape;
    std::uint64_t begin;
    std::uint64_t end;
  };
  using Json = nlohmann::json;
  static constexpr std::size_t kPrefix = 8;
  static constexpr std::uint64_t kMostHeader = 100'000'000;  // what the format itself allows

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(file_.name(), ": ", what));
  }

  const Entry& find(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail(message("there is no tensor '", name, "'"));
    return found->second;
  }

  void parse(const std::string& text) {
    // The callback sees names before the parser merges equal ones, and keeps nesting shallow.
    std::vector<std::string> seen;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
      if (depth > 4) fail("the header is nested too deeply");
      if (depth == 1 && event == Json::parse_event_t::key) seen.push_back(value);
      return true;
    };
    // The parser would take a NUL for the end and ignore what follows it.
    if (text.find('\0') != std::string::npos) fail("the header is not valid JSON");
    Json header;
    try {
      header = Json::parse(text, watch);
    } catch (const Json::exception&) {
      fail("the header is not valid JSON");
    }
    if (!header.is_object()) fail("the header is not a JSON object");
    std::sort(seen.begin(), seen.end());
    const auto twice = std::adjacent_find(seen.begin(), seen.end());
    if (twice != seen.end()) fail(message("the name '", *twice, "' stands twice in the header"));
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") {
        read_metadata(value);
      } else {
        entries_.emplace(name, parse_entry(name, value));
      }
    }
  }

  void read_metadata(const Json& value) {
    if (!value.is_object()) fail("__metadata__ is not a JSON object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) fail(message("the metadata '", key, "' is not a string"));
      metadata_.emplace(key, text);
    }
  }

  Entry parse_entry(const std::string& name, const Json& value) const {
    const auto bad = [&](const std::string& what) { fail(message("tensor '", name, "': ", what)); };
    if (!value.is_object() || !value.contains("dtype") || !value["dtype"].is_string() ||
        !value.contains("shape") || !value["shape"].is_array() || !value.contains("data_offsets") ||
        !value["data_offsets"].is_array() || value["data_offsets"].size() != 2) {
      bad("dtype, shape or data_offsets is missing or malformed");
    }
    const std::string dtype = value["dtype"];
    const auto known =
        std::find_if(detail::kStoredTypes.begin(), detail::kStoredTypes.end(),
                     [&](const detail::StoredTypeInfo& type) { return dtype == type.name; });
    if (known == detail::kStoredTypes.end()) bad(message("unknown dtype '", dtype, "'"));
    Entry entry{known->type, {}, 0, 0};
    for (const Json& extent : value["shape"]) {
      if (!extent.is_number_unsigned()) bad("an extent of the shape is not a whole number");
      const auto size = extent.get<std::uint64_t>();
      if (size > std::uint64_t{1} << 62) bad(message("the extent ", size, " is absurd"));
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
    const std::uint64_t available = file_.size() - data_offset_;
    if (entry.begin > entry.end || entry.end > available) {
      bad(message("offsets ", entry.begin, " to ", entry.end, " are outside the ", available,
                  " bytes of data"));
    }
    const auto elements = static_cast<std::uint64_t>(entry.shape.elements());
    const std::uint64_t bytes = entry.end - entry.begin;
    if (elements > bytes || elements * known->bytes != bytes) {
      bad(message("the shape ", entry.shape, " of ", dtype, " does not fill its ", bytes,
                  " bytes"));
    }
    return entry;
  }

  void check_layout() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const auto& [name, entry] : entries_) ranges.emplace_back(entry.begin, entry.end);
    std::sort(ranges.begin(), ranges.end());
    std::uint64_t position = 0;
    for (const auto& [begin, end] : ranges) {
      if (begin != position) {
        fail(message(begin < position ? "tensors overlap" : "there is a hole", " at offset ",
                     std::min(begin, position), " of the data"));
      }
      position = end;
    }
    if (position != file_.size() - data_offset_) {
      fail(message("surplus bytes follow the last tensor, from offset ", data_offset_ + position));
    }
  }

  FileReader file_;
  std::uint64_t data_offset_ = 0;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// Writes named tensors, whole or not at all; floating-point values are stored as `stored_type` if
/// one is given (F16 and BF16 round to nearest). Throws IoError, and ValueError for a stored type
/// of another kind or a name that the format can't hold.
template <Element T>
void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, Tensor<T>>& tensors,
                       StoredType stored_type = detail::natural_type<T>(),
                       const std::map<std::string, std::string>& metadata = {}) {
  const auto& stored = detail::info(stored_type);
  const bool floating = stored.name[0] == 'F' || stored.name[0] == 'B';
  if (stored_type != detail::natural_type<T>() && !(Real<T> && floating)) {
    throw ValueError(message("write_safetensors: can't store ",
                             detail::info(detail::natural_type<T>()).name, " as ", stored.name));
  }
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == "__metadata__") {
      throw ValueError("write_safetensors: no tensor can be called '__metadata__'");
    }
    const std::uint64_t end = offset + static_cast<std::uint64_t>(tensor.elements()) * stored.bytes;
    header[name] = {
        {"dtype", stored.name},
        {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
        {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw ValueError("write_safetensors: a name or the metadata are not valid UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string prefix;
  for (std::size_t i = 0; i < 8; ++i) prefix += static_cast<char>(text.size() >> (8 * i) & 0xFF);

  AtomicFileWriter file(path);
  file.write(prefix.data(), prefix.size());
  file.write(text.data(), text.size());
  for (const auto& [name, tensor] : tensors) {
    const std::vector<T> values = tensor.to_vector();
    const auto write_as = [&](const auto& convert) {
      std::vector<decltype(convert(T{}))> converted;
      converted.reserve(values.size());
      for (const T value : values) converted.push_back(convert(value));
      file.write(converted.data(), converted.size() * sizeof(converted[0]));
    };
    switch (stored_type) {
      case StoredType::kF64:
        write_as([](T value) { return static_cast<double>(value); });
        break;
      case StoredType::kF32:
        write_as([](T value) { return static_cast<float>(value); });
        break;
      case StoredType::kF16:
        write_as([](T value) { return float_to_half(static_cast<float>(value)); });
        break;
      case StoredType::kBF16:
        write_as([](T value) { return float_to_bfloat16(static_cast<float>(value)); });
        break;
      default:
        write_as([](T value) { return value; });
    }
  }
  file.commit();
}

}  // namespace sfumato::io
