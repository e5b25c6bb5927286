// A convolutional network that reads handwritten digits of 8 x 8 pixels.
//   digits               with digits that it draws itself
//   digits DIGITS.npz    with scikit-learn's, which examples/digits.py writes

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>

#include "sfumato/io/npz.hpp"
#include "sfumato/sfumato.hpp"

using namespace sfumato;

namespace {

struct Digits {
  Tensor<float> images;         // (n, 8, 8), from 0 to 1
  Tensor<std::int64_t> labels;  // (n,)
};

/// Seven strokes, as on a clock; each digit is moved, leaned, widened and smudged by chance.
Digits draw(std::int64_t count) {
  constexpr double kStrokes[7][4] = {{-1, -2, 1, -2}, {-1, -2, -1, 0}, {1, -2, 1, 0}, {-1, 0, 1, 0},
                                     {-1, 0, -1, 2},  {1, 0, 1, 2},    {-1, 2, 1, 2}};
  constexpr int kLit[] = {0x77, 0x24, 0x5d, 0x6d, 0x2e, 0x6b, 0x7b, 0x25, 0x7f, 0x6f};
  Digits digits{Tensor<float>::zeros({count, 8, 8}), Tensor<std::int64_t>::zeros({count})};
  Random& chance = default_random();
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t digit = digits.labels(n) = chance.below(10);
    const double left = 3.5 + 0.4 * chance.normal(), top = 3.5 + 0.4 * chance.normal();
    const double width = 1.8 + 0.3 * chance.normal(), lean = 0.15 * chance.normal();
    for (int pixel = 0; pixel < 64; ++pixel) {
      const double y = (pixel / 8 - top) / 1.5, x = (pixel % 8 - left) / width + lean * y;
      double ink = 0;
      for (int i = 0; i < 7; ++i) {
        const auto [x0, y0, x1, y1] = kStrokes[i];
        const double outside = std::hypot(x - std::clamp(x, x0, x1), y - std::clamp(y, y0, y1));
        if ((kLit[digit] >> i & 1) != 0) ink = std::max(ink, 1.2 - 1.6 * outside);
      }
      digits.images[n].set({pixel / 8, pixel % 8},
                           static_cast<float>(std::clamp(ink + 0.1 * chance.normal(), 0.0, 1.0)));
    }
  }
  return digits;
}

}  // namespace

int main(int argc, char** argv) try {
  manual_seed(1);
  const Digits digits = argc < 2 ? draw(1797)
                                 : Digits{io::read_npz<float>(argv[1], "images"),
                                          io::read_npz<std::int64_t>(argv[1], "labels")};
  const std::int64_t count = digits.images.size(0), training = count * 3 / 4;
  const auto example = [&](std::int64_t i) {
    return std::pair(digits.images[i].reshape({1, 8, 8}), digits.labels[i]);
  };

  nn::Sequential model{nn::Conv2d(1, 16, 3, {.padding = 1}),
                       nn::ReLU(),
                       nn::Conv2d(16, 32, 3, {.padding = 1}),
                       nn::ReLU(),
                       nn::MaxPool2d(2),
                       nn::Flatten(),
                       nn::Dropout(0.25),
                       nn::Linear(32 * 4 * 4, 10)};
  optim::AdamW adam(model.parameters());
  const optim::CosineDecay schedule{3e-3, 10};
  data::DataLoader loader(training, example, {.batch_size = 32, .shuffle = true});
  for (int epoch = 0; epoch < 10; ++epoch) {
    adam.set_learning_rate(schedule(epoch));
    float loss = 0;
    for (const auto& [images, labels] : loader) {
      adam.zero_grad();
      const auto error = losses::cross_entropy(model(Variable(images)), labels);
      error.backward();
      adam.step();
      loss += error.item() / static_cast<float>(loader.size());
    }
    std::printf("epoch %2d   loss %.3f\n", epoch + 1, loss);
  }

  model.eval();
  const NoGrad guard;
  const auto unseen = [&](std::int64_t i) { return example(training + i); };
  data::DataLoader held_out(count - training, unseen, {.batch_size = 100});
  std::int64_t right = 0;
  for (const auto& [images, labels] : held_out) {
    right += (model(Variable(images)).argmax(1) == labels).sum().item();
  }
  std::printf("%.1f %% of %lld digits that it has not seen before\n",
              100.0 * static_cast<double>(right) / static_cast<double>(count - training),
              static_cast<long long>(count - training));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "digits: %s\n", error.what());
  return 1;
}
