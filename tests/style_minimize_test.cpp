// How a picture is changed: optimisers, pixels, the mean of the pictures, and when it ends.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::style_minimize {

namespace {

using Network = nn::Vgg<double>;
using Objective = style::Objective<Network, double>;
using sfumato::style::kImageNetDeviation;
using sfumato::style::kImageNetMean;

Network& tiny_network() {
  static Network network = [] {
    Random random(1);
    return Network({.widths = {1, 1, 1, 1, 1}}, random);
  }();
  return network;
}

Tensor<double> picture(std::uint64_t seed) {
  Random random(seed);
  return Tensor<double>::randn({1, 3, 4, 5}, random);
}

/// Σ (1 + i) (x[i] - target[i])⁴ or ², whose least value is 0.
Objective distance_to(const Tensor<double>& target, bool flat = false) {
  const Variable<double> weights(
      ops::reshape(Variable<double>(Tensor<double>::arange(60.0)), {1, 3, 4, 5}) + 1.0);
  const auto loss = [=](const Variable<double>& image, const Variable<double>& goal) {
    const auto square = ops::square(image - goal);
    return ops::sum(weights * (flat ? ops::square(square) : square));
  };
  return Objective(tiny_network(), {},
                   {{.target = Variable<double>(target), .kind = "tv", .loss = loss}});
}

const auto kGoal = [] { return picture(2); };
const auto kStart = [] { return picture(3); };

auto run(const style::TransferOptions& options, const style::Progress<double>& progress = {}) {
  return style::minimize(distance_to(kGoal()), kStart(), options, progress);
}

double total_of(const Tensor<double>& image) {
  return distance_to(kGoal())(Variable<double>(image)).total.item();
}

}  // namespace

TEST_CASE("L-BFGS takes far fewer evaluations than Adam, each of which is an iteration") {
  const style::TransferOptions options{.iterations = 60, .optimizer = style::Optimizer::kLbfgs};
  const auto found = run(options);
  CHECK(found.history.size() == 60);
  CHECK(found.history.back().number == 60);
  CHECK(found.history[0].total == doctest::Approx(total_of(kStart())));
  const auto by_adam = run({.iterations = 60, .learning_rate = 0.05});
  CHECK(total_of(found.image) < 1e-4 * total_of(by_adam.image));
  // The picture is the best that was evaluated, wherever the search was.
  for (const std::int64_t iterations : {1, 2, 3, 5}) {
    style::TransferOptions fewer = options;
    fewer.iterations = iterations;
    const auto result = run(fewer);
    CHECK(result.history.size() == static_cast<std::size_t>(iterations));
    double least = HUGE_VAL;
    for (const auto& row : result.history) least = std::min(least, row.total);
    CHECK(total_of(result.image) == doctest::Approx(least));
  }
  const auto stopped = run(options, [](const auto& now) { return now.number < 7; });
  CHECK(stopped.stopped);
  CHECK(stopped.history.size() == 7);
  // At the minimum, as far as doubles can tell, it ends.
  style::TransferOptions many = options;
  many.iterations = 5000;
  const auto converged = run(many);
  CHECK(converged.converged);
  CHECK(converged.history.size() < 1000);
}

TEST_CASE("scaled frequencies spare L-BFGS most evaluations of what neighbours differ by") {
  Random random(4);
  const Variable<double> goal(Tensor<double>::randn({1, 3, 20, 24}, random));
  const auto roughness = [](const Variable<double>& image, const Variable<double>& wanted) {
    const auto difference = image - wanted;
    return ops::sum(ops::square(ops::diff(difference, 2))) +
           ops::sum(ops::square(ops::diff(difference, 3)));
  };
  const Objective objective(tiny_network(), {}, {{.target = goal, .loss = roughness}});
  const auto least = [&](style::Optimizer optimizer) {
    const auto result = style::minimize(objective, Tensor<double>::zeros({1, 3, 20, 24}),
                                        {.iterations = 25, .optimizer = optimizer});
    return objective(Variable<double>(result.image)).total.item();
  };
  CHECK(least(style::Optimizer::kScaledLbfgs) < 0.2 * least(style::Optimizer::kLbfgs));
}

TEST_CASE("without a line search L-BFGS goes as far as PyTorch's") {
  style::TransferOptions options{.iterations = 1, .optimizer = style::Optimizer::kLbfgs};
  options.lbfgs.line_search = sfumato::optim::LineSearch::kNone;
  const auto one = run(options);
  Variable<double> start(kStart(), true);
  backward(distance_to(kGoal())(start).total);
  const auto slope = start.grad().value().to_vector();
  double sizes = 0.0;
  for (const double x : slope) sizes += std::abs(x);
  const auto before = kStart().to_vector();
  const auto after = one.image.to_vector();
  for (std::size_t i = 0; i < after.size(); ++i) {
    CHECK(after[i] == doctest::Approx(before[i] - slope[i] * std::min(1.0, 1.0 / sizes)));
  }
  options.iterations = 100;
  CHECK(total_of(run(options).image) < 1e-6 * total_of(one.image));
}

