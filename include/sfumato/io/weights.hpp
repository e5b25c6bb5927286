#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/io/file_kind.hpp"
#include "sfumato/io/file_reader.hpp"
#include "sfumato/io/locate_names.hpp"
#include "sfumato/io/pytorch.hpp"
#include "sfumato/io/safetensors.hpp"

namespace sfumato::io {

/// A file of named tensors, safetensors or PyTorch's .pth; told apart by content, not by name.
class WeightsFile {
 public:
  /// Throws IoError when it is neither, or is damaged.
  explicit WeightsFile(const std::filesystem::path& path) : path_(path), file_(open(path)) {}

  std::vector<std::string> names() const {
    return std::visit([](const auto& file) { return file.names(); }, file_);
  }
  /// Throws IoError for a name that the file does not have.
  Shape shape(const std::string& name) const {
    return std::visit([&](const auto& file) { return Shape(file.shape(name)); }, file_);
  }
  /// Under which names the file has what is called by these: where all of them have something
  /// before them, such as "module." or "ema.features.", or lack the "features." that all of `names`
  /// begin with, they are found. Throws IoError that lists what is missing, or the choice if the
  /// file has several of all.
  std::map<std::string, std::string> locate(const std::vector<std::string>& wanted) const {
    try {
      return detail::locate_names(names(), wanted);
    } catch (const IoError& error) {
      throw IoError(message(path_.string(), ": ", error.what()));
    }
  }
  /// What a safetensors file says of itself; nothing for PyTorch's.
  std::map<std::string, std::string> metadata() const {
    const auto* file = std::get_if<SafetensorsFile>(&file_);
    return file == nullptr ? std::map<std::string, std::string>{} : file->metadata();
  }
  /// Reads one tensor; floating-point types are converted. Throws IoError.
  template <Element T>
  Tensor<T> read(const std::string& name) const {
    return std::visit([&](const auto& file) { return file.template read<T>(name); }, file_);
  }

 private:
  using File = std::variant<SafetensorsFile, PytorchFile>;

  static File open(const std::filesystem::path& path) {
    const FileReader file(path);
    std::array<std::uint8_t, 512> buffer;
    const std::span first(buffer.data(), std::min<std::uint64_t>(buffer.size(), file.size()));
    file.read_at(0, first.data(), first.size());
    // A safetensors header begins with '{', after eight bytes of length.
    if (detail::matches(first, 8, "{")) return File(std::in_place_type<SafetensorsFile>, path);
    const bool is_zip = detail::matches(first, 0, "PK");
    const bool is_pickle = detail::matches(first, 0, "\x80");
    if (!is_zip && !is_pickle) {
      throw IoError(message(path.string(), ": ", detail::describe_no_weights(first)));
    }
    return File(std::in_place_type<PytorchFile>, path);
  }

  std::filesystem::path path_;
  File file_;
};

/// The tensors of the given names and no others, found as by WeightsFile::locate(). Throws IoError
/// that lists all that are missing.
template <Element T, class Device = Cpu>
std::map<std::string, Tensor<T, Device>> read_tensors(const std::filesystem::path& path,
                                                      const std::vector<std::string>& names) {
  const WeightsFile file(path);
  std::map<std::string, Tensor<T, Device>> tensors;
  for (const auto& [name, stored] : file.locate(names)) {
    tensors.emplace(name, file.read<T>(stored).template to<Device>());
  }
  return tensors;
}

}  // namespace sfumato::io
