// Runs that go on from where another one was.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "sfumato/style/state_tensors.hpp"
#include "support/complaint.hpp"

namespace sfumato::style_resume_test {

namespace {

using Network = nn::Vgg<float>;
using State = style::MinimizerState<float>;
using Tensors = std::map<std::string, Tensor<float>>;

const Shape kShape{1, 3, 5, 4};

Network& tiny_network() {
  static Network network = [] {
    Random random(1);
    return Network({.widths = {1, 1, 1, 1, 1}}, random);
  }();
  return network;
}

/// Σ (x⁴ + x · rolled x), which no method finds the minimum of at once.
style::TransferResult<float> run(const style::TransferOptions& options,
                                 const style::Progress<float>& progress = {},
                                 const State& from = {}) {
  const auto loss = [](const Variable<float>& image, const Variable<float>&) {
    const auto square = ops::square(image - 0.3F);
    return ops::sum(ops::square(square) + square * ops::exp(image));
  };
  const style::Objective<Network, float> objective(
      tiny_network(), {}, {{.target = Variable<float>(), .kind = "tv", .loss = loss}});
  Random random(3);
  const auto initial = Tensor<float>::randn(kShape, random);
  return style::minimize(objective, initial, options, progress, {}, from);
}

/// Copies of what a run could save behind each iteration.
std::vector<Tensors> states_of(const style::TransferOptions& options) {
  std::vector<Tensors> all;
  run(options, [&](const auto& now) {
    all.push_back(style::to_tensors(now.state()));
    for (auto& [name, tensor] : all.back()) tensor = tensor.clone();
    return true;
  });
  return all;
}

void check_same(const style::TransferResult<float>& a, const style::TransferResult<float>& b) {
  CHECK(a.image.to_vector() == b.image.to_vector());
  CHECK(a.reached == b.reached);
  CHECK(a.converged == b.converged);
  REQUIRE(a.history.size() == b.history.size());
  for (std::size_t i = 0; i < a.history.size(); ++i) {
    CHECK(a.history[i].number == b.history[i].number);
    CHECK(a.history[i].total == b.history[i].total);
    CHECK(a.history[i].losses == b.history[i].losses);
  }
}

}  // namespace

TEST_CASE("a run goes on to the same bits from every iteration, whatever the optimiser") {
  using style::Optimizer;
  style::TransferOptions adam{.iterations = 12, .learning_rate = 0.1, .lr_decay_every = 5};
  adam.losses_every = 3;
  style::TransferOptions averaged = adam;
  averaged.average_decay = 0.9;
  averaged.adam_form = optim::AdamForm::kMxnet;
  style::TransferOptions pyramid = averaged;
  pyramid.pyramid_levels = 2;
  style::TransferOptions until = adam;
  until.until_loss = 0.8 * run(adam).history[0].total;
  style::TransferOptions lbfgs{.iterations = 40, .optimizer = Optimizer::kLbfgs};
  lbfgs.lbfgs.history = 3;
  style::TransferOptions plain{.iterations = 15, .optimizer = Optimizer::kLbfgs};
  plain.lbfgs.line_search = optim::LineSearch::kNone;
  style::TransferOptions lbfgs_averaged = lbfgs;
  lbfgs_averaged.average_decay = 0.5;
  for (const auto& options : {adam, averaged, pyramid, until, lbfgs, plain, lbfgs_averaged}) {
    const auto whole = run(options);
    const auto states = states_of(options);
    CHECK(states.size() >= whole.history.size());
    for (const Tensors& tensors : states) {
      check_same(whole, run(options, {}, style::state_from<float>(tensors)));
    }
  }
  CHECK(run(until).reached);
}

TEST_CASE("the picture of a run that has diverged is the last good one, gone on with or not") {
  style::TransferOptions options{.iterations = 50, .learning_rate = 40.0};
  const auto image_of = [&](const State& from) {
    try {
      run(options, {}, from);
    } catch (const style::DivergenceError<float>& error) {
      return error.result.image.to_vector();
    }
    return std::vector<float>();
  };
  const auto image = image_of({});
  REQUIRE(image.size() == 60);
  std::vector<Tensors> states;
  try {
    run(options, [&](const auto& now) {
      states.push_back(style::to_tensors(now.state()));
      for (auto& [name, tensor] : states.back()) tensor = tensor.clone();
      return true;
    });
  } catch (const style::DivergenceError<float>&) {
  }
  for (const Tensors& tensors : states) {
    CHECK(image == image_of(style::state_from<float>(tensors)));
  }
}

TEST_CASE("a state that is not of the run is refused") {
  const style::TransferOptions options{.iterations = 5};
  const Tensors right = states_of(options)[2];
  const auto refusal = [&](const std::string& name, const Tensor<float>& tensor) {
    Tensors wrong = right;
    wrong.erase(name);
    if (tensor.defined()) wrong.emplace(name, tensor);
    return complaint([&] { run(options, {}, style::state_from<float>(wrong)); });
  };
  const auto small = Tensor<float>::zeros({1, 3, 4, 4});
  const Tensor<float> none;
  CHECK(refusal("pixels", none) == "state of a run: has no pixels");
  CHECK(refusal("pixels", small).find("is of pictures (1, 3, 4, 4), and not (1, 3, 5, 4)") !=
        std::string::npos);
  CHECK(refusal("before", small).find("is of pictures (1, 3, 4, 4)") != std::string::npos);
  CHECK(refusal("best", small).find("is of pictures (1, 3, 4, 4)") != std::string::npos);
  CHECK(refusal("average", Tensor<float>::zeros(kShape)).find("with an average, is not of these") !=
        std::string::npos);
  CHECK(refusal("evil", small) == "state of a run: there is no 'evil'");
  CHECK(refusal("optimizer.evil", small) == "load_state_dict: this optimiser has no evil");
  CHECK(refusal("optimizer.first_moment.0", small).find("has the shape (1, 3, 4, 4)") !=
        std::string::npos);
  CHECK(refusal("optimizer.steps", none) == "load_state_dict: the optimiser's state has no steps");
  CHECK(refusal("numbers", none) == "state of a run: 'numbers' is missing or not right");
  CHECK(refusal("numbers", small) == "state of a run: 'numbers' is missing or not right");
  CHECK(refusal("numbers", Tensor<float>::zeros({2, 3})) ==
        "state of a run: has 2 numbers, and not 3 or 4");
  CHECK(refusal("numbers", Tensor<float>::full({3, 3}, -1.0F)) == "state of a run: -3 is no count");
  CHECK(refusal("numbers", Tensor<float>::full({3, 3}, 0.5F)) == "state of a run: 1.5 is no count");
  CHECK(refusal("numbers", Tensor<float>::full({3, 3}, 1e30F)).find("is no count") !=
        std::string::npos);
  CHECK(refusal("numbers", Tensor<float>::full({3, 3}, 100.0F)).find("after iteration 300") !=
        std::string::npos);
  CHECK(refusal("history.total", Tensor<float>::zeros({1, 3})) ==
        "state of a run: 'history.total' has 1 rows of 3");
  CHECK(refusal("history.seconds", Tensor<float>::full({3, 3}, NAN)) ==
        "state of a run: 'history.seconds' is missing or not right");

  const style::TransferOptions lbfgs{.iterations = 5, .optimizer = style::Optimizer::kLbfgs};
  Tensors other = states_of(lbfgs).back();
  CHECK(complaint([&] {
          run(options, {}, style::state_from<float>(other));
        }).find("load_state_dict: ") == 0);
  other.erase("optimizer.change.0.0");
  CHECK(complaint([&] { run(lbfgs, {}, style::state_from<float>(other)); }) ==
        "load_state_dict: L-BFGS needs change.0.0 of the shape (1, 3, 5, 4)");
  CHECK(complaint([&] { run(lbfgs, {}, style::state_from<float>(right)); }) ==
        "load_state_dict: the optimiser's state has no loss");
}

}  // namespace sfumato::style_resume_test
