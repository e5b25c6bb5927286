// Texture synthesis (Gatys, Ecker and Bethge, 2015): noise becomes a texture that has the same Gram
// matrices, that is, in which the same features occur together.
//   texture PICTURE OUT [SIDE] [ITERATIONS]

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "find_weights.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/weights.hpp"

using namespace sfumato;

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fputs("usage: texture PICTURE OUT [SIDE] [ITERATIONS]\n", stderr);
    return 2;
  }
  const std::int64_t side = argc > 3 ? std::atoi(argv[3]) : 192;
  const int iterations = argc > 4 ? std::atoi(argv[4]) : 60;

  auto network = style::load_vgg<float>(examples::find_weights("", argv[0]));
  network.freeze();
  const std::vector<std::size_t> layers{
      network.layer_index("relu1_1"), network.layer_index("relu2_1"),
      network.layer_index("relu3_1"), network.layer_index("relu4_1")};

  const auto grams_of = [&](const Variable<float>& image) {
    std::vector<Variable<float>> grams;
    for (const auto& features : network.features(image, layers)) {
      grams.push_back(losses::gram_matrix(features));
    }
    return grams;
  };

  const auto pixels = io::read_image(argv[1]);
  const auto example =
      style::prepare_picture<float>(pixels, style::size_in_proportion(pixels.shape(), side));
  const auto wanted = no_grad([&] { return grams_of(Variable(example)); });

  // The picture is the only parameter. L-BFGS learns from step to step how the loss curves.
  manual_seed(1);
  Variable<float> image(Tensor<float>::randn({1, 3, side, side}) * 0.1, true);
  const auto loss = [&] {
    const auto grams = grams_of(image);
    Variable<float> total(Tensor<float>::scalar(0));
    for (std::size_t i = 0; i < layers.size(); ++i) {
      total += losses::mse_loss(grams[i], wanted[i]) / wanted[i].square().mean();
    }
    return total;
  };
  optim::LBFGS<float> lbfgs({image});
  for (int i = 1; i <= iterations && lbfgs.step(loss); ++i) {
    if (i == 1 || i % 20 == 0) std::printf("iteration %3d   loss %.4f\n", i, lbfgs.loss());
  }
  io::write_image(argv[2], style::denormalize(image.value()));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "texture: %s\n", error.what());
  return 1;
}
