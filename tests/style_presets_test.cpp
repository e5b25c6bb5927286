// The presets of "Dive into Deep Learning" against what MXNet and PyTorch compute with its code.
// The golden numbers are theirs; see the READMEs of the shared data.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sfumato/io/image.hpp"
#include "sfumato/io/npy.hpp"
#include "sfumato/io/weights.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "support/complaint.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_data.hpp"

namespace sfumato::style_presets_test {

namespace {

// With sanitizers an iteration takes half a minute, and they look for other faults than drift.
constexpr std::int64_t kIterations = kAddressSanitizer ? 2 : 20;

/// Whether the golden numbers are here; says so where they are not.
bool available() {
  const bool found = shared_data("reference/seed-mxnet/mxnet-float64.json").has_value() &&
                     shared_data("weights/vgg19-oxford-q8.safetensors").has_value();
  if (!found) MESSAGE("SKIPPED: there is no reference/seed-mxnet; set SFUMATO_SHARED");
  return found;
}

template <class T>
Tensor<T> golden(const std::string& name) {
  return io::read_npy<T>(*shared_data("reference/seed-mxnet/" + name + ".npy"));
}

template <class T>
nn::Vgg<T> real_network() {
  return nn::Vgg<T>({}, io::read_tensors<T>(*shared_data("weights/vgg19-oxford-q8.safetensors"),
                                            nn::Vgg<T>::parameter_names({})));
}

template <class T>
double relative_distance(const Tensor<T>& actual, const Tensor<T>& expected) {
  double difference = 0.0;
  double size = 0.0;
  for (std::int64_t i = 0; i < expected.numel(); ++i) {
    const double x = static_cast<double>(expected.data()[i]);
    difference += std::pow(static_cast<double>(actual.data()[i]) - x, 2);
    size += x * x;
  }
  return std::sqrt(difference / size);
}

/// How the preset d2l-mxnet goes on from the golden inputs, beside what MXNet computed in T.
template <class T>
void follow_mxnet(const std::string& type, double losses, double gradient, double picture) {
  auto network = real_network<T>();
  network.freeze();
  // The inputs are floats in both precisions.
  const auto content = golden<float>("content").cast<T>();
  const auto style = golden<float>("style").cast<T>();
  style::TransferOptions options = style::preset("d2l-mxnet").transfer;
  options.iterations = kIterations;
  {
    const auto objective = style::gatys_objective(network, content, style, options.objective);
    Variable<T> image(content, true);
    backward(objective(image).total);
    CHECK(relative_distance(image.grad().value(), golden<T>("grad-iter1-" + type)) < gradient);
  }
  const auto result = style::transfer(network, content, style, content, options);
  std::ifstream file(*shared_data("reference/seed-mxnet/mxnet-" + type + ".json"));
  const auto rows = nlohmann::json::parse(file)["losses"];
  for (const style::Iteration& now : result.history) {
    CAPTURE(now.number);
    const auto& expected = rows[static_cast<std::size_t>(now.number - 1)];
    const double total = expected["total"];
    double style_sum = 0.0;
    for (const double layer : expected["style"]) style_sum += layer;
    CHECK(std::abs(now.loss("content") - static_cast<double>(expected["content"])) <
          losses * total);
    CHECK(std::abs(now.loss("style") - style_sum) < losses * total);
    CHECK(std::abs(now.loss("tv") - static_cast<double>(expected["tv"])) < losses * total);
    CHECK(std::abs(now.total - total) < losses * total);
  }
  if (kIterations == 20) {
    CHECK(relative_distance(result.image, golden<T>("image-after-20-" + type)) < picture);
  }
}

/// The pixels of a normalised picture before it was normalised, times 255.
std::vector<double> levels(const Tensor<float>& image) {
  const std::int64_t plane = image.shape()[2] * image.shape()[3];
  std::vector<double> result;
  for (std::int64_t i = 0; i < image.numel(); ++i) {
    const auto c = static_cast<std::size_t>(i / plane);
    result.push_back(255.0 * (static_cast<double>(image.data()[i]) * style::kImageNetDeviation[c] +
                              style::kImageNetMean[c]));
  }
  return result;
}

/// The largest difference of two pictures, in grey levels.
double largest_difference(const Tensor<float>& actual, const Tensor<float>& expected) {
  REQUIRE(actual.shape() == expected.shape());
  const auto a = levels(actual);
  const auto b = levels(expected);
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE("the presets of the book are what it prints") {
  for (const std::string name : {"d2l", "d2l-pytorch", "d2l-mxnet"}) {
    CAPTURE(name);
    const style::Preset preset = style::preset(name);
    REQUIRE(preset.stages.size() == 2);
    CHECK(preset.stages[0].height == 150);
    CHECK(preset.stages[0].width == 225);
    CHECK(preset.stages[0].iterations == 500);
    CHECK(preset.stages[0].lr_decay_every == 200);
    CHECK(preset.stages[1].height == 600);
    CHECK(preset.stages[1].width == 900);
    CHECK(preset.stages[1].iterations == 300);
    CHECK(preset.stages[1].lr_decay_every == 100);
    CHECK(preset.transfer.borders == style::Borders::kPlain);
    CHECK(preset.pictures.style_fit == style::StyleFit::kSqueeze);
    const style::ObjectiveOptions& objective = preset.transfer.objective;
    CHECK(objective.content_weight == 1.0);
    CHECK(objective.style_weight == 1000.0);
    CHECK(objective.tv_weight == 10.0);
    CHECK(objective.content_layers[0] == (name == "d2l-mxnet" ? "conv4_4" : "relu4_4"));
  }
  CHECK(complaint([] { style::preset("d2l-jax"); }) ==
        "there is no preset 'd2l-jax'; presets are d2l, d2l-pytorch, d2l-mxnet, d2l-2023, gatys, "
        "johnson, crowson, fast");
}

TEST_CASE("the newer book has one stage with larger steps") {
  const style::Preset preset = style::preset("d2l-2023");
  REQUIRE(preset.stages.size() == 1);
  CHECK(preset.stages[0].height == 300);
  CHECK(preset.stages[0].width == 450);
  CHECK(preset.stages[0].iterations == 500);
  CHECK(preset.stages[0].lr_decay_every == 50);
  CHECK(preset.transfer.learning_rate == 0.3);
  CHECK(preset.transfer.lr_decay == 0.8);
  CHECK(preset.transfer.objective.style_weight == 1e4);
}

TEST_CASE("sides are cut off for johnson, rounded for others, and √2 apart on a ladder") {
  using style::SideRounding;
  const Shape rainier{1500, 2264, 3};
  CHECK(style::size_in_proportion(rainier, 96) == style::PictureSize{64, 96});
  CHECK(style::size_in_proportion(rainier, 96, SideRounding::kDown) == style::PictureSize{63, 96});
  const style::PictureOptions shrinks{.style_fit = style::StyleFit::kShrink};
  CHECK(style::style_size({40, 60, 3}, {96, 90}, shrinks, 16) == style::PictureSize{40, 60});
  CHECK(style::style_size({400, 600, 3}, {96, 90}, shrinks, 16) == style::PictureSize{64, 96});
  CHECK(style::ladder(48, 96) == std::vector<std::int64_t>{48, 68, 96});
  CHECK(style::ladder(97, 97) == std::vector<std::int64_t>{97});
  CHECK(complaint([] { style::ladder(98, 97); }) ==
        "ladder: from 98 to 97 pixels; the first must be at least 1 and at most the second");
}

TEST_CASE("fast has the default objective, and fewer iterations") {
  const style::TransferOptions fast = style::preset("fast").transfer;
  const style::TransferOptions book = style::preset("d2l").transfer;
  CHECK(style::preset("fast").stages.empty());
  CHECK(style::layers_of(fast.objective) == style::layers_of(book.objective));
  CHECK(fast.objective.style_weight == book.objective.style_weight);
  CHECK(fast.optimizer == style::Optimizer::kScaledLbfgs);
  CHECK(10 * fast.iterations == style::TransferOptions{}.iterations);
}

TEST_CASE("double precision: d2l-mxnet is MXNet's twenty iterations to the last digits") {
  if (available()) follow_mxnet<double>("float64", 1e-12, 1e-12, 1e-11);
}

TEST_CASE("single precision: d2l-mxnet is MXNet's twenty iterations") {
  if (available()) follow_mxnet<float>("float32", 5e-5, 1e-3, 1e-2);
}

TEST_CASE("the second stage starts from MXNet's picture, and from PyTorch's, to the level") {
  if (!available()) return;
  const auto last = golden<float>("image-after-20-float32");
  const auto start = [&](const std::string& name) {
    return style::enlarge_picture(last, {300, 450}, style::preset(name).pictures);
  };
  CHECK(largest_difference(start("d2l-mxnet"), golden<float>("stage2-start-300x450-mxnet")) <
        0.001);
  CHECK(largest_difference(start("d2l"), golden<float>("stage2-start-300x450-pytorch")) < 0.001);
}

TEST_CASE("pictures are read as MXNet reads them") {
  if (!available()) return;
  for (const auto& picture :
       {std::pair{"images/rainier.jpg", "content"}, {"images/autumn-oak.jpg", "style"}}) {
    const char* const file = picture.first;
    const char* const name = picture.second;
    CAPTURE(name);
    const auto pixels = io::read_image(*shared_data(file));
    const auto prepared =
        style::prepare_picture<float>(pixels, {150, 225}, style::preset("d2l-mxnet").pictures);
    CHECK(largest_difference(prepared, golden<float>(name)) < 0.001);
  }
}

}  // namespace sfumato::style_presets_test
