// L-BFGS: where it gets to, with how many evaluations, and that nothing depends on scales.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::optim_lbfgs {

namespace {

template <class T>
using LBFGS = sfumato::optim::LBFGS<T, Device>;
using List = std::vector<double>;

template <class T>
Variable<T> parameter(const std::vector<T>& values) {
  return Variable<T>(Tensor<T>::from(values, {static_cast<std::int64_t>(values.size())}), true);
}

/// Σ 100 (x[i+1] - x[i]²)² + (1 - x[i])², times `scale`.
template <class T>
Variable<T> rosenbrock(const Variable<T>& x, T scale = T{1}) {
  const auto first = ops::slice(x, 0, {.stop = -1});
  const auto second = ops::slice(x, 0, {.start = 1});
  return ops::sum(ops::square(second - ops::square(first)) * T{100} + ops::square(first - T{1})) *
         scale;
}

/// Steps until there is no smaller loss, at most `most`.
template <class T, class Loss>
std::int64_t run(LBFGS<T>& lbfgs, const Loss& loss, int most) {
  std::int64_t steps = 0;
  double before = HUGE_VAL;
  while (steps < most && lbfgs.step(loss)) {
    CHECK(lbfgs.loss() < before);
    before = lbfgs.loss();
    ++steps;
  }
  return steps;
}

}  // namespace

TEST_CASE("Rosenbrock's valley is walked to its end") {
  // SciPy 1.17's L-BFGS-B takes 38 iterations and 46 evaluations from here, to 3e-22.
  const auto x = parameter<double>({-1.2, 1.0});
  LBFGS<double> lbfgs({x});
  const auto steps = run(
      lbfgs, [&] { return rosenbrock(x); }, 100);
  CHECK(steps < 50);
  CHECK(lbfgs.evaluations() < 70);
  CHECK(lbfgs.loss() < 1e-20);
  for (const double value : x.value().to_vector())
    CHECK(value == doctest::Approx(1.0).epsilon(1e-9));
  // In ten dimensions, as floats, and from parameters that are two tensors.
  const auto y = parameter<float>(std::vector<float>(10, -1.0F));
  LBFGS<float> in_float({y});
  run(
      in_float, [&] { return rosenbrock(y); }, 200);
  CHECK(in_float.loss() < 1e-8);
}

TEST_CASE("steps do not depend on the scale of the loss") {
  for (const double scale : {1e-30, 1e-12, 1.0, 1e12}) {
    const auto x = parameter<double>({-1.2, 1.0});
    LBFGS<double> lbfgs({x});
    run(
        lbfgs, [&] { return rosenbrock(x, scale); }, 100);
    for (const double value : x.value().to_vector()) {
      CHECK(value == doctest::Approx(1.0).epsilon(1e-6));
    }
  }
}

TEST_CASE("a quadratic function of n parameters takes about n steps") {
  const auto x = parameter<double>({5.0, -3.0, 2.0});
  const auto bias = parameter<double>({4.0});
  const Variable<double> weights(Tensor<double>::from({1.0, 10.0, 100.0}, {3}));
  LBFGS<double> lbfgs({x, bias});
  const auto loss = [&] {
    return ops::sum(weights * ops::square(x - 1.0)) + ops::sum(ops::square(bias + 2.0));
  };
  run(lbfgs, loss, 25);
  CHECK(lbfgs.loss() < 1e-12);
  CHECK(bias.value().to_vector()[0] == doctest::Approx(-2.0).epsilon(1e-6));
  // What grad() holds is the gradient there.
  for (const double slope : x.grad().value().to_vector()) CHECK(std::abs(slope) < 1e-5);
}

TEST_CASE("what is known of the Hessian matrix saves evaluations") {
  // 40 directions, each bent twice as much as the one before.
  const std::vector<double> ones(40, 1.0);
  std::vector<double> bends;
  for (int i = 0; i < 40; ++i) bends.push_back(std::exp2(i));
  const Variable<double> weights(Tensor<double>::from(bends, {40}));
  const auto evaluations = [&](const LBFGS<double>::Preconditioner& preconditioner) {
    const auto x = parameter<double>(ones);
    LBFGS<double> lbfgs({x}, {.history = 5}, preconditioner);
    const auto loss = [&] { return ops::sum(weights * ops::square(x - 3.0)); };
    while (lbfgs.evaluations() < 200 && lbfgs.step(loss) && lbfgs.loss() > 1e-9) {
    }
    return lbfgs.evaluations();
  };
  CHECK(evaluations({}) > 100);
  CHECK(evaluations([&](const auto& x) {
          return no_grad([&] { return Variable<double>(x) / weights; }).value();
        }) < 12);
}

