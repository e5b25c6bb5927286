// Parts of a graph that are computed again when they are needed.

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"
#include "support/doubles.hpp"

namespace sfumato::tested::autodiff_checkpoint {

namespace {

template <class T>
using Variables = std::vector<Variable<T>>;

template <class T>
Variable<T> random_variable(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Variable<T>(Tensor<T>::randn(shape, random), true);
}

/// Something smooth of two inputs with several steps in it.
const auto block = [](const Variables<double>& in) {
  return ops::tanh(ops::matmul(ops::square(in[0]), in[1])) * 3.0;
};

const auto product = [](const Variables<double>& in) { return in[0] * in[1]; };

}  // namespace

TEST_CASE("what is computed again has the gradients of what is kept") {
  const Variables<double> inputs{random_variable<double>({3, 4}, 1),
                                 random_variable<double>({4, 2}, 2)};
  const auto function = [](const Variables<double>& in) {
    return ops::exp(checkpoint(block, {in[0] * 2.0, in[1]}));
  };
  CHECK(function(inputs).value().to_vector() ==
        ops::exp(block({inputs[0] * 2.0, inputs[1]})).value().to_vector());
  const auto first = gradcheck(function, inputs);
  CHECK_MESSAGE(first.passed, first.report);
  const auto second = gradgradcheck(function, inputs);
  CHECK_MESSAGE(second.passed, second.report);
}

TEST_CASE("only inputs that want a gradient get one, from every sweep") {
  const auto x = random_variable<double>({3, 4}, 1);
  const auto fixed = random_variable<double>({4, 2}, 2).detach();
  int calls = 0;
  const auto y = checkpoint(
      [&calls](const Variables<double>& in) {
        ++calls;
        return block(in);
      },
      {x, fixed});
  CHECK(calls == 1);
  backward(ops::sum(y), {.retain_graph = true});
  const auto once = x.grad().value().to_vector();
  backward(ops::sum(y));
  CHECK(calls == 3);
  CHECK_FALSE(fixed.grad().defined());
  auto plain = Variable<double>(x.value(), true);
  backward(ops::sum(block({plain, fixed})));
  CHECK(once == plain.grad().value().to_vector());
  CHECK(no_grad([&] { return checkpoint(block, {x, fixed}); }).is_leaf());
}

TEST_CASE("what is computed again is not kept") {
  const auto use_after = [](bool kept) {
    const auto x = random_variable<double>({64, 64}, 1);
    const auto steps = [](const Variables<double>& in) {
      auto y = in[0];
      for (int i = 0; i < 10; ++i) y = ops::tanh(y);
      return y;
    };
    const auto y = kept ? steps({x}) : checkpoint(steps, Variables<double>{x});
    return Pool<Device>::shared().statistics().bytes_in_use;
  };
  const auto before = Pool<Device>::shared().statistics().bytes_in_use;
  constexpr std::size_t kOne = 64 * 64 * sizeof(double);
  CHECK(use_after(false) - before <= 3 * kOne);
  CHECK(use_after(true) - before >= 10 * kOne);
}

TEST_CASE("an input that depends on another, or is given twice, counts once by each path") {
  const auto x = scalar(3.0);
  for (const bool create_graph : {false, true}) {
    const BackwardOptions options{.create_graph = create_graph};
    // x · x² and its derivatives.
    auto derivative = checkpoint(product, {x, x * x});
    CHECK(derivative.item() == 27.0);
    for (const double expected : {27.0, 18.0, 6.0}) {
      derivative = grad({derivative}, {x}, options)[0];
      CHECK(derivative.item() == expected);
      if (!create_graph) break;
    }
    const auto slope = grad({checkpoint(product, {x, x})}, {x}, options)[0];
    CHECK(slope.item() == 6.0);
    if (create_graph) CHECK(grad({slope}, {x})[0].item() == 2.0);
    // Given once and used behind its back: x · (x · x).
    const auto behind = [&x](const Variables<double>& in) { return in[0] * (x * in[1]); };
    CHECK(grad({checkpoint(behind, {x, x})}, {x}, options)[0].item() == 27.0);
  }
  const auto y = x * x;
  const auto gradients = grad({checkpoint(product, {x, y})}, {x, y, y});
  CHECK(gradients[0].item() == 27.0);
  CHECK(gradients[1].item() == 3.0);
  CHECK(gradients[2].item() == 3.0);
}

TEST_CASE("what a function uses besides its inputs has gradients, leaf or computed") {
  const auto x = scalar(3.0);
  const auto w = scalar(5.0);
  const auto doubled = w * 2.0;
  const auto frozen = scalar(7.0, false);
  const auto function = [&](const Variables<double>& in) { return in[0] * w * doubled * frozen; };
  // 14 x w², by the parameter itself and by what was made from it outside.
  const auto fresh = [&] { return checkpoint(function, {x}); };
  backward(fresh(), {.retain_graph = true});
  CHECK(grad_of(x) == 350.0);
  CHECK(grad_of(w) == 420.0);
  CHECK_FALSE(frozen.grad().defined());
  const BackwardOptions keep{.retain_graph = true};
  CHECK(grad(Variables<double>{fresh()}, Variables<double>{w}, keep)[0].item() == 420.0);
  CHECK(grad(Variables<double>{fresh()}, Variables<double>{doubled, x, w}, keep)[0].item() ==
        105.0);
  const auto slope = grad({fresh()}, {w}, {.create_graph = true})[0];
  CHECK(grad(Variables<double>{slope}, Variables<double>{w}, keep)[0].item() == 84.0);
  CHECK(grad({slope}, {x})[0].item() == 140.0);
  // A function of nothing but what it captures, and one that only passes something on.
  CHECK(grad({checkpoint([&](const Variables<double>&) { return w * w; }, Variables<double>{})},
             {w})[0]
            .item() == 10.0);
  CHECK(grad({checkpoint([&](const Variables<double>&) { return w; }, {x})}, {w, x})[0].item() ==
        1.0);
  CHECK(
      grad({checkpoint([&](const Variables<double>& in) { return in[0]; }, {x})}, {x})[0].item() ==
      1.0);
  // What it holds fast gets nothing.
  const auto cut = [&](const Variables<double>& in) {
    return in[0] * w.detach() * no_grad([&] { return w * w; });
  };
  Variable<double>(w).zero_grad();
  backward(checkpoint(cut, {x}));
  CHECK_FALSE(w.grad().defined());
  CHECK(checkpoint(function, {frozen}).requires_grad());
  CHECK_FALSE(checkpoint(product, {frozen, frozen}).requires_grad());
}

TEST_CASE("checkpoints in checkpoints, swept again and again") {
  const auto x = scalar(2.0);
  const auto w = scalar(3.0);
  const auto inner = [&w](const Variables<double>& in) { return in[0] * in[0] * w; };
  const auto outer = [&](const Variables<double>& in) {
    const auto y = in[0] * w;
    return checkpoint(inner, {y}) * y + checkpoint(inner, {in[0]});
  };
  const auto nested = checkpoint(outer, {x});  // x³ w⁴ + x² w
  CHECK(nested.item() == 660.0);
  for (int sweeps = 1; sweeps < 4; ++sweeps) {
    backward(nested, {.retain_graph = sweeps < 3});
    CHECK(grad_of(x) == sweeps * (12.0 * 81.0 + 12.0));
    CHECK(grad_of(w) == sweeps * (32.0 * 27.0 + 4.0));
  }
  const Variables<double> in{random_variable<double>({3, 4}, 1),
                             random_variable<double>({4, 2}, 2)};
  const auto twice = [](const Variables<double>& all) {
    const auto through = [&all](const Variables<double>& some) {
      return checkpoint(block, {some[0], all[1]}) * some[1];
    };
    return checkpoint(through, {all[0], ops::exp(block(all))});
  };
  const auto second = gradgradcheck(twice, in);
  CHECK_MESSAGE(second.passed, second.report);
}

TEST_CASE("a layer in a checkpoint trains as it does outside") {
  const auto train = [](bool kept) {
    Random random(1);
    nn::Linear<double> layer(3, 3, random);
    optim::SGD<double> sgd(layer.parameters(), {.learning_rate = 0.1});
    const Variable<double> x(Tensor<double>::randn({2, 3}, random));
    for (int i = 0; i < 3; ++i) {
      sgd.zero_grad();
      const auto run = [&](const Variables<double>& in) { return ops::tanh(layer(in[0])); };
      backward(ops::sum(kept ? run({x}) : checkpoint(run, {x})));
      sgd.step();
    }
    return layer.parameters()[0].value().to_vector();
  };
  CHECK(train(false) == train(true));
}

TEST_CASE("dropout in a checkpoint draws the same mask again, and nobody else notices") {
  const auto x = random_variable<double>({50}, 3);
  const auto run = [&x](bool kept) {
    auto dropout = std::make_shared<nn::Dropout<double>>(0.5, 7);
    const auto drop = [dropout](const Variables<double>& in) {
      return ops::square(dropout->forward(ops::exp(in[0]))) + dropout->forward(in[0]);
    };
    Variables<double> seen;
    const auto y = kept ? drop({x}) : checkpoint(drop, {x});
    seen.push_back(y);
    seen.push_back(dropout->forward(x));
    seen.push_back(
        grad(Variables<double>{ops::sum(y)}, Variables<double>{x}, {.retain_graph = true})[0]);
    seen.push_back(dropout->forward(x));
    seen.push_back(grad({ops::sum(y)}, {x})[0]);
    seen.push_back(dropout->forward(x));
    std::vector<std::vector<double>> values;
    for (const auto& one : seen) values.push_back(one.value().to_vector());
    return values;
  };
  const auto kept = run(true);
  CHECK(run(false) == kept);
  CHECK(kept[2] == kept[4]);
  CHECK(kept[1] != kept[3]);
}

TEST_CASE("a checkpoint complains where a second run can't be as the first") {
  auto x = scalar(3.0);
  auto w = scalar(5.0);
  auto constant = scalar(2.0, false);
  const auto function = [&](const Variables<double>& in) { return in[0] * w * constant; };
  for (auto* const changed : {&x, &w, &constant}) {
    const auto y = checkpoint(function, {x});
    changed->mutable_value().set({}, 4.0);
    CHECK(
        complaint([&] { backward(y); }).starts_with("checkpoint: a value () was changed in place"));
    CHECK_FALSE(x.grad().defined());
  }
  int calls = 0;
  const auto other_shape = [&calls](const Variables<double>& in) {
    return ++calls == 1 ? in[0] * 2.0 : ops::reshape(in[0], {1});
  };
  const auto y = checkpoint(other_shape, {x});
  CHECK(complaint([&] { backward(y); }) ==
        "checkpoint: the function gave () and now (1,); it must do the same every time it is "
        "called");
}

TEST_CASE("a checkpoint complains where a second run uses something else") {
  CHECK(complaint([] {
          checkpoint([](const Variables<double>& in) { return in[0]; }, {Variable<double>()});
        }).starts_with("checkpoint: the Variable is undefined"));
  const auto x = scalar(3.0);
  // By the time of the sweep, h is the checkpoint itself.
  auto h = x * 2.0;
  h = checkpoint([&h](const Variables<double>& in) { return in[0] + h; }, {h});
  CHECK(complaint([&] { backward(h); })
            .starts_with("checkpoint: the function used a result of checkpoint () that it had not "
                         "used when it was first called"));

  const auto ones = Variable<double>(Tensor<double>::ones({64}), true);
  for (const bool trains : {true, false}) {
    nn::Dropout<double> dropout(0.5, 3);
    dropout.train(trains);
    const auto y = checkpoint([&](const Variables<double>& in) { return dropout(in[0]); }, {ones});
    dropout.train(!trains);
    CHECK(complaint([&] {
            backward(ops::sum(y));
          }).ends_with("so change a module's mode after the backward pass"));
  }
#ifndef SFUMATO_TEST_CUDA  // the emulated device has one thread
  const auto draws = [](const Variables<double>& in) {
    return in[0] * Variable<double>(Tensor<double>::rand({64}));
  };
  const auto drawn = ops::sum(checkpoint(draws, {ones}));
  std::string said;
  std::thread([&] { said = complaint([&] { backward(drawn); }); }).join();
  CHECK(said.ends_with("give it a Random of its own: default_random() is another in this thread"));
#endif

  const auto own_random = [](const Variables<double>& in) {
    Random random(5);
    return in[0] * random.uniform();
  };
  const auto y = checkpoint(own_random, {x});
  backward(y);
  CHECK(grad_of(x) == y.item() / 3.0);
}

TEST_CASE("a checkpoint watches what its function reads, on the tape or not") {
  const auto x = scalar(3.0);
  auto c = scalar(2.0, false);
  const auto d = scalar(7.0, false);
  auto w = scalar(2.0);
  const auto constants = [&](const Variables<double>& in) { return in[0] * (c * d); };
  const auto off_tape = [&](const Variables<double>& in) {
    return in[0] * no_grad([&] { return ops::exp(w); });
  };
  auto y = checkpoint(constants, {x});
  c.mutable_value().set({}, 100.0);
  CHECK(complaint([&] { backward(y); }).starts_with("checkpoint: a value () was changed in place"));
  y = checkpoint([&](const Variables<double>& in) { return checkpoint(off_tape, {in[0]}); }, {x});
  w.mutable_value().set({}, 1.0);
  CHECK(complaint([&] { backward(y); }).starts_with("checkpoint: a value () was changed in place"));
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a parameter that is made in a checkpoint trains") {
  Variable<double> w;
  const auto function = [&w](const Variables<double>& in) {
    if (!w.defined()) w = scalar(2.0);
    return in[0] * w;
  };
  const auto x = scalar(3.0);
  backward(checkpoint(function, {x}));
  CHECK(grad_of(w) == 3.0);
  CHECK(grad_of(x) == 2.0);
}

}  // namespace sfumato::tested::autodiff_checkpoint
