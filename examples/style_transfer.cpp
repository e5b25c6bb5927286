// Neural style transfer from its parts, in the order of the chapter of "Dive into Deep Learning":
// https://d2l.ai/chapter_computer-vision/neural-style.html. The program neural_style has options.
//   style_transfer CONTENT STYLE OUT [LONGER SIDE] [EPOCHS]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "find_weights.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/weights.hpp"

using namespace sfumato;

int main(int argc, char** argv) try {
  if (argc < 4) {
    std::fputs("usage: style_transfer CONTENT STYLE OUT [LONGER SIDE] [EPOCHS]\n", stderr);
    return 2;
  }
  const std::int64_t longer = argc > 4 ? std::atoi(argv[4]) : 256;
  const int epochs = argc > 5 ? std::atoi(argv[5]) : 200;

  // Reading the content and style images.
  const auto content_pixels = io::read_image(argv[1]);
  const auto style_pixels = io::read_image(argv[2]);

  // Preprocessing: resized, from 0 to 1, and standardised by ImageNet's mean and deviation.
  const auto size = style::size_in_proportion(content_pixels.shape(), longer);
  const auto content = style::prepare_picture<float>(content_pixels, size);
  const auto painting = style::prepare_picture<float>(style_pixels, size);

  // Extracting features: deep layers for the content, layers of all depths for the style.
  auto network = style::load_vgg<float>(examples::find_weights("", argv[0]));
  network.freeze();
  std::vector<std::size_t> layers;
  for (const char* name : {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv5_1", "relu4_4"}) {
    layers.push_back(network.layer_index(name));
  }
  const std::size_t styles = layers.size() - 1;  // the last one is the content's
  const auto features = [&](const Tensor<float>& picture) {
    return no_grad([&] { return network.features(Variable(picture), layers); });
  };
  const auto content_target = features(content)[styles];
  std::vector<Variable<float>> style_targets;
  for (const auto& each : features(painting)) style_targets.push_back(losses::gram_matrix(each));

  // Defining the loss function: content, style and total variation, weighted.
  const float content_weight = 0.05F, style_weight = 1e4F, tv_weight = 10;
  const auto loss_of = [&](const Variable<float>& picture) {
    const auto seen = network.features(picture, layers);
    auto total = content_weight * losses::content_loss(seen[styles], content_target);
    for (std::size_t i = 0; i < styles; ++i) {
      total += style_weight * losses::style_loss(seen[i], style_targets[i]);
    }
    return total + tv_weight * losses::total_variation_loss(picture);
  };

  // Initialising the synthesised image: it is the only parameter, and begins as the content.
  Variable<float> picture(content.clone(), true);

  // Training.
  optim::Adam<float> adam({picture}, {.learning_rate = 0.05});
  const optim::StepDecay schedule{0.05, std::max(1, 4 * epochs / 5), 0.1};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    adam.set_learning_rate(schedule(epoch));
    adam.zero_grad();
    const auto loss = loss_of(picture);
    loss.backward();
    adam.step();
    if (epoch % 50 == 0) std::printf("epoch %3d   loss %.2f\n", epoch, loss.item());
  }

  // Postprocessing.
  io::write_image(argv[3], style::denormalize(picture.value()));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "style_transfer: %s\n", error.what());
  return 1;
}