TEST_CASE("steps are those of the pixels that are changed") {
  const auto before = kStart().to_vector();
  for (const auto& [pixels, white] : {std::pair{style::Pixels::kNormalized, 0.0},
                                      {style::Pixels::kUnit, 1.0},
                                      {style::Pixels::kLevels, 255.0}}) {
    const auto after = run({.iterations = 1, .learning_rate = 0.02, .pixels = pixels}).image;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const double unit = white == 0.0 ? 1.0 : white * kImageNetDeviation[i / 20];
      CHECK(std::abs(after.to_vector()[i] - before[i]) == doctest::Approx(0.02 / unit));
    }
  }
}

TEST_CASE("pixels are kept between black and white on request") {
  for (const auto pixels : {style::Pixels::kNormalized, style::Pixels::kLevels}) {
    const auto free = run({.iterations = 3, .pixels = pixels}).image.to_vector();
    const auto kept = run({.iterations = 3, .pixels = pixels, .clip = true}).image.to_vector();
    bool clipped = false;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const auto c = i / 20;
      const double level = kept[i] * kImageNetDeviation[c] + kImageNetMean[c];
      CHECK(level > -1e-12);
      CHECK(level < 1.0 + 1e-12);
      clipped = clipped || kept[i] != free[i];
    }
    CHECK(clipped);
  }
}

TEST_CASE("the mean of the pictures has the latest ones weigh most, and no start at zero") {
  constexpr double kDecay = 0.8;
  std::vector<double> sum(60, 0.0);
  double weight = 0.0;
  for (std::int64_t i = 0; i <= 5; ++i) {
    const auto now =
        (i == 0 ? kStart() : run({.iterations = i, .learning_rate = 0.1}).image).to_vector();
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] = kDecay * sum[k] + now[k];
    weight = kDecay * weight + 1.0;
  }
  const style::TransferOptions options{
      .iterations = 5, .learning_rate = 0.1, .average_decay = kDecay};
  const auto mean = run(options).image.to_vector();
  for (std::size_t k = 0; k < sum.size(); ++k) CHECK(mean[k] == doctest::Approx(sum[k] / weight));
  style::TransferOptions none = options;
  none.iterations = 0;
  CHECK(run(none).image.to_vector()[7] == doctest::Approx(kStart().to_vector()[7]));
  CHECK(complaint([] { run({.average_decay = 1.0}); }) ==
        "style transfer: a decay of the average of 1; it must be at least 0 and less than 1");
}

TEST_CASE("a run ends as soon as its loss is low enough, with the picture that has it") {
  for (const auto optimizer : {style::Optimizer::kAdam, style::Optimizer::kLbfgs}) {
    const double goal = 0.5 * total_of(kStart());
    style::TransferOptions options{.iterations = 500, .learning_rate = 0.05};
    options.optimizer = optimizer;
    options.until_loss = goal;
    options.losses_every = 100;
    const auto result = run(options);
    CHECK(result.reached);
    CHECK_FALSE(result.stopped);
    CHECK(result.history.back().total <= goal);
    CHECK(result.history.size() < 200);
    CHECK(result.history[result.history.size() - 2].total > goal);
    CHECK(total_of(result.image) == doctest::Approx(result.history.back().total));
    options.iterations = 1;
    CHECK_FALSE(run(options).reached);
  }
}

TEST_CASE("a run goes on from another one's state as if never interrupted") {
  const style::TransferOptions options{.iterations = 9,
                                       .learning_rate = 0.1,
                                       .lr_decay_every = 2,
                                       .lr_decay = 0.5,
                                       .pixels = style::Pixels::kUnit,
                                       .clip = true,
                                       .average_decay = 0.9};
  const auto whole = run(options);
  style::TransferOptions first = options;
  first.iterations = 5;
  const auto half = run(first);
  const auto rest = style::minimize(distance_to(kGoal()), kStart(), options, {}, {}, half.state);
  CHECK(rest.history.size() == 4);
  CHECK(rest.history[0].number == 6);
  CHECK(rest.history.back().total == whole.history.back().total);
  CHECK(rest.image.to_vector() == whole.image.to_vector());
  // What was handed out is not changed by who goes on from it.
  CHECK(half.image.to_vector() == run(first).image.to_vector());
  CHECK(half.state.pixels.to_vector() == run(first).state.pixels.to_vector());
}

TEST_CASE("steps without a line search may diverge, and say so") {
  const auto loss = [](const Variable<double>& image, const auto&) {
    return ops::sum(ops::exp(image * 100.0));
  };
  const Objective steep(tiny_network(), {}, {{.kind = "tv", .loss = loss}});
  style::TransferOptions options{.iterations = 40, .optimizer = style::Optimizer::kLbfgs};
  const auto start = Tensor<double>::full({1, 3, 4, 5}, -2.0);
  CHECK(style::minimize(steep, start, options).history.size() > 1);  // trials go too far, quietly
  options.lbfgs.line_search = sfumato::optim::LineSearch::kNone;
  const auto flat = [](const Variable<double>& image, const auto&) {
    return ops::sum(ops::log(image));
  };
  const Objective falling(tiny_network(), {}, {{.kind = "tv", .loss = flat}});
  const auto text = complaint([&] {
    style::minimize(falling, Tensor<double>::full({1, 3, 4, 5}, 0.1), options);
  });
  CHECK(text.find("probably because steps without a line search, or the weight of a loss, are too "
                  "large; take a smaller one") != std::string::npos);
}

}  // namespace sfumato::tested::style_minimize
