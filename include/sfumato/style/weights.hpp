#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/io/weights.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/style/vgg_input.hpp"

namespace sfumato::style {

namespace detail {

/// The options of the VGG-19 whose parameters the file has under these names.
inline nn::VggOptions options_of(const io::WeightsFile& file,
                                 const std::map<std::string, std::string>& stored) {
  nn::VggOptions options;
  const auto shape_of = [&](const std::string& name) { return file.shape(stored.at(name)); };
  options.widths = nn::Vgg<float>::widths_of(options.depth, shape_of);
  return options;
}

}  // namespace detail

/// The options of the VGG-19 in a file, full or slim. Throws IoError for a file that is none, and
/// lists the parameters that it lacks.
inline nn::VggOptions vgg_options_of(const std::filesystem::path& weights) {
  const io::WeightsFile file(weights);
  return detail::options_of(file, file.locate(nn::Vgg<float>::parameter_names({})));
}

/// Is told what had to be done with a file.
using Note = std::function<void(const std::string&)>;

/// The parameters of the VGG-19 in a file, under torchvision's names, for torchvision's pixels. A
/// file for others, as Caffe's, is converted, which `note` is told. Throws IoError as
/// vgg_options_of().
template <class T>
std::map<std::string, Tensor<T>> read_vgg(const io::WeightsFile& file,
                                          const std::map<std::string, std::string>& stored,
                                          const std::filesystem::path& path,
                                          const Note& note = {}) {
  std::map<std::string, Tensor<T>> tensors;
  for (const auto& [name, place] : stored) tensors.emplace(name, file.read<T>(place));
  const std::string first = "features.0.";
  auto weight = file.read<float>(stored.at(first + "weight"));
  auto bias = file.read<float>(stored.at(first + "bias"));
  const VggInput input = vgg_input_of(weight, bias);
  if (!input.is_torchvision()) {
    if (note) {
      note(message(path.string(), " holds VGG-19 for pixels as in Caffe (", input.to_string(),
                   "); its first layer has been converted to torchvision's (RGB, 0 to 1 "
                   "normalised)"));
    }
    take_torchvision_pixels(weight, bias, input);
    tensors.insert_or_assign(first + "weight", weight.template cast<T>());
    tensors.insert_or_assign(first + "bias", bias.template cast<T>());
  }
  return tensors;
}

/// The VGG-19 in a file, full or slim, without its classifier; of the options, those that don't
/// follow from the weights matter. Throws IoError as vgg_options_of().
///
///     auto network = style::load_vgg<float>("vgg19.safetensors");
template <class T, class Device = Cpu>
nn::Vgg<T, Device> load_vgg(const std::filesystem::path& weights, const Note& note = {},
                            nn::VggOptions options = {}) {
  using Vgg = nn::Vgg<T, Device>;
  const io::WeightsFile file(weights);
  const auto stored = file.locate(Vgg::parameter_names({}));
  std::map<std::string, Tensor<T, Device>> tensors;
  for (const auto& [name, tensor] : read_vgg<T>(file, stored, weights, note)) {
    tensors.emplace(name, tensor.template to<Device>());
  }
  try {
    options.widths = detail::options_of(file, stored).widths;
    return Vgg(options, std::move(tensors));
  } catch (const ValueError& error) {
    throw IoError(message(weights.string(), ": not the weights of a VGG-19: ", error.what()));
  }
}

}  // namespace sfumato::style