TEST_CASE("where the loss is not finite a step goes too far") {
  const auto x = parameter<double>({20.0});
  LBFGS<double> lbfgs({x}, {.history = 5});
  const auto loss = [&] { return ops::sum(x - ops::log(x)); };  // NaN below 0, least at 1
  run(lbfgs, loss, 60);
  CHECK(x.value().to_vector()[0] == doctest::Approx(1.0).epsilon(1e-5));
  CHECK_FALSE(lbfgs.step(loss));
  CHECK(x.value().to_vector()[0] == doctest::Approx(1.0).epsilon(1e-5));
}

TEST_CASE("without a line search every step is one evaluation, before it") {
  // From 5 by min(1, 1/16) of the gradient 16 to 4; then by the curvature, which is known, to 1.
  const auto x = parameter<double>({5.0});
  LBFGS<double> lbfgs({x}, {.line_search = sfumato::optim::LineSearch::kNone});
  const auto loss = [&] { return ops::sum(ops::square(x - 1.0)) * 2.0; };
  for (const auto& [before, after] : {std::pair{32.0, 4.0}, {18.0, 1.0}}) {
    CHECK(lbfgs.step(loss));
    CHECK(lbfgs.loss() == doctest::Approx(before));
    CHECK(x.value().to_vector()[0] == doctest::Approx(after));
  }
  CHECK(lbfgs.evaluations() == 2);
  CHECK_FALSE(lbfgs.step(loss));
  // It may go uphill, and a valley is walked to its end all the same.
  const auto y = parameter<double>({-1.2, 1.0});
  LBFGS<double> other({y}, {.history = 100, .line_search = sfumato::optim::LineSearch::kNone});
  for (int i = 0; i < 200; ++i) other.step([&] { return rosenbrock(y, 0.01); });
  CHECK(other.loss() < 1e-12);
}

TEST_CASE("what L-BFGS has learnt is saved and restored, to the same bits") {
  const auto x = parameter<float>({-1.2F, 1.0F, 0.5F});
  LBFGS<float> lbfgs({x}, {.history = 3});
  run(
      lbfgs, [&] { return rosenbrock(x); }, 7);
  const auto state = lbfgs.state_dict();
  const auto y = parameter<float>(x.value().to_vector());
  LBFGS<float> restored({y}, {.history = 3});
  restored.load_state_dict(state);
  CHECK(restored.evaluations() == lbfgs.evaluations());
  for (int i = 0; i < 5; ++i) {
    CHECK(lbfgs.step([&] { return rosenbrock(x); }));
    CHECK(restored.step([&] { return rosenbrock(y); }));
    CHECK(restored.loss() == lbfgs.loss());
    CHECK(x.value().to_vector() == y.value().to_vector());
  }
  for (const char* const name : {"gradient.0", "step.0.0", "change.0.0"}) {
    REQUIRE(state.contains(name));
    auto other = state;
    other.at(name) = Tensor<float>::zeros({2});
    INFO(name);
    CHECK(complaint([&] { restored.load_state_dict(other); }) ==
          message("load_state_dict: L-BFGS needs ", name, " of the shape (3,)"));
  }
  auto other = state;
  other.erase("change.0.0");
  CHECK(complaint([&] { restored.load_state_dict(other); }) ==
        "load_state_dict: L-BFGS needs change.0.0 of the shape (3,)");
  other = state;
  other.emplace("velocity.0", Tensor<float>::zeros({3}));
  CHECK(complaint([&] { restored.load_state_dict(other); }) ==
        "load_state_dict: L-BFGS has no velocity.0");
  // Nor is there anything to know before the first step, the loss either.
  restored.load_state_dict(LBFGS<float>({x}).state_dict());
  CHECK(restored.evaluations() == 0);
  CHECK(std::isnan(restored.loss()));
  CHECK(restored.step([&] { return rosenbrock(y); }));
}

TEST_CASE("a gradient whose square 16 bits can't hold leads to the minimum") {
  const auto x = parameter<Half>({Half(100.0F)});
  const Variable<Half> goal(Tensor<Half>::full({1}, Half(300.0F)));
  LBFGS<Half> lbfgs({x});
  run(
      lbfgs, [&] { return losses::mse_loss(x, goal); }, 20);
  CHECK(float{x.item()} == 300.0F);
}

TEST_CASE("L-BFGS says what it can't minimise") {
  const auto x = parameter<double>({-1.0});
  LBFGS<double> lbfgs({x});
  CHECK(complaint([&] { lbfgs.step([&] { return ops::sum(ops::log(x)); }); }) ==
        "lbfgs: the loss nan or its gradient is not finite");
  CHECK(complaint([&] {
          LBFGS<double>({x, x});
        }).starts_with("optimizer: parameters 0 and 1 are one"));
}

}  // namespace sfumato::tested::optim_lbfgs
