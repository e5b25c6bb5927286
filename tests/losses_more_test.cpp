// Losses of numbers and of classes against PyTorch 1.13, and their derivatives.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/complaint.hpp"
#include "support/derivatives.hpp"
#include "support/device.hpp"

namespace sfumato::tested {

namespace {

using Inputs = std::vector<Variable<double>>;
using Options = losses::CrossEntropyOptions;

Variable<double> vector(const std::vector<double>& values) {
  return Variable<double>(Tensor<double>::from(values, {static_cast<std::int64_t>(values.size())}),
                          true);
}

}  // namespace

TEST_CASE("l1, Huber's and binary cross entropy losses are PyTorch's") {
  const auto a = vector({0.0, 1.0, 3.0, -2.0});
  const auto b = vector({0.0, 1.5, 0.0, -1.0});
  CHECK(losses::l1_loss(a, b).item() == doctest::Approx(1.125).epsilon(1e-14));
  CHECK(losses::huber_loss(a, b).item() == doctest::Approx(0.78125).epsilon(1e-14));
  CHECK(losses::huber_loss(a, b, 0.4).item() == doctest::Approx(0.39).epsilon(1e-14));
  const auto t = vector({0.0, 1.0, 0.25, 1.0});
  CHECK(losses::binary_cross_entropy_with_logits(a, t).item() ==
        doctest::Approx(1.357981057673721).epsilon(1e-14));
  CHECK(losses::binary_cross_entropy_with_logits(vector({1e4, -1e4}), vector({1.0, 0.0})).item() ==
        0.0);
  const Inputs pair{vector({0.3, 1.0, 2.0, -2.0}), vector({0.0, 1.5, 0.5, -0.9})};
  check_derivatives([](const auto& in) { return losses::l1_loss(in[0], in[1]); }, pair);
  check_derivatives([](const auto& in) { return losses::huber_loss(in[0], in[1], 0.7); }, pair);
  check_derivatives(
      [](const auto& in) { return losses::binary_cross_entropy_with_logits(in[0], in[1]); }, pair);
  CHECK(grad({losses::l1_loss(a, b)}, {a})[0].value().to_vector()[0] == 0.0);
  CHECK(complaint([&] { losses::huber_loss(a, vector({1.0})); }) ==
        "huber_loss: prediction (4,) and target (1,) must have the same shape");
  CHECK(complaint([&] { losses::huber_loss(a, b, 0.0); }) ==
        "huber_loss: delta 0 must be positive");
  CHECK(complaint([&] {
          losses::l1_loss(a, Variable<double>());
        }).starts_with("l1_loss: the Variable is undefined"));
}

TEST_CASE("cross entropy has PyTorch's class weights, ignored labels, smoothing and images") {
  const Variable<double> x(
      Tensor<double>::from({0.5, -1.0, 2.0, 1.0, 0.25, -0.75, 0.0, 3.0, 1.5}, {3, 3}), true);
  const auto labels = Tensor<std::int64_t>::from({2, 0, 1}, {3});
  const std::vector<double> weights{1.0, 2.0, 0.5};
  const auto of = [&](const Options& options) {
    return losses::cross_entropy(x, labels, options).item();
  };
  CHECK(of({}) == doctest::Approx(0.3270186826858213).epsilon(1e-14));
  CHECK(of({}) == doctest::Approx(losses::cross_entropy(x, labels).item()).epsilon(1e-14));
  CHECK(of({.class_weights = weights}) == doctest::Approx(0.3147747703960121).epsilon(1e-14));
  CHECK(of({.label_smoothing = 0.1}) == doctest::Approx(0.4547964604635991).epsilon(1e-14));
  CHECK(of({.class_weights = weights, .ignore_index = 0, .label_smoothing = 0.1}) ==
        doctest::Approx(0.3897025546794426).epsilon(1e-14));
  const Options both{.class_weights = weights, .label_smoothing = 0.1};
  const std::vector<double> slopes{
      0.018856539679815473, -0.012715107184745838, -0.006141432495069618,
      -0.09020773673435448, 0.06430567738487553,   0.025902059349478927,
      0.01189498060061456,  -0.10312543343920613,  0.09123045283859153};
  const auto found = grad({losses::cross_entropy(x, labels, both)}, {x})[0].value().to_vector();
  for (std::size_t i = 0; i < slopes.size(); ++i) CHECK(found[i] == doctest::Approx(slopes[i]));
  check_derivatives([&](const auto& in) { return losses::cross_entropy(in[0], labels, both); },
                    {x});

  std::vector<double> sines;
  for (int i = 0; i < 24; ++i) sines.push_back(std::sin(i));
  const Variable<double> image(Tensor<double>::from(sines, {2, 3, 2, 2}));
  const auto pixels = Tensor<std::int64_t>::from({0, 1, 2, 1, 1, 1, 0, 2}, {2, 2, 2});
  CHECK(
      losses::cross_entropy(image, pixels, {.class_weights = weights, .ignore_index = 2}).item() ==
      doctest::Approx(1.587404375994223).epsilon(1e-14));
  // An impossible class costs nothing where it counts nothing; of no labels there is no mean.
  const double infinity = std::numeric_limits<double>::infinity();
  const Variable<double> impossible(Tensor<double>::from({0.0, -infinity}, {1, 2}));
  CHECK(losses::cross_entropy(impossible, Tensor<std::int64_t>::from({0}, {1}), Options{}).item() ==
        0.0);
  CHECK(std::isnan(
      losses::cross_entropy(impossible, Tensor<std::int64_t>::from({-100}, {1}), Options{})
          .item()));
}

TEST_CASE("cross entropy with options says what does not fit") {
  const Variable<double> x(Tensor<double>::zeros({2, 3}));
  const auto with = [&](const std::vector<std::int64_t>& labels, const Options& options) {
    return complaint([&] {
      losses::cross_entropy(
          x, Tensor<std::int64_t>::from(labels, {static_cast<std::int64_t>(labels.size())}),
          options);
    });
  };
  CHECK(with({0}, {}) ==
        "cross_entropy: logits (2, 3) and labels (1,) must be (n, classes, …) and (n, …)");
  CHECK(with({0, 3}, {}) == "cross_entropy: label 3 is not one of 3 classes, 0 to 2");
  CHECK(with({0, 1}, {.class_weights = {1.0}}) == "cross_entropy: 1 weights for 3 classes");
  CHECK(with({0, 1}, {.label_smoothing = 2.0}) ==
        "cross_entropy: label smoothing 2 must be from 0 to 1");
}

}  // namespace sfumato::tested
