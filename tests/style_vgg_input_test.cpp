// VGG-19's weights for Caffe's pixels are told from those for torchvision's, and converted.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/io/safetensors.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/vgg_input.hpp"
#include "sfumato/style/weights.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::style_vgg_input_test {

namespace {

struct FirstLayer {
  Tensor<float> weight;
  Tensor<float> bias;
};

/// Filters that answer as Oxford's, all of norm 2, at the strength that they have in torchvision's
/// convention; what else they do is made up.
FirstLayer made_up() {
  std::vector<float> weight(64 * 27);
  std::vector<float> bias(64);
  for (std::size_t o = 0; o < 64; ++o) {
    float* const filter = weight.data() + o * 27;
    const double green = style::detail::kOxfordGreen[o] / 100.0;
    const double red = style::detail::kOxfordRedMinusBlue[o] / 200.0;
    // Nine equal values in red and in blue answer least for their norm.
    for (std::size_t i = 0; i < 9; ++i) {
      filter[i] = static_cast<float>(2 * red / 9);
      filter[18 + i] = static_cast<float>(-2 * red / 9);
    }
    filter[13] = static_cast<float>(2 * green);
    const double rest = 1 - green * green - 2 * red * red / 9;
    filter[9] = static_cast<float>(2 * std::sqrt(rest / 2));
    filter[17] = -filter[9];
    bias[o] = static_cast<float>(0.02 * (static_cast<double>(o % 7) - 3) / 2);
  }
  return {Tensor<float>::from(weight, {64, 3, 3, 3}), Tensor<float>::from(bias, {64})};
}

/// The inverse of the conversion: the layer for pixels of this kind.
FirstLayer for_pixels(const FirstLayer& layer, const style::VggInput& input, double factor = 1) {
  constexpr double kMean[] = {123.68, 116.779, 103.939};
  std::vector<float> weight = layer.weight.to_vector();
  std::vector<float> bias = layer.bias.to_vector();
  for (std::size_t o = 0; o < 64; ++o) {
    double shift = 0;
    for (std::size_t c = 0; c < 3 && input.levels; ++c) {
      const double deviation = 255 * style::kImageNetDeviation[c];
      for (std::size_t i = 0; i < 9; ++i) {
        float& value = weight[o * 27 + c * 9 + i];
        shift += value * (kMean[c] - 255 * style::kImageNetMean[c]) / deviation;
        value = static_cast<float>(value / deviation);
      }
    }
    bias[o] = static_cast<float>((bias[o] + shift) * factor);
    for (std::size_t i = 0; i < 27; ++i) {
      weight[o * 27 + i] = static_cast<float>(weight[o * 27 + i] * factor);
    }
    if (!input.bgr) continue;
    for (std::size_t i = 0; i < 9; ++i) std::swap(weight[o * 27 + i], weight[o * 27 + 18 + i]);
  }
  return {Tensor<float>::from(weight, {64, 3, 3, 3}), Tensor<float>::from(bias, {64})};
}

double largest_difference(const Tensor<float>& a, const Tensor<float>& b) {
  const auto x = a.to_vector();
  const auto y = b.to_vector();
  REQUIRE(x.size() == y.size());
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(x[i]) - static_cast<double>(y[i])));
  }
  return largest;
}

/// Every kind of pixels is recognised, whatever the layer is scaled by, and converted back.
void check_all_kinds(const FirstLayer& layer) {
  for (const bool bgr : {false, true}) {
    for (const bool levels : {false, true}) {
      for (const double factor : {1.0, 0.003, 250.0}) {
        CAPTURE(bgr);
        CAPTURE(levels);
        CAPTURE(factor);
        FirstLayer other = for_pixels(layer, {bgr, levels}, factor);
        const style::VggInput input = style::vgg_input_of(other.weight, other.bias);
        CHECK(input.bgr == bgr);
        CHECK(input.levels == levels);
        style::take_torchvision_pixels(other.weight, other.bias, input);
        CHECK(largest_difference(other.weight, for_pixels(layer, {}, factor).weight) <
              1e-6 * factor * 5);
        CHECK(largest_difference(other.bias, for_pixels(layer, {}, factor).bias) < 1e-6 * factor);
      }
    }
  }
}

bool is_left_alone(const Tensor<float>& weight, const Tensor<float>& bias) {
  return style::vgg_input_of(weight, bias).is_torchvision();
}

}  // namespace

TEST_CASE("filters that answer as Oxford's are converted from any kind of pixels") {
  check_all_kinds(made_up());
  CHECK(style::VggInput{true, true}.to_string() == "BGR, 0 to 255");
}

