// Trains a small CNN on digits, or makes steps of ResNet-18, for compare_training.py, which says
// what for. Prints what it has found as one line of JSON.
//
//     training digits FILE.npz SEED THREADS
//     training resnet18 STEPS THREADS

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "sfumato/io/npz.hpp"
#include "sfumato/sfumato.hpp"

using namespace sfumato;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void train_digits(const std::string& file, std::uint64_t seed) {
  const auto images = io::read_npz<float>(file, "train_images");
  const auto labels = io::read_npz<std::int64_t>(file, "train_labels");
  Random random(seed);
  nn::Sequential model{nn::Conv2d(1, 32, 3, {.padding = 1}, random),
                       nn::ReLU(),
                       nn::Conv2d(32, 64, 3, {.padding = 1}, random),
                       nn::ReLU(),
                       nn::MaxPool2d(2),
                       nn::Flatten(),
                       nn::Linear(1024, 128, random),
                       nn::ReLU(),
                       nn::Linear(128, 10, random)};
  optim::Adam adam(model.parameters(), {.learning_rate = 1e-3});
  const auto example = [&](std::int64_t i) {
    return std::pair(images[i], Tensor<std::int64_t>::scalar(labels(i)));
  };
  data::DataLoader loader(images.size(0), example,
                          {.batch_size = 64, .shuffle = true, .seed = seed, .prefetch = false});
  const auto start = Clock::now();
  for (int epoch = 0; epoch < 10; ++epoch) {
    for (const auto& [batch, batch_labels] : loader) {
      adam.zero_grad();
      losses::cross_entropy(model(Variable(batch)), batch_labels).backward();
      adam.step();
    }
  }
  const double seconds = seconds_since(start);
  const NoGrad guard;
  const auto found = model(Variable(io::read_npz<float>(file, "test_images"))).argmax(1);
  const auto right = (found == io::read_npz<std::int64_t>(file, "test_labels")).cast<float>();
  std::printf("{\"seconds\": %.4f, \"accuracy\": %.4f}\n", seconds,
              static_cast<double>(right.mean().item()));
}

void step_resnet18(int steps) {
  Random random(1);
  nn::ResNet<float> model({.depth = 18, .classifier = true, .classes = 10}, random);
  optim::SGD sgd(model.parameters(), {.learning_rate = 0.01, .momentum = 0.9});
  const Variable images(Tensor<float>::randn({16, 3, 64, 64}, random));
  Tensor<std::int64_t> labels = Tensor<std::int64_t>::arange(16);
  for (std::int64_t& label : labels.span()) label %= 10;
  std::printf("{\"seconds\": [");
  for (int step = 0; step < steps; ++step) {
    const auto start = Clock::now();
    sgd.zero_grad();
    losses::cross_entropy(model(images), labels).backward();
    sgd.step();
    std::printf("%s%.4f", step == 0 ? "" : ", ", seconds_since(start));
  }
  std::printf("]}\n");
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() == 4 && words[0] == "digits") {
    set_thread_count(std::atoi(words[3].c_str()));
    train_digits(words[1], std::strtoull(words[2].c_str(), nullptr, 10));
  } else if (words.size() == 3 && words[0] == "resnet18") {
    set_thread_count(std::atoi(words[2].c_str()));
    step_resnet18(std::atoi(words[1].c_str()));
  } else {
    std::fprintf(stderr, "usage: training digits FILE.npz SEED THREADS | resnet18 STEPS THREADS\n");
    return 2;
  }
}
