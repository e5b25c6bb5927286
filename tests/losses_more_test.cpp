// Losses of numbers and of classes against PyTorch, and their derivatives.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/complaint.hpp"
#include "support/derivatives.hpp"
#include "support/device.hpp"

namespace sfumato::tested::losses_more {

namespace {

using Inputs = std::vector<Variable<double>>;
using Options = losses::CrossEntropyOptions;

Variable<double> vector(const std::vector<double>& values) {
  return Variable<double>(Tensor<double>::from(values, {static_cast<std::int64_t>(values.size())}),
                          true);
}

Variable<double> matrix(const std::vector<double>& values, std::int64_t columns = 3) {
  const auto rows = static_cast<std::int64_t>(values.size()) / columns;
  return Variable<double>(Tensor<double>::from(values, {rows, columns}), true);
}

/// A loss and its gradients with respect to what it is made from.
void check_loss(const Variable<double>& loss, double value, const Inputs& inputs,
                const std::vector<std::vector<double>>& slopes) {
  CHECK(loss.item() == doctest::Approx(value).epsilon(1e-14));
  const auto found = grad({loss}, inputs);
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    const std::vector<double> numbers = found[i].value().to_vector();
    REQUIRE(numbers.size() == slopes[i].size());
    for (std::size_t j = 0; j < numbers.size(); ++j) {
      CHECK(numbers[j] == doctest::Approx(slopes[i][j]).epsilon(1e-13));
    }
  }
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
  // Without options, too, -100 is no label.
  const auto padded = Tensor<std::int64_t>::from({2, -100, 1}, {3});
  CHECK(losses::cross_entropy(x, padded).item() ==
        doctest::Approx(0.24131129665715703).epsilon(1e-14));
  CHECK(losses::nll_loss(ops::log_softmax(x, 1), padded).item() ==
        doctest::Approx(0.24131129665715703).epsilon(1e-14));
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
        "cross_entropy: (2, 3) and labels (1,) must be (n, classes, …) and (n, …)");
  CHECK(with({0, 3}, {}) == "cross_entropy: label 3 is not one of 3 classes, 0 to 2");
  CHECK(with({0, 1}, {.class_weights = {1.0}}) == "cross_entropy: 1 weights for 3 classes");
  CHECK(with({0, 1}, {.label_smoothing = 2.0}) ==
        "cross_entropy: label smoothing 2 must be from 0 to 1");
}

TEST_CASE("cross entropy takes probabilities, too") {
  const auto x = matrix({0.5, -1.0, 2.0, 1.0, 0.25, -0.75, 0.0, 3.0, 1.5});
  const auto p = matrix({0.2, 0.3, 0.5, 1.0, 0.0, 0.0, 0.6, 0.4, 0.0});
  check_loss(losses::cross_entropy(x, p), 1.3270186826858212, {x, p},
             {{-0.008236535953321104, -0.0869624755764375, 0.09519901152975863, -0.1308394793126472,
               0.09565132377499376, 0.03518815553765341, -0.1869624755764375, 0.128532344863092,
               0.05843013071334556},
              {0.580437098885719, 1.080437098885719, 0.08043709888571901, 0.1661444849143833,
               0.4161444849143833, 0.7494778182477165, 1.080437098885719, 0.08043709888571901,
               0.580437098885719}});
  const Options both{.class_weights = {1.0, 2.0, 0.5}, .label_smoothing = 0.1};
  check_loss(losses::cross_entropy(x, p, both), 1.6864349080015237, {x, p},
             {{-0.009077789003775908, -0.1883807171258734, 0.1974585061296493, -0.1052423595234135,
               0.07502329028235476, 0.03021906924105874, -0.1731627858213401, 0.09827952809485659,
               0.07488325772648351},
              {0.5223933889971472, 1.944786777994294, 0.03619669449857356, 0.149530036422945,
               0.7490600728458899, 0.3372650182114724, 0.9723933889971471, 0.1447867779942942,
               0.2611966944985736}});
  check_derivatives([&](const auto& in) { return losses::cross_entropy(in[0], in[1], both); },
                    {x, p});
  std::vector<double> sines;
  std::vector<double> cosines;
  for (int i = 0; i < 24; ++i) sines.push_back(std::sin(i));
  for (int i = 0; i < 24; ++i) cosines.push_back(std::cos(i));
  const Variable<double> image(Tensor<double>::from(sines, {2, 3, 2, 2}));
  const Variable<double> others(Tensor<double>::from(cosines, {2, 3, 2, 2}));
  CHECK(losses::cross_entropy(image, ops::softmax(others, 1),
                              {.class_weights = {1.0, 2.0, 0.5}, .label_smoothing = 0.2})
            .item() == doctest::Approx(1.8317000679996918).epsilon(1e-14));

  const double infinity = std::numeric_limits<double>::infinity();
  const auto impossible = matrix({0.0, -infinity}, 2);
  CHECK(losses::cross_entropy(impossible, matrix({1.0, 0.0}, 2)).item() == 0.0);
  CHECK(losses::cross_entropy(impossible, matrix({0.5, 0.5}, 2)).item() == infinity);
  CHECK(complaint([&] { losses::cross_entropy(x, p, {.ignore_index = 1}); }) ==
        "cross_entropy: label 1 can't be ignored where the classes have probabilities; give those "
        "examples probabilities of 0");
  CHECK(complaint([&] { losses::cross_entropy(x, p, {.class_weights = {1.0}}); }) ==
        "cross_entropy: 1 weights for 3 classes");
  CHECK(complaint([&] { losses::cross_entropy(x, impossible); }) ==
        "cross_entropy: prediction (3, 3) and target (1, 2) must have the same shape");
  CHECK(complaint([&] { losses::cross_entropy(vector({1.0}), vector({1.0})); }) ==
        "cross_entropy: logits (1,) must be (n, classes, …), as the probabilities, and not empty");
  const Variable<double> nothing(Tensor<double>::zeros({0, 3}));
  CHECK_THROWS_WITH_AS(losses::cross_entropy(nothing, nothing), doctest::Contains("and not empty"),
                       ShapeError);
}

