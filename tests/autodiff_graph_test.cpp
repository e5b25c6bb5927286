// How graphs are recorded, swept, kept and destroyed.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/device.hpp"

namespace sfumato::tested::autodiff_graph {

namespace {
Variable<double> scalar(double value, bool requires_grad = true) {
  return Variable<double>(Tensor<double>::scalar(value), requires_grad);
}
double grad_of(const Variable<double>& x) {
  return x.grad().value().item();
}
std::size_t bytes_in_use() {
  return Pool<Device>::shared().statistics().bytes_in_use;
}
}  // namespace

TEST_CASE("backward adds up in leaves until zero_grad") {
  const auto x = scalar(3.0);
  backward(x * x);
  CHECK(grad_of(x) == 6.0);
  backward(x * x);
  CHECK(grad_of(x) == 12.0);
  Variable<double> handle = x;
  handle.zero_grad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a value that is used several times gets the sum of all gradients") {
  const auto x = scalar(2.0);
  const auto a = x * 3.0;
  const auto b = a * a + a + x;  // 9 x² + 4 x
  backward(b + b * b);           // (1 + 2 b) (18 x + 4)
  CHECK(grad_of(x) == (1.0 + 2.0 * 44.0) * 40.0);
}

TEST_CASE("frozen leaves and constants get no gradient and leave nothing on the tape") {
  auto weight = scalar(2.0);
  weight.set_requires_grad(false);
  const auto x = scalar(3.0, false);
  CHECK((weight * x).node() == nullptr);
  const auto y = scalar(4.0);
  backward(weight * y);
  CHECK_FALSE(weight.grad().defined());
  CHECK(grad_of(y) == 2.0);
  weight.set_requires_grad(true);
  backward(weight * y);
  CHECK(grad_of(weight) == 4.0);
  CHECK_THROWS_WITH_AS((weight * y).set_requires_grad(false),
                       "set_requires_grad: only leaves can be frozen, and this is the result of "
                       "mul; use detach()",
                       GraphError);
}

TEST_CASE("no_grad and detach cut the history") {
  const auto x = scalar(3.0);
  CHECK(no_grad([&] { return x * x; }).is_leaf());
  CHECK(grad_enabled());
  backward(x * (x * x).detach());
  CHECK(grad_of(x) == 9.0);
}

TEST_CASE("a graph is swept once unless it is retained") {
  const auto x = scalar(3.0);
  const auto y = x * x;
  backward(y, {.retain_graph = true});
  backward(y);
  CHECK(grad_of(x) == 12.0);
  CHECK_THROWS_WITH_AS(backward(y),
                       "backward: the graph behind mul () was freed by an earlier pass; give that "
                       "retain_graph",
                       GraphError);
}

TEST_CASE("backward says what can't be differentiated") {
  const Variable<double> x(Tensor<double>::ones({2, 3}), true);
  CHECK_THROWS_WITH_AS(backward(x * 2.0),
                       "backward: the result (2, 3) is not a scalar; reduce it, for example with "
                       "ops::sum, or pass grad_outputs of its shape",
                       GraphError);
  CHECK_THROWS_WITH_AS(backward(x * 2.0, {}, scalar(1.0)),
                       "backward: grad_outputs () does not fit the result (2, 3)", GraphError);
  CHECK_THROWS_WITH_AS(backward(scalar(1.0, false)),
                       "backward: the result does not depend on anything that requires a gradient",
                       GraphError);
  CHECK_THROWS_WITH_AS(grad({ops::sum(x)}, {scalar(1.0, false)}),
                       "grad: input 0 () does not require a gradient", GraphError);
  backward(x * 2.0, {}, Variable<double>(Tensor<double>::full({2, 3}, 5.0)));
  CHECK(x.grad().value().at({1, 2}) == 10.0);
}

TEST_CASE("grad finds gradients of leaves and of computed values and leaves grad() alone") {
  const auto x = scalar(2.0);
  const auto unused = scalar(1.0);
  const auto y = x * x;
  const auto gradients = grad({y * y}, {x, y, unused, x});
  CHECK(gradients[0].item() == 32.0);
  CHECK(gradients[1].item() == 8.0);
  CHECK(gradients[2].item() == 0.0);
  CHECK(gradients[3].item() == 32.0);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("gradients of gradients, to the fourth order") {
  const auto x = scalar(2.0);
  Variable<double> derivative = ops::pow(x, 4.0);
  for (const double expected : {32.0, 48.0, 48.0, 24.0}) {
    derivative = grad({derivative}, {x}, {.create_graph = true})[0];
    CHECK(derivative.item() == doctest::Approx(expected));
  }
  Variable<double> y = scalar(3.0);
  backward(y * y * y, {.create_graph = true});
  backward(y.grad());  // 27 and then 18 more
  CHECK(grad_of(y) == 45.0);
  y.zero_grad();  // breaks the cycle that create_graph makes
}

TEST_CASE("the graph goes with the last Variable that needs it") {
  const std::size_t before = bytes_in_use();
  {
    const Variable<double> x(Tensor<double>::ones({1000}), true);
    Variable<double> y = x;
    for (int i = 0; i < 10; ++i) y = ops::exp(y * 0.1) / (y + 1.0);
    const auto gradient = grad({ops::sum(y)}, {x}, {.create_graph = true});
  }
  CHECK(bytes_in_use() == before);
}

TEST_CASE("what was saved goes as the sweep passes") {
  const Variable<double> x(Tensor<double>::ones({100000}), true);
  Variable<double> y = x;
  for (int i = 0; i < 20; ++i) y = ops::square(y);
  const auto loss = ops::sum(y);
  y = Variable<double>();
  const std::size_t before = bytes_in_use();
  backward(loss);
  // Twenty saved inputs (the first is x itself) are gone, one gradient has come.
  CHECK(bytes_in_use() + 17 * 100000 * sizeof(double) < before);
}

TEST_CASE("chains of many operations are swept and destroyed without deep recursion") {
  for (const bool swept : {true, false}) {
    const auto x = scalar(1.0);
    Variable<double> y = x;
    for (int i = 0; i < kLongChain; ++i) y = y + 1.0;
    if (swept) {
      backward(y);
      CHECK(grad_of(x) == 1.0);
    }
  }
  // Saved inputs hold nodes too.
  const auto x = scalar(1.0);
  Variable<double> y = x;
  for (int i = 0; i < kLongChain; ++i) y = ops::square(y);
}

// On one thread: of several, chance decides how many need memory at the same time.
TEST_CASE("a training step takes nothing from the system once it is warm") {
  const int threads = thread_count();
  set_thread_count(1);
  Random random(1);
  nn::Sequential<float> model{
      std::make_shared<nn::Conv2d<float>>(3, 8, 3, random), std::make_shared<nn::ReLU<float>>(),
      std::make_shared<nn::MaxPool2d<float>>(), std::make_shared<nn::Flatten<float>>(),
      std::make_shared<nn::Linear<float>>(8 * 7 * 7, 10, random)};
  optim::Adam<float> adam(model.parameters());
  const Variable<float> x(Tensor<float>::randn({4, 3, 16, 16}, random));
  const auto labels = Tensor<std::int64_t>::from({1, 2, 3, 4}, {4});
  const auto step = [&] {
    adam.zero_grad();
    backward(losses::cross_entropy(model(x), labels));
    adam.step();
  };
  step();
  step();
  const std::size_t before = Pool<Device>::shared().statistics().system_allocations;
  for (int i = 0; i < 5; ++i) step();
  set_thread_count(threads);
  CHECK(Pool<Device>::shared().statistics().system_allocations == before);
}

TEST_CASE("a gradient function that is wrong is named") {
  const Variable<double> x(Tensor<double>::ones({3}), true);
  const auto with = [&](auto gradient) {
    return ops::sum(record("mine", x.value().clone(), {x}, gradient));
  };
  using At = const Backward<double>&;
  CHECK_THROWS_WITH_AS(backward(with([](At) { return scalar(1.0); })),
                       "mine: its gradient function gave () for input 0, which has the shape (3,)",
                       GraphError);
  CHECK_THROWS_WITH_AS(
      backward(with([](At) { return Variable<double>(); })),
      "mine: its gradient function gave nothing for input 0, which has the shape (3,)", GraphError);
  CHECK_THROWS_WITH_AS(backward(with([](At) { return Gradients<double>{}; })),
                       "mine: its gradient function gave 0 gradients for 1 inputs", GraphError);
}

TEST_CASE("gradcheck and gradgradcheck find wrong derivatives") {
  using Inputs = std::vector<Variable<double>>;
  const Inputs in{Variable<double>(Tensor<double>::from({0.5, 1.5}, {2}), true)};
  const auto wrong_first = [](const Inputs& x) {
    return record("wrong", ops::square(x[0].detach()).value(), {x[0]},
                  [x = x[0]](const Backward<double>& ctx) { return ctx.gradient() * x; });
  };
  CHECK_FALSE(gradcheck(wrong_first, in));
  CHECK(gradcheck(wrong_first, in).report.find("input 0 (2,), element 0: analytic") == 0);
  const auto wrong_second = [](const Inputs& x) {
    return record(
        "wrong", ops::square(x[0].detach()).value(), {x[0]},
        [x = x[0].detach()](const Backward<double>& ctx) { return ctx.gradient() * (x * 2.0); });
  };
  CHECK(gradcheck(wrong_second, in));
  CHECK_FALSE(gradgradcheck(wrong_second, in));
}

TEST_CASE("a graph in the language of Graphviz") {
  const Variable<double> x(Tensor<double>::ones({2}), true);
  const auto y = ops::sum(ops::exp(x));
  const std::string first = std::to_string(x.node()->number());
  const std::string second = std::to_string(x.node()->number() + 1);
  const std::string third = std::to_string(x.node()->number() + 2);
  CHECK(to_graphviz(y) ==
        "digraph sfumato {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n"
        "  n" +
            first +
            " [label=\"leaf\\n(2,)\", shape=ellipse];\n"
            "  n" +
            second +
            " [label=\"exp\\n(2,)\", shape=box];\n"
            "  n" +
            first + " -> n" + second +
            ";\n"
            "  n" +
            third +
            " [label=\"sum\\n()\", shape=box];\n"
            "  n" +
            second + " -> n" + third + ";\n}\n");
}

}  // namespace sfumato::tested::autodiff_graph
