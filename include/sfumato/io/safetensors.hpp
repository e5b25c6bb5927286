#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/safetensors_header.hpp"
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
    header_ =
        detail::SafetensorsHeaderParser(file_.name(), file_.size() - data_offset_).parse(text);
    check_layout();
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, entry] : header_.entries) all.push_back(name);
    return all;
  }
  bool contains(const std::string& name) const { return header_.entries.contains(name); }
  /// Throws IoError for a name that the file does not have, or more dimensions than Shape has.
  const Shape& shape(const std::string& name) const { return find(name).shape; }
  /// Throws IoError for a name that the file does not have, or a type that is not read.
  StoredType type(const std::string& name) const { return type_of(name, find(name)); }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }

  /// One tensor. Floating-point types are converted, integers must be asked for as they are stored.
  /// Throws IoError for an unknown name, another type, or a number that is too large for T.
  template <Element T>
  Tensor<T> read(const std::string& name) const {
    const Entry& entry = find(name);
    const StoredType type = type_of(name, entry);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(entry.end - entry.begin));
    file_.read_at(data_offset_ + entry.begin, bytes.data(), bytes.size());
    std::vector<T> values(static_cast<std::size_t>(entry.shape.numel()));
    const auto bad = [&](const std::string& what) {
      fail(message("tensor '", excerpt(name), "' ", what));
    };
    if (!detail::decode_values(type, bytes.data(), values, bad)) {
      bad(message("holds ", detail::info(type).name, ", which can't be read as ",
                  detail::info(detail::natural_type<T>()).name));
    }
    return Tensor<T>::from(values, entry.shape);
  }

 private:
  using Entry = detail::SafetensorsEntry;
  static constexpr std::size_t kPrefix = 8;
  static constexpr std::uint64_t kMostHeader = 100'000'000;  // what the format itself allows

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(file_.name(), ": ", what));
  }

  const Entry& find(const std::string& name) const {
    const auto found = header_.entries.find(name);
    if (found == header_.entries.end()) fail(message("there is no tensor '", excerpt(name), "'"));
    if (!found->second.unsupported.empty()) {
      fail(message("tensor '", excerpt(name), "'", found->second.unsupported));
    }
    return found->second;
  }

  StoredType type_of(const std::string& name, const Entry& entry) const {
    if (!entry.type) {
      fail(message("tensor '", excerpt(name), "' is of type ", excerpt(entry.dtype),
                   ", which is not supported"));
    }
    return *entry.type;
  }

  void check_layout() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const auto& [name, entry] : header_.entries) ranges.emplace_back(entry.begin, entry.end);
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
  detail::SafetensorsHeader header_;
};

namespace detail {

/// What a stored number means; 16 bits are those of `type`.
template <class Stored>
double stored_value(Stored stored, StoredType type) {
  if constexpr (std::same_as<Stored, std::uint16_t>) {
    return type == StoredType::kF16 ? half_to_float(stored) : bfloat16_to_float(stored);
  } else {
    return static_cast<double>(stored);
  }
}

}  // namespace detail

/// Writes named tensors, whole or not at all; floating-point values are stored as `stored_type` if
/// one is given (F16 and BF16 round to nearest). Throws IoError, and ValueError for a stored type
/// of another kind, a finite value that is infinite in it, or a name that the format can't hold.
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
    const std::uint64_t end = offset + static_cast<std::uint64_t>(tensor.numel()) * stored.bytes;
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
  for (const auto& entry : tensors) {
    const std::string& name = entry.first;
    const std::vector<T> values = entry.second.to_vector();
    const auto write_as = [&](const auto& convert) {
      std::vector<decltype(convert(T{}))> converted;
      converted.reserve(values.size());
      for (const T value : values) {
        converted.push_back(convert(value));
        if constexpr (Real<T>) {
          if (std::isfinite(static_cast<double>(value)) &&
              !std::isfinite(detail::stored_value(converted.back(), stored_type))) {
            throw ValueError(message("write_safetensors: ", excerpt(name), " holds ", value,
                                     ", which is too large for ", stored.name));
          }
        }
      }
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
