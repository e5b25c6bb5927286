// A consumer's program that needs no more than Eigen and threads, and asks which sfumato it has.
#include <sfumato/sfumato.hpp>

#include <cstdint>
#include <string_view>

using namespace sfumato;

static_assert(SFUMATO_VERSION_MAJOR == 0 && SFUMATO_VERSION_MINOR >= 1 &&
              SFUMATO_VERSION_PATCH >= 0);
static_assert(std::string_view(SFUMATO_VERSION).starts_with("0."));

int main() {
  Random random(1);
  nn::Sequential model{nn::Linear(2, 16, random), nn::ReLU(), nn::Linear(16, 2, random)};
  const Variable x(Tensor<float>::from({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2}));
  const auto labels = Tensor<std::int64_t>::from({0, 1, 1, 0}, {4});

  optim::Adam adam(model.parameters(), {.learning_rate = 0.05});
  for (int i = 0; i < 200; ++i) {
    adam.zero_grad();
    losses::cross_entropy(model(x), labels).backward();
    adam.step();
  }
  return losses::cross_entropy(model(x), labels).item() < 0.01F ? 0 : 1;
}