TEST_CASE("the negative log-likelihood is PyTorch's") {
  const auto x = matrix({0.5, -1.0, 2.0, 1.0, 0.25, -0.75, 0.0, 3.0, 1.5});
  const auto logs = Variable<double>(ops::log_softmax(x).value(), true);
  const auto labels = Tensor<std::int64_t>::from({2, 0, 1}, {3});
  const double third = 1.0 / 3.0;
  check_loss(losses::nll_loss(logs, labels), 0.32701868268582129, {logs},
             {{0, 0, -third, -third, 0, 0, 0, -third, 0}});
  const std::vector<double> weights{1.0, 2.0, 0.5};
  check_loss(losses::nll_loss(logs, labels, {.class_weights = weights, .ignore_index = 0}),
             0.24131129665715703, {logs}, {{0, 0, -0.2, 0, 0, 0, 0, -0.8, 0}});
  check_derivatives([&](const auto& in) { return losses::nll_loss(in[0], labels); }, {x});
  std::vector<double> sines;
  for (int i = 0; i < 24; ++i) sines.push_back(std::sin(i));
  const Variable<double> image(Tensor<double>::from(sines, {2, 3, 2, 2}));
  const auto pixels = Tensor<std::int64_t>::from({0, 1, 2, 1, 1, 1, 0, 2}, {2, 2, 2});
  CHECK(losses::nll_loss(image, pixels, {.class_weights = weights, .ignore_index = 2}).item() ==
        doctest::Approx(0.21118696132830728).epsilon(1e-14));
  CHECK(complaint([&] { losses::nll_loss(x, pixels); }) ==
        "nll_loss: (3, 3) and labels (2, 2, 2) must be (n, classes, …) and (n, …)");
  CHECK(complaint([&] {
          losses::nll_loss(x, Tensor<std::int64_t>::from({2, 0, 3}, {3}));
        }) == "nll_loss: label 3 is not one of 3 classes, 0 to 2");
}

TEST_CASE("the divergence of Kullback and Leibler is PyTorch's") {
  const auto x =
      ops::log_softmax(matrix({0.5, -1.0, 2.0, 1.0, 0.25, -0.75, 0.0, 3.0, 1.5})).detach();
  const Variable<double> logs(x.value(), true);
  const auto p = matrix({0.2, 0.3, 0.5, 1.0, 0.0, 0.0, 0.6, 0.4, 0.0});
  std::vector<double> shares = p.value().to_vector();
  for (double& share : shares) share /= -9.0;
  check_loss(losses::kl_div(logs, p), 0.25315459633151488, {logs}, {shares});
  CHECK(losses::kl_div(logs, p, {.batchmean = true}).item() ==
        doctest::Approx(0.75946378899454459).epsilon(1e-14));
  const Variable<double> log_p(ops::log_softmax(p).value(), true);
  check_loss(losses::kl_div(logs, log_p, {.log_target = true, .batchmean = true}),
             0.46115418423715954, {logs, log_p},
             {{-0.09647770346475487, -0.1066243521119732, -0.1302312777566052, -0.1920389615886097,
               -0.07064718587236181, -0.07064718587236181, -0.1407929737004239, -0.1152715373858365,
               -0.07726882224707285},
              {0.1448593649489276, 0.3306933207316187, 0.03926215632825016, 0.1818587344214685,
               0.04924029312302511, 0.1198874789953869, 0.4758040604442881, 0.02068649709043664,
               0.09886227815375774}});
  const auto q = ops::softmax(p).detach();
  check_derivatives([](const auto& in) { return losses::kl_div(in[0], in[1]); },
                    {logs, Variable<double>(q.value(), true)});
  check_derivatives(
      [](const auto& in) { return losses::kl_div(in[0], in[1], {.log_target = true}); },
      {logs, log_p});

  // What neither distribution has costs nothing; what only the target has, everything.
  const double infinity = std::numeric_limits<double>::infinity();
  const auto impossible = matrix({0.0, -infinity}, 2);
  const auto sure = matrix({1.0, 0.0}, 2);
  check_loss(losses::kl_div(impossible, sure), 0.0, {impossible, sure}, {{-0.5, 0.0}, {0.5, 0.0}});
  CHECK(losses::kl_div(impossible, impossible, {.log_target = true}).item() == 0.0);
  CHECK(losses::kl_div(impossible, matrix({0.5, 0.5}, 2)).item() == infinity);
  CHECK(complaint([&] { losses::kl_div(logs, sure); }) ==
        "kl_div: prediction (3, 3) and target (1, 2) must have the same shape");
}

