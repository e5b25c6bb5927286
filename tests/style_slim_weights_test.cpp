// weights/vgg19-slim.safetensors, which the repository carries.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "../examples/find_weights.hpp"
#include "../weights/distill/loss_scales.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/loss_scales.hpp"
#include "sfumato/style/weights.hpp"
#include "support/shared_data.hpp"

namespace sfumato::style_slim_weights_test {

namespace {

namespace fs = std::filesystem;

const fs::path kSlim = fs::path(SFUMATO_SOURCE_DIR) / "weights" / examples::kSlimWeights;

Tensor<float> picture(const std::string& name, std::int64_t height, std::int64_t width) {
  const fs::path images = fs::path(SFUMATO_SOURCE_DIR) / "examples" / "images";
  return style::normalize<float>(io::resize(io::read_image(images / name), height, width));
}

/// How far a painted picture's colours are from the content's at the right and lower border, in
/// grey levels: for each of the last rows and columns the difference of means, and of these the
/// mean. A strip of another colour is seen here, strokes are not.
double strips(const Tensor<float>& painted, const Tensor<float>& content) {
  constexpr std::int64_t kBand = 8;
  const Tensor<std::uint8_t> a = style::denormalize(painted);
  const Tensor<std::uint8_t> b = style::denormalize(content);
  const std::int64_t height = a.shape()[0];
  const std::int64_t width = a.shape()[1];
  double sum = 0.0;
  const auto add = [&](std::int64_t length, const auto& at) {
    for (std::int64_t line = 1; line <= kBand; ++line) {
      for (std::int64_t c = 0; c < 3; ++c) {
        double difference = 0.0;
        for (std::int64_t i = 0; i < length; ++i)
          difference += at(a, line, i, c) - at(b, line, i, c);
        sum += std::abs(difference) / static_cast<double>(length);
      }
    }
  };
  add(height, [&](const auto& x, std::int64_t line, std::int64_t i, std::int64_t c) {
    return static_cast<double>(x.at({i, width - line, c}));
  });
  add(width, [&](const auto& x, std::int64_t line, std::int64_t i, std::int64_t c) {
    return static_cast<double>(x.at({height - line, i, c}));
  });
  return sum / (2.0 * 3.0 * static_cast<double>(kBand));
}

}  // namespace

TEST_CASE("extended borders leave no strips, whatever the sides") {
  // The full network's: the slim one's pictures have none as they are.
  const auto weights = shared_data("weights/vgg19-oxford-q8.safetensors");
  if (!weights) {
    MESSAGE("SKIPPED: the full VGG-19 is not on this machine");
    return;
  }
  auto network = style::load_vgg<float>(*weights);
  network.freeze();
  const auto style = picture("mosaic.jpg", 96, 128);
  const auto strips_of = [&](std::int64_t height, std::int64_t width, style::Borders borders) {
    const auto content = picture("cat.jpg", height, width);
    style::TransferOptions options{.objective = {.content_weight = 0.05, .style_weight = 10000.0},
                                   .iterations = 60,
                                   .learning_rate = 0.05,
                                   .lr_decay_every = 45,
                                   .borders = borders,
                                   .losses_every = 60};
    const auto result = style::transfer(network, content, style, content, options);
    CHECK(result.image.shape() == content.shape());
    return strips(result.image, content);
  };
  const double none = strips_of(96, 128, style::Borders::kPlain);
  for (const auto& size : {std::pair{95, 127}, {90, 122}}) {
    const int height = size.first;
    const int width = size.second;
    CAPTURE(height);
    const double extended = strips_of(height, width, style::Borders::kExtend);
    const double plain = strips_of(height, width, style::Borders::kPlain);
    CHECK(extended < 1.4 * none);
    CHECK(plain > 1.25 * extended);
  }
}

TEST_CASE("the slim weights are small, and complete but for the classifier") {
  CHECK(fs::file_size(kSlim) <= 3'000'000);
  CHECK(style::vgg_options_of(kSlim).widths.size() == 16);
  const auto scales = style::loss_scales_of(kSlim);
  CHECK(scales.style.size() == 10);
  CHECK(scales.total_variation == distill::kSlimTotalVariation);
  CHECK(scales.neighbors_total_variation == distill::kSlimNeighborsTotalVariation);
  for (const std::string& name : style::ObjectiveOptions{}.content_layers) {
    CHECK(scales.content.count(name) == 1);
  }
  for (const std::string& name : style::ObjectiveOptions{}.style_layers) {
    CHECK(scales.style.count(name) == 1);
  }
}

TEST_CASE("each ReLU of the slim network is about 1 in the mean") {
  auto network = style::load_vgg<float>(kSlim);
  std::vector<std::size_t> layers;
  for (std::size_t i = 0; i < network.layer_names().size(); ++i) {
    if (network.layer_names()[i].starts_with("relu")) layers.push_back(i);
  }
  REQUIRE(layers.size() == 16);
  std::vector<double> means(layers.size(), 0.0);
  // Two photographs and two paintings, of which none was trained with in this size.
  for (const char* const name : {"cat.jpg", "rocket.jpg", "suns.jpg", "mosaic.jpg"}) {
    no_grad([&] {
      network.visit_features(Variable<float>(picture(name, 96, 128)), layers,
                             [&](std::size_t i, const auto& y) {
                               means[i] += static_cast<double>(ops::mean(y).item()) / 4.0;
                             });
    });
  }
  for (std::size_t i = 0; i < means.size(); ++i) {
    CAPTURE(network.layer_names()[layers[i]]);
    CHECK(means[i] > 0.5);
    CHECK(means[i] < 2.0);
  }
}

TEST_CASE("what the slim network paints has the style in the eyes of the full one") {
  const auto full_weights = shared_data("weights/vgg19-oxford-q8.safetensors");
  if (!full_weights) {
    MESSAGE("SKIPPED: the full VGG-19 is not on this machine");
    return;
  }
  auto slim = style::load_vgg<float>(kSlim);
  auto full = style::load_vgg<float>(*full_weights);
  slim.freeze();
  full.freeze();
  const auto content = picture("cat.jpg", 128, 192);
  const auto style = picture("mosaic.jpg", 128, 192);
  style::TransferOptions options{.objective = {.content_weight = 0.0025, .style_weight = 20000.0},
                                 .iterations = 100,
                                 .learning_rate = 0.05,
                                 .lr_decay_every = 70};
  style::loss_scales_of(kSlim).apply_to(options.objective, slim);
  const auto painted = style::transfer(slim, content, style, content, options).image;
  const auto judge = style::gatys_objective(full, content, style);
  const auto style_loss = [&](const Tensor<float>& image) {
    double sum = 0.0;
    for (const auto& loss : no_grad([&] { return judge(Variable<float>(image)); }).of("style")) {
      sum += static_cast<double>(loss.item());
    }
    return sum;
  };
  CHECK(style_loss(painted) < 0.3 * style_loss(content));
}

}  // namespace sfumato::style_slim_weights_test
