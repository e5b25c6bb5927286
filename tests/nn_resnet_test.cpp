// ResNet-18 and ResNet-50 with random weights against PyTorch in double: forward, backward, steps
// of SGD and running statistics. resnet/make.py makes the files and tells what is in them. Of
// ResNet-50 the file of two steps is read, and that of ten where the environment variable
// SFUMATO_RESNET is "full".

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "support/device.hpp"

namespace sfumato::tested::nn_resnet {

namespace {

constexpr std::int64_t kBatch = 4;
constexpr std::int64_t kClasses = 10;
constexpr std::uint64_t kImages = 1U << 20U;

/// What random() of make.py makes.
std::vector<double> random(std::uint64_t stream, std::int64_t count) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint64_t z = ((stream << 32U) + 1U + static_cast<std::uint64_t>(i)) * 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    z ^= z >> 31U;
    values.push_back(static_cast<double>(z >> 11U) * 0x1p-52 - 1.0);
  }
  return values;
}

/// The numbers of a file, one after the other.
class Expected {
 public:
  explicit Expected(const std::string& name)
      : file_(std::string(SFUMATO_SOURCE_DIR "/tests/resnet/") + name) {
    file_ >> depth >> side >> steps;
    REQUIRE(file_);
  }

  /// How far the next number, which has this label, is from `found`.
  double distance(const std::string& label, double found) {
    std::string read;
    double number = 0.0;
    file_ >> read >> number;
    REQUIRE(read == label);
    return std::abs(number - found);
  }
  /// Whether the next number is `found`, to 1e-9 of a size.
  void check(const std::string& label, double found, double size) {
    const double off = distance(label, found);
    worst = std::max(worst, off / size);
    CHECK_MESSAGE(off <= 1e-9 * size, label, " is off by ", off, " of ", size);
  }
  bool at_end() {
    std::string more;
    return !(file_ >> more);
  }

  int depth = 0;
  std::int64_t side = 0;
  int steps = 0;
  double worst = 0.0;

 private:
  std::ifstream file_;
};

double largest(const std::vector<double>& values) {
  double size = 0.0;
  for (const double value : values) size = std::max(size, std::abs(value));
  return size;
}

void check_all(Expected& expected, const std::string& label, const Tensor<double>& found) {
  const std::vector<double> values = found.to_vector();
  for (const double value : values) expected.check(label, value, largest(values));
}

void check_sample(Expected& expected, const std::string& label, std::uint64_t stream,
                  const std::vector<double>& values) {
  const double size = largest(values);
  expected.check(label, values[stream * 7919 % values.size()], size);
  const auto weights = random(stream, static_cast<std::int64_t>(values.size()));
  double product = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) product += values[i] * weights[i];
  expected.check(label, product, size * std::sqrt(static_cast<double>(values.size())));
}

void check_against(const std::string& name) {
  Expected expected(name);
  Random unused(1);
  sfumato::nn::ResNet<double, Device> model(
      {.depth = expected.depth, .classifier = true, .classes = kClasses}, unused);
  auto named = model.named_parameters();
  const std::map<std::string, Variable<double>> parameters(named.begin(), named.end());
  std::uint64_t stream = 0;
  for (auto [label, parameter] : parameters) {
    const Shape& shape = parameter.shape();
    auto values = random(stream++, shape.numel());
    const double scale =
        shape.rank() > 1 ? std::sqrt(6.0 / static_cast<double>(shape.numel() / shape[0])) : 0.125;
    const bool is_one =
        shape.rank() == 1 && label.ends_with("weight") && !label.ends_with("bn3.weight");
    for (double& value : values) value = value * scale + (is_one ? 1.0 : 0.0);
    parameter.mutable_value() = Tensor<double>::from(values, shape);
  }
  const Shape shape{kBatch, 3, expected.side, expected.side};
  const Variable<double> images(Tensor<double>::from(random(kImages, shape.numel()), shape));
  const auto labels = Tensor<std::int64_t>::from({0, 3, 6, 9}, {kBatch});

  optim::SGD<double> sgd(model.parameters(), {.learning_rate = 0.01, .momentum = 0.9});
  for (int step = 0; step < expected.steps; ++step) {
    sgd.zero_grad();
    const auto logits = model(images);
    const auto loss = losses::cross_entropy(logits, labels);
    loss.backward();
    if (step == 0) {
      check_all(expected, "logits", logits.value());
      stream = 0;
      for (const auto& [label, parameter] : parameters) {
        const auto gradient = parameter.grad().value().to_vector();
        expected.check(label + ".grad", largest(gradient), largest(gradient));
        check_sample(expected, label + ".grad", stream++, gradient);
      }
    }
    expected.check("loss", loss.item(), 1.0);
    sgd.step();
  }
  stream = 0;
  for (const auto& [label, tensor] : model.state_dict()) {
    if (label.find("num_batches") != std::string::npos) continue;
    check_sample(expected, label, stream++, tensor.to_vector());
  }
  model.eval();
  check_all(expected, "eval", model(images).value());
  CHECK(expected.at_end());
  MESSAGE(name, ": at most ", expected.worst, " off");
}

}  // namespace

TEST_CASE("double precision: ResNet-18 learns as in PyTorch") {
  check_against("resnet18.txt");
}

TEST_CASE("double precision: ResNet-50 learns as in PyTorch") {
  const char* const how = std::getenv("SFUMATO_RESNET");
  const bool full = how != nullptr && std::string_view(how) == "full";
  check_against(full ? "resnet50.txt" : "resnet50_short.txt");
}

}  // namespace sfumato::tested::nn_resnet