TEST_CASE("the cosine similarity is PyTorch's") {
  const auto a = matrix({1.0, 2.0, -1.0, 0.5, 0.0, 2.0});
  const auto b = matrix({0.3, -1.0, 2.0, 1.0, 1.0, 1.0});
  const auto values = [](const Variable<double>& x) { return x.value().to_vector(); };
  const auto cosines = losses::cosine_similarity(a, b);
  REQUIRE(cosines.shape() == Shape{2});
  CHECK(values(cosines)[0] == doctest::Approx(-0.669525631364741).epsilon(1e-14));
  check_loss(ops::sum(cosines * vector({1.0, 2.0})), 0.73075445266326888, {a, b},
             {{0.1658734672300035, 0.04222233711309187, 0.2503181414561869, 0.395373200196144,
               0.560112033611204, -0.09884330004903608},
              {0.2204141089821799, 0.2303682945491171, 0.08212203092723155, -0.1867040112037347,
               -0.4667600280093367, 0.6534640392130713}});
  check_loss(ops::sum(losses::cosine_similarity(a, b, 0) * vector({1.0, 2.0, 3.0})),
             -0.72884886336810406, {}, {});
  check_derivatives([](const auto& in) { return losses::cosine_similarity(in[0], in[1], 0); },
                    {a, b});
  // Broadcast to a vector, and along the axis of the vectors.
  const auto row = vector({0.3, -1.0, 2.0});
  CHECK(values(losses::cosine_similarity(a, row))[1] ==
        doctest::Approx(0.8922668138111919).epsilon(1e-14));
  const auto column = matrix({1.0, 0.5}, 1);
  CHECK(values(losses::cosine_similarity(column, b))[0] ==
        doctest::Approx(0.332677809919501).epsilon(1e-14));
  check_derivatives([](const auto& in) { return losses::cosine_similarity(in[0], in[1]); },
                    {column, b});
  const auto nothing = matrix({0.0, 0.0, 0.0});
  check_loss(ops::sum(losses::cosine_similarity(nothing, row)), 0.0, {nothing, row},
             {{13297266.21533809, -44324220.71779363, 88648441.43558726}, {0.0, 0.0, 0.0}});
  CHECK(complaint([&] { losses::cosine_similarity(row, row); }) ==
        "shape: axis 1 is out of range for (3,), which has 1 dimensions");
  CHECK(complaint([&] {
          losses::cosine_similarity(a, vector({1.0, 2.0}));
        }) ==
        "cosine_similarity: shapes (2, 3) and (2,) do not broadcast together: extents must agree "
        "or be "
        "1, aligned at the last dimension");
}

TEST_CASE("losses of 16 bits are rounded once") {
  const auto wide = matrix({0.5, -1.0, 2.0, 1.0, 0.25, -0.75});
  const auto p = matrix({0.25, 0.25, 0.5, 1.0, 0.0, 0.0});
  const auto x = ops::cast<Half>(wide);
  const auto q = ops::cast<Half>(p);
  const auto labels = Tensor<std::int64_t>::from({2, 0}, {2});
  const auto check = [](const Variable<Half>& found, const Variable<double>& exact) {
    const auto rounded = ops::cast<Half>(exact).value().to_vector();
    CHECK(found.value().to_vector() == rounded);
  };
  check(losses::cross_entropy(x, q), losses::cross_entropy(wide, p));
  check(losses::nll_loss(x, labels), losses::nll_loss(wide, labels));
  check(losses::kl_div(x, q), losses::kl_div(wide, p));
  check(losses::cosine_similarity(x, q), losses::cosine_similarity(wide, p));
}

}  // namespace sfumato::tested::losses_more
