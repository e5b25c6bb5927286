// The smallest network that is needed for something: exclusive or, which no straight line divides.

#include <iostream>

#include "sfumato/sfumato.hpp"

using namespace sfumato;

int main() {
  manual_seed(3);
  nn::Sequential model{nn::Linear(2, 8), nn::Tanh(), nn::Linear(8, 2)};
  std::cout << nn::summary(model) << '\n';

  const Variable inputs(Tensor<float>{{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const Tensor<std::int64_t> labels{0, 1, 1, 0};

  optim::Adam adam(model.parameters(), {.learning_rate = 0.05});
  for (int step = 0; step <= 100; ++step) {
    adam.zero_grad();
    const auto loss = losses::cross_entropy(model(inputs), labels);
    loss.backward();
    adam.step();
    if (step % 25 == 0) std::cout << "step " << step << "   loss " << loss << '\n';
  }

  std::cout << "answers: " << model(inputs).argmax(1) << '\n';
  return 0;
}
