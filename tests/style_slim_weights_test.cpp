// weights/vgg19-slim.safetensors, which the repository carries.

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "../examples/find_weights.hpp"
#include "../examples/loss_scales.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/sfumato.hpp"
#include "support/shared_data.hpp"

using namespace sfumato;

namespace {

namespace fs = std::filesystem;

const fs::path kSlim = fs::path(SFUMATO_SOURCE_DIR) / "weights" / examples::kSlimWeights;

Tensor<float> picture(const std::string& name, std::int64_t height, std::int64_t width) {
  const fs::path images = fs::path(SFUMATO_SOURCE_DIR) / "examples" / "images";
  return style::normalize<float>(io::resize(io::read_image(images / name), height, width));
}

}  // namespace

TEST_CASE("the slim weights are small, and complete but for the classifier") {
  CHECK(fs::file_size(kSlim) <= 3'000'000);
  CHECK(examples::vgg_options_of(kSlim).widths.size() == 16);
  const auto scales = examples::loss_scales_of(kSlim);
  CHECK(scales.style.size() == 5);
  CHECK(scales.total_variation == examples::kSlimTotalVariation);
  CHECK(scales.content.count("conv4_2") + scales.content.count("conv4_4") == 2);
}

TEST_CASE("each ReLU of the slim network is about 1 in the mean") {
  auto network = examples::load_vgg<float>(kSlim);
  std::vector<std::size_t> layers;
  for (std::size_t i = 0; i < network.layer_names().size(); ++i) {
    if (network.layer_names()[i].starts_with("relu")) layers.push_back(i);
  }
  REQUIRE(layers.size() == 16);
  std::vector<double> means(layers.size(), 0.0);
  // Two photographs and two paintings, of which none was trained with in this size.
  for (const char* const name : {"cat.jpg", "rocket.jpg", "suns.jpg", "mosaic.jpg"}) {
    no_grad([&] {
      network.visit_taps(Variable<float>(picture(name, 96, 128)), layers,
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
  auto slim = examples::load_vgg<float>(kSlim);
  auto full = examples::load_vgg<float>(*full_weights);
  slim.freeze();
  full.freeze();
  const auto content = picture("cat.jpg", 96, 128);
  const auto style = picture("mosaic.jpg", 96, 128);
  style::TransferOptions options{.objective = {.content_weight = 0.05, .style_weight = 3000.0},
                                 .iterations = 100,
                                 .learning_rate = 0.05,
                                 .lr_decay_every = 70};
  examples::loss_scales_of(kSlim).apply_to(options.objective);
  const auto painted = style::transfer(slim, content, style, content, options).image;
  const style::Objective<float> judge(full, content, style);
  const auto style_loss = [&](const Tensor<float>& image) {
    double sum = 0.0;
    for (const auto& loss : no_grad([&] { return judge(Variable<float>(image)); }).style) {
      sum += static_cast<double>(loss.item());
    }
    return sum;
  };
  CHECK(style_loss(painted) < 0.35 * style_loss(content));
}
