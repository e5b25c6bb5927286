#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
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

  /// One tensor. Floating-point types are converted, and whole numbers that T holds exactly; whole
  /// numbers must be asked for as they are stored.
  /// Throws IoError for an unknown name, another type, or a number that is too large for T.
  template <Element T>
  Tensor<T> read(const std::string& name) const {
    const Shape& all = shape(name);
    return read_part<T>(name, 0, all.numel()).reshape(all);
  }

  /// Some of a tensor's values in their order, (count), without reading the others: those from
  /// `begin` on. Throws IoError as read() does, and ValueError for more than there are.
  template <Element T>
  Tensor<T> read_part(const std::string& name, std::int64_t begin, std::int64_t count) const {
    const Entry& entry = find(name);
    const StoredType type = type_of(name, entry);
    const std::int64_t all = entry.shape.numel();
    if (begin < 0 || count < 0 || count > all || begin > all - count) {
      throw ValueError(message("read_part: ", count, " values from ", begin, " on, of '",
                               excerpt(name), "', which has ", all));
    }
    const std::size_t size = detail::info(type).bytes;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count) * size);
    file_.read_at(data_offset_ + entry.begin + static_cast<std::uint64_t>(begin) * size,
                  bytes.data(), bytes.size());
    std::vector<T> values(static_cast<std::size_t>(count));
    const auto bad = [&](const std::string& what) {
      fail(message("tensor '", excerpt(name), "' ", what));
    };
    if (!detail::decode_values(type, bytes.data(), values, bad)) {
      bad(message("holds ", detail::info(type).name, ", which can't be read as ",
                  detail::info(detail::natural_type<T>()).name));
    }
    return Tensor<T>::from(values, {count});
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

/// A safetensors file that is written piece by piece, whole or not at all: of its tensors no more
/// than a piece need be in memory.
///
///     io::SafetensorsWriter<float> file("large.safetensors", {{"a", {2, 1000}}, {"b", {3}}});
///     file.write(first_row);
///     file.write(second_row);
///     file.write(b);
///     file.commit();
template <Element T>
class SafetensorsWriter {
 public:
  /// Of tensors of these shapes; floating-point values are stored as `stored_type` if one is given
  /// (F16 and BF16 round to nearest). Throws IoError where nothing can be written, and ValueError
  /// for a stored type of another kind, or a name that the format can't hold.
  SafetensorsWriter(const std::filesystem::path& path, const std::map<std::string, Shape>& shapes,
                    StoredType stored_type = detail::natural_type<T>(),
                    const std::map<std::string, std::string>& metadata = {})
      : stored_type_(stored_type) {
    const std::string header = header_of(shapes, metadata);
    std::string prefix;
    for (std::size_t i = 0; i < 8; ++i)
      prefix += static_cast<char>(header.size() >> (8 * i) & 0xFF);
    file_.emplace(path);
    file_->write(prefix.data(), prefix.size());
    file_->write(header.data(), header.size());
  }

  /// The next values, in the order of the tensors' names; a piece must not reach from one tensor
  /// into the next. Throws IoError where the disk is full, and ValueError for values that no tensor
  /// has, and for a finite one that is infinite as it is stored.
  void write(const Tensor<T>& piece) {
    while (!ends_.empty() && ends_.front().second == written_) ends_.pop_front();
    if (ends_.empty() || piece.numel() > ends_.front().second - written_) {
      if (piece.numel() == 0) return;
      throw ValueError(message("SafetensorsWriter: ", piece.numel(), " values where ",
                               ends_.empty() ? 0 : ends_.front().second - written_,
                               " are missing to a tensor's end"));
    }
    const std::vector<T> values = piece.to_vector();
    switch (stored_type_) {
      case StoredType::kF64:
        return write_as(values, [](T value) { return static_cast<double>(value); });
      case StoredType::kF32:
        return write_as(values, [](T value) { return static_cast<float>(value); });
      case StoredType::kF16:
        return write_as(values, [](T value) { return Half(value).bits(); });
      case StoredType::kBF16:
        return write_as(values, [](T value) { return BFloat16(value).bits(); });
      default:
        return write_as(values, [](T value) { return value; });
    }
  }

  /// Puts the file in its place. Throws ValueError where values are missing, and IoError.
  void commit() {
    const std::int64_t all = ends_.empty() ? written_ : ends_.back().second;
    if (written_ != all) {
      throw ValueError(message("SafetensorsWriter: ", all - written_, " values are missing"));
    }
    file_->commit();
  }

 private:
  std::string header_of(const std::map<std::string, Shape>& shapes,
                        const std::map<std::string, std::string>& metadata) {
    const auto& stored = detail::info(stored_type_);
    const bool floating = stored.name[0] == 'F' || stored.name[0] == 'B';
    if (stored_type_ != detail::natural_type<T>() && !(Real<T> && floating)) {
      throw ValueError(message("write_safetensors: can't store ",
                               detail::info(detail::natural_type<T>()).name, " as ", stored.name));
    }
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    std::int64_t values = 0;
    for (const auto& [name, shape] : shapes) {
      if (name == "__metadata__") {
        throw ValueError("write_safetensors: no tensor can be called '__metadata__'");
      }
      const std::int64_t end = values + shape.numel();
      const auto bytes = static_cast<std::int64_t>(stored.bytes);
      header[name] = {{"dtype", stored.name},
                      {"shape", std::vector<std::int64_t>(shape.begin(), shape.end())},
                      {"data_offsets", {values * bytes, end * bytes}}};
      values = end;
      ends_.emplace_back(name, end);
    }
    std::string text;
    try {
      text = header.dump();
    } catch (const nlohmann::json::exception&) {
      throw ValueError("write_safetensors: a name or the metadata are not valid UTF-8");
    }
    return text.append((8 - text.size() % 8) % 8, ' ');
  }

  template <class Convert>
  void write_as(const std::vector<T>& values, const Convert& convert) {
    std::vector<decltype(convert(T{}))> converted;
    converted.reserve(values.size());
    for (const T value : values) {
      converted.push_back(convert(value));
      if constexpr (Real<T>) {
        if (std::isfinite(static_cast<double>(value)) &&
            !std::isfinite(detail::stored_value(converted.back(), stored_type_))) {
          throw ValueError(message("write_safetensors: ", excerpt(ends_.front().first), " holds ",
                                   value, ", which is too large for ",
                                   detail::info(stored_type_).name));
        }
      }
    }
    file_->write(converted.data(), converted.size() * sizeof(converted[0]));
    written_ += static_cast<std::int64_t>(values.size());
  }

  StoredType stored_type_;
  std::deque<std::pair<std::string, std::int64_t>> ends_;  // of tensors that are not whole yet
  std::int64_t written_ = 0;                               // values
  std::optional<AtomicFileWriter> file_;
};

/// Writes named tensors, whole or not at all, as SafetensorsWriter does, whose errors it throws.
template <Element T>
void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, Tensor<T>>& tensors,
                       StoredType stored_type = detail::natural_type<T>(),
                       const std::map<std::string, std::string>& metadata = {}) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : tensors) shapes.emplace(name, tensor.shape());
  SafetensorsWriter<T> file(path, shapes, stored_type, metadata);
  for (const auto& entry : tensors) file.write(entry.second);
  file.commit();
}

}  // namespace sfumato::io
