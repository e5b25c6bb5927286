#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/weights.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/style/vgg_input.hpp"

namespace examples {

/// The folders where weights are looked for when nobody named a file: `weights/` beside the program
/// or above it (a build folder lies in the repository), then the user's cache directory.
inline std::vector<std::filesystem::path> weight_folders(const std::filesystem::path& program) {
  namespace fs = std::filesystem;
  std::vector<fs::path> folders;
  std::error_code ignored;
  fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
  if (ignored) executable = fs::absolute(program, ignored);
  for (fs::path above = executable.parent_path(); above.has_relative_path();
       above = above.parent_path()) {
    folders.push_back(above / "weights");
  }
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    folders.push_back(fs::path(cache) / "sfumato");
  } else if (const char* home = std::getenv("HOME"); home != nullptr) {
    folders.push_back(fs::path(home) / ".cache" / "sfumato");
  }
  return folders;
}

/// What examples/distill_vgg19 makes: see weights/README.md.
inline constexpr const char* kSlimWeights = "vgg19-slim.safetensors";

/// The weights file to use: the one asked for, else $SFUMATO_WEIGHTS, else the first found in
/// weight_folders(), else the slim network's there. Throws IoError, saying how to get one, when
/// there is none.
inline std::filesystem::path find_weights(const std::string& asked_for,
                                          const std::filesystem::path& program) {
  namespace fs = std::filesystem;
  if (!asked_for.empty()) return asked_for;
  if (const char* named = std::getenv("SFUMATO_WEIGHTS"); named != nullptr && *named != '\0') {
    return named;
  }
  // The full network in any folder is better than the slim one in the first.
  const std::vector<std::vector<const char*>> preferred{
      {"vgg19.safetensors", "vgg19-dcbb9e9d.safetensors", "vgg19-dcbb9e9d.pth"}, {kSlimWeights}};
  for (const auto& names : preferred) {
    for (const fs::path& folder : weight_folders(program)) {
      for (const char* const name : names) {
        std::error_code ignored;
        if (fs::is_regular_file(folder / name, ignored)) return folder / name;
      }
    }
  }
  throw sfumato::IoError(
      "no VGG-19 weights found: run weights/fetch.sh (548 MB), or name a file with --weights or "
      "$SFUMATO_WEIGHTS");
}

namespace detail {

/// The options of the VGG-19 whose parameters the file has under these names.
inline sfumato::nn::VggOptions options_of(const sfumato::io::WeightsFile& file,
                                          const std::map<std::string, std::string>& stored) {
  sfumato::nn::VggOptions options;
  const auto shape_of = [&](const std::string& name) { return file.shape(stored.at(name)); };
  options.widths = sfumato::nn::Vgg<float>::widths_of(options.depth, shape_of);
  return options;
}

}  // namespace detail

/// The options of the VGG-19 in a file, full or slim. Throws IoError for a file that is none, and
/// lists the parameters that it lacks.
inline sfumato::nn::VggOptions vgg_options_of(const std::filesystem::path& weights) {
  const sfumato::io::WeightsFile file(weights);
  return detail::options_of(file, file.locate(sfumato::nn::Vgg<float>::parameter_names({})));
}

/// The parameters of the VGG-19 in a file, under torchvision's names, for torchvision's pixels.
/// What had to be converted for that is said on stderr. Throws IoError as vgg_options_of().
template <class T>
std::map<std::string, sfumato::Tensor<T>> read_vgg(const sfumato::io::WeightsFile& file,
                                                   const std::map<std::string, std::string>& stored,
                                                   const std::filesystem::path& path) {
  std::map<std::string, sfumato::Tensor<T>> tensors;
  for (const auto& [name, place] : stored) tensors.emplace(name, file.read<T>(place));
  const std::string first = "features.0.";
  auto weight = file.read<float>(stored.at(first + "weight"));
  auto bias = file.read<float>(stored.at(first + "bias"));
  const sfumato::style::VggInput input = sfumato::style::vgg_input_of(weight, bias);
  if (!input.is_torchvision()) {
    std::fprintf(stderr,
                 "note: %s holds VGG-19 for pixels as in Caffe (%s); its first layer has been "
                 "converted to torchvision's (RGB, 0 to 1 normalised)\n",
                 sfumato::printable(path.string()).c_str(), input.to_string().c_str());
    sfumato::style::take_torchvision_pixels(weight, bias, input);
    tensors.insert_or_assign(first + "weight", weight.template cast<T>());
    tensors.insert_or_assign(first + "bias", bias.template cast<T>());
  }
  return tensors;
}

/// The VGG-19 in a file, full or slim, without its classifier. Throws IoError as vgg_options_of().
template <class T, class Device = sfumato::Cpu>
sfumato::nn::Vgg<T, Device> load_vgg(const std::filesystem::path& weights) {
  using Vgg = sfumato::nn::Vgg<T, Device>;
  const sfumato::io::WeightsFile file(weights);
  const auto stored = file.locate(Vgg::parameter_names({}));
  std::map<std::string, sfumato::Tensor<T, Device>> tensors;
  for (const auto& [name, tensor] : read_vgg<T>(file, stored, weights)) {
    tensors.emplace(name, tensor.template to<Device>());
  }
  try {
    return Vgg(detail::options_of(file, stored), std::move(tensors));
  } catch (const sfumato::ValueError& error) {
    throw sfumato::IoError(
        sfumato::message(weights.string(), ": not the weights of a VGG-19: ", error.what()));
  }
}

}  // namespace examples