TEST_CASE("Oxford's weights themselves are converted from any kind of pixels") {
  const auto path = shared_data("weights/vgg19-oxford-q8.safetensors");
  if (!path) {
    MESSAGE("SKIPPED: the shared weights are not on this machine");
    return;
  }
  const io::SafetensorsFile file(*path);
  const auto weight = file.read<float>("features.0.weight");
  check_all_kinds({weight, file.read<float>("features.0.bias")});
  // The tables of what its filters answer.
  const Variable<double> filters(weight.cast<double>().reshape({64, 3, 9}));
  for (std::int64_t o = 0; o < 64; ++o) {
    CAPTURE(o);
    const auto filter = ops::select(filters, 0, o);
    const double norm = std::sqrt(ops::sum(ops::square(filter)).item());
    const auto sums = ops::sum(filter, {1}).value().to_vector();
    const auto at = static_cast<std::size_t>(o);
    CHECK(std::lround(100 * filter.value().at({1, 4}) / norm) == style::detail::kOxfordGreen[at]);
    CHECK(std::lround(100 * (sums[0] - sums[2]) / 3 / norm) ==
          style::detail::kOxfordRedMinusBlue[at]);
  }
}

TEST_CASE("other networks are left alone") {
  Random random(5);
  for (int i = 0; i < 200; ++i) {
    const auto weight = nn::kaiming_normal<float>({64, 3, 3, 3}, random);
    CHECK(is_left_alone(weight, Tensor<float>::zeros({64})));
    CHECK(is_left_alone(weight, Tensor<float>::ones({64})));
  }
  CHECK(is_left_alone(Tensor<float>::zeros({64, 3, 3, 3}), Tensor<float>::zeros({64})));
  CHECK(is_left_alone(Tensor<float>::ones({16, 3, 3, 3}), Tensor<float>::ones({16})));
  CHECK(
      is_left_alone(Tensor<float>::full({64, 3, 3, 3}, std::nanf("")), Tensor<float>::ones({64})));
  // Oxford's filters in another order, as if trained anew.
  const FirstLayer layer = made_up();
  std::vector<float> turned = layer.weight.to_vector();
  std::rotate(turned.begin(), turned.begin() + 27, turned.end());
  CHECK(is_left_alone(Tensor<float>::from(turned, {64, 3, 3, 3}), layer.bias));
  const io::SafetensorsFile slim(std::filesystem::path(SFUMATO_SOURCE_DIR) /
                                 "weights/vgg19-slim.safetensors");
  CHECK(is_left_alone(slim.read<float>("features.0.weight"), slim.read<float>("features.0.bias")));
}

TEST_CASE("a network answers to torchvision's pixels as it did to Caffe's") {
  const FirstLayer layer = made_up();
  const FirstLayer caffe = for_pixels(layer, {true, true});
  // One picture of 6 × 5 pixels, as each of the two takes it.
  std::vector<float> levels;
  std::vector<float> normalised;
  constexpr double kMean[] = {123.68, 116.779, 103.939};
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < 30; ++i) {
      const auto level = [&](std::size_t channel) {
        return static_cast<double>((i * 37 + channel * 91) % 256);
      };
      levels.push_back(static_cast<float>(level(2 - c) - kMean[2 - c]));
      normalised.push_back(static_cast<float>((level(c) / 255 - style::kImageNetMean[c]) /
                                              style::kImageNetDeviation[c]));
    }
  }
  FirstLayer converted = caffe;
  style::take_torchvision_pixels(converted.weight, converted.bias, {true, true});
  const auto answer = [](const std::vector<float>& pixels, const FirstLayer& first, int padding) {
    return ops::conv2d(Variable<float>(Tensor<float>::from(pixels, {1, 3, 6, 5})),
                       Variable<float>(first.weight), Variable<float>(first.bias),
                       {.padding = padding})
        .value();
  };
  CHECK(largest_difference(answer(levels, caffe, 0), answer(normalised, converted, 0)) < 2e-5);
  // Where it pads, half a level is between the two means.
  const double at_borders =
      largest_difference(answer(levels, caffe, 1), answer(normalised, converted, 1));
  CHECK(at_borders > 0);
  CHECK(at_borders < 0.05);
}

TEST_CASE("a file in Caffe's convention is loaded as torchvision's") {
  const TemporaryDirectory folder;
  nn::VggOptions options;
  options.widths = {64, 4, 4, 4, 4};
  Random random(1);
  const nn::Vgg<float> network(options, random);
  auto state = network.state_dict();
  const FirstLayer layer = made_up();
  std::map<std::string, Tensor<float>> file;
  for (const auto& [name, tensor] : state) file.emplace("module." + name, tensor);
  const FirstLayer caffe = for_pixels(layer, {true, true}, 3);
  file.insert_or_assign("module.features.0.weight", caffe.weight);
  file.insert_or_assign("module.features.0.bias", caffe.bias);
  io::write_safetensors(folder / "caffe.safetensors", file);
  const auto loaded = style::load_vgg<float>(folder / "caffe.safetensors").state_dict();
  const FirstLayer wanted = for_pixels(layer, {}, 3);
  CHECK(largest_difference(loaded.at("features.0.weight"), wanted.weight) < 1e-5);
  CHECK(largest_difference(loaded.at("features.0.bias"), wanted.bias) < 1e-5);
  CHECK(largest_difference(loaded.at("features.2.weight"), state.at("features.2.weight")) == 0);
}

}  // namespace sfumato::style_vgg_input_test
