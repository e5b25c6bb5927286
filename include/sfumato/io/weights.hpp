#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/pytorch.hpp"
#include "sfumato/io/safetensors.hpp"

namespace sfumato::io {

/// A file of named tensors, safetensors or PyTorch's .pth; told apart by content, not by name.
class WeightsFile {
 public:
  /// Throws IoError when it is neither, or is damaged.
  explicit WeightsFile(const std::filesystem::path& path) : file_(open(path)) {}

  std::vector<std::string> names() const {
    return std::visit([](const auto& file) { return file.names(); }, file_);
  }
  /// Throws IoError for a name that the file does not have.
  Shape shape(const std::string& name) const {
    return std::visit([&](const auto& file) { return Shape(file.shape(name)); }, file_);
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
    // A safetensors header begins with '{', after eight bytes of length.
    const FileReader file(path);
    char first[9] = {};
    file.read_at(0, first, std::min<std::uint64_t>(sizeof(first), file.size()));
    if (first[8] == '{') return File(std::in_place_type<SafetensorsFile>, path);
    return File(std::in_place_type<PytorchFile>, path);
  }

  File file_;
};

/// The tensors of the given names and no others. Throws IoError that lists all that are missing.
template <Element T, class Device = Cpu>
std::map<std::string, Tensor<T, Device>> read_tensors(const std::filesystem::path& path,
                                                      const std::vector<std::string>& names) {
  const WeightsFile file(path);
  const std::vector<std::string> present = file.names();
  std::string missing;
  for (const std::string& name : names) {
    if (std::find(present.begin(), present.end(), name) == present.end()) {
      if (!missing.empty()) missing += ", ";
      missing += name;
    }
  }
  if (!missing.empty()) {
    throw IoError(message(path.string(), ": the weights lack ", missing));
  }
  std::map<std::string, Tensor<T, Device>> tensors;
  for (const std::string& name : names) {
    tensors.emplace(name, file.read<T>(name).template to<Device>());
  }
  return tensors;
}

}  // namespace sfumato::io
