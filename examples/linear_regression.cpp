// Linear regression: finds the numbers that a table of noisy examples was made with, by minibatch
// gradient descent.

#include <iostream>

#include "sfumato/sfumato.hpp"

using namespace sfumato;

int main() {
  Random random(1);

  // 1,000 examples of y = 2 x_0 - 3.4 x_1 + 4.2, measured with an error of about 0.01.
  const auto features = Tensor<float>::randn({1000, 2}, random);
  const auto noise = Tensor<float>::randn({1000, 1}, random, 0.0F, 0.01F);
  const Tensor<float> true_weight = Tensor<float>{2, -3.4F}.reshape({2, 1});
  const Tensor<float> targets =
      ops::matmul(Variable(features), Variable(true_weight)).value() + 4.2F + noise;

  nn::Linear model(2, 1, random);
  optim::SGD sgd(model.parameters(), {.learning_rate = 0.03});

  // Shuffled, and by tens.
  const auto example = [&](std::int64_t i) { return std::pair(features[i], targets[i]); };
  data::DataLoader loader(1000, example, {.batch_size = 10, .shuffle = true});

  for (int epoch = 1; epoch <= 3; ++epoch) {
    for (const auto& [x, y] : loader) {
      sgd.zero_grad();
      losses::mse_loss(model(Variable(x)), Variable(y)).backward();
      sgd.step();
    }
    const auto loss =
        no_grad([&] { return losses::mse_loss(model(Variable(features)), Variable(targets)); });
    std::cout << "epoch " << epoch << "   loss " << loss << '\n';
  }

  for (const auto& [name, parameter] : model.named_parameters()) {
    std::cout << name << ": " << parameter << '\n';
  }
  return 0;
}
