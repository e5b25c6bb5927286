// What helps to find out what goes on in a graph: names, hooks on gradients, and where NaN is born.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::autodiff_debugging {

namespace {

Variable<double> vector(const std::vector<double>& values, bool requires_grad = true) {
  return Variable<double>(Tensor<double>::from(values, {static_cast<std::int64_t>(values.size())}),
                          requires_grad);
}

std::vector<double> values(const Variable<double>& x) {
  return x.value().to_vector();
}

}  // namespace

TEST_CASE("hooks see complete gradients, in every pass until they are removed") {
  const auto x = vector({1.0, 2.0});
  const auto y = x * x;
  std::vector<std::vector<double>> seen;
  auto on_y = y.register_hook([&](const auto& gradient) { seen.push_back(values(gradient)); });
  const auto on_x =
      x.register_hook([&](const auto& gradient) { seen.push_back(values(gradient)); });
  const auto loss = ops::sum(y * 3.0) + ops::sum(y * x);
  backward(loss, {.retain_graph = true});
  // 3 + x; (3 + x) 2 x + x².
  using Lists = std::vector<std::vector<double>>;
  CHECK(seen == Lists{{4.0, 5.0}, {9.0, 24.0}});
  on_y.remove();
  on_y.remove();
  CHECK(values(grad({loss}, {x})[0]) == std::vector{9.0, 24.0});
  CHECK(seen == Lists{{4.0, 5.0}, {9.0, 24.0}, {9.0, 24.0}});
}

TEST_CASE("what a hook returns takes the gradient's place") {
  const auto x = vector({1.0, 2.0});
  const auto y = x * 2.0;
  y.register_hook([](const auto& gradient) { return gradient * 10.0; });
  y.register_hook([](const auto& gradient) { return gradient + 1.0; });
  x.register_hook([](const auto&) { return Variable<double>(); });
  CHECK(values(grad({ops::sum(y)}, {x}, {.retain_graph = true})[0]) == std::vector{22.0, 22.0});
  CHECK(values(grad({ops::sum(y)}, {y}, {.retain_graph = true})[0]) == std::vector{11.0, 11.0});
  ops::sum(y).backward();
  CHECK(values(x.grad()) == std::vector{22.0, 22.0});
  // It can be differentiated, too.
  const auto z = vector({3.0});
  z.register_hook([&](const auto& gradient) { return gradient * gradient; });
  const auto slope = grad({ops::sum(z * z)}, {z}, {.create_graph = true})[0];  // (2 z)²
  CHECK(values(slope) == std::vector{36.0});
  z.register_hook([](const auto& gradient) { return ops::sqrt(gradient); });
  CHECK(values(grad({ops::sum(slope)}, {z})[0]) == std::vector{24.0});  // √(8 z)²
}

TEST_CASE("a hook may remove itself, and keep the gradient") {
  const auto x = vector({1.0, 2.0});
  int calls = 0;
  Variable<double> kept;
  HookHandle handle = x.register_hook([&](const auto& gradient) mutable {
    ++calls;
    kept = gradient;
    handle.remove();
  });
  for (int i = 0; i < 3; ++i) ops::sum(x * 2.0).backward();
  CHECK(calls == 1);
  CHECK(values(kept) == std::vector{2.0, 2.0});
  CHECK(values(x.grad()) == std::vector{6.0, 6.0});
}

TEST_CASE("a hook on what a checkpoint uses is called once") {
  const auto x = vector({1.0, 2.0});
  const auto w = vector({3.0, 4.0});
  int calls = 0;
  const auto count = [&](const auto& gradient) {
    ++calls;
    return gradient * 10.0;
  };
  w.register_hook(count);
  ops::sum(checkpoint([w](const auto& in) { return in[0] * w; }, {x})).backward();
  CHECK(calls == 1);
  CHECK(values(w.grad()) == std::vector{10.0, 20.0});
  // One inside is on what is computed again.
  ops::sum(checkpoint(
               [&count](const auto& in) {
                 const auto y = in[0] * 2.0;
                 y.register_hook(count);
                 return y;
               },
               {x}))
      .backward();
  CHECK(calls == 2);
}

TEST_CASE("a pass that frees the graph frees its hooks, though one holds what it is on") {
  std::weak_ptr<Node> node;
  {
    const auto y = vector({1.0, 2.0}) * 2.0;
    node = y.node();
    y.register_hook([y](const auto&) {});
    ops::sum(y).backward();
  }
  CHECK(node.expired());
}

TEST_CASE("hooks that can't be called, or give what does not fit, are refused") {
  const auto ignore = [](const auto&) {};
  CHECK(complaint([&] { vector({1.0}, false).register_hook(ignore); }) ==
        "register_hook: this Variable (1,) requires no gradient, so none will come to the hook");
  CHECK(complaint([&] {
          Variable<double>().register_hook(ignore);
        }).starts_with("register_hook: the Variable is undefined"));
  auto x = vector({1.0, 2.0});
  x.set_name("x");
  x.register_hook([](const auto&) { return vector({1.0}); });
  CHECK(complaint([&] { ops::sum(x).backward(); }) ==
        "register_hook: a hook gave the gradient (1,) for x (2,)");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("names are seen in errors and in pictures of the graph") {
  auto x = vector({1.0, 2.0});
  CHECK(x.name().empty());
  x.set_name("weight \"1\\2\"");
  const auto again = x;
  CHECK(again.name() == "weight \"1\\2\"");
  CHECK(x.detach().name().empty());
  auto y = x * x;
  y.set_name("energy");
  const std::string picture = to_graphviz(ops::sum(y));
  CHECK(picture.find("label=\"leaf\\nweight \\\"1\\\\2\\\" (2,)\"") != std::string::npos);
  CHECK(picture.find("label=\"mul\\nenergy (2,)\"") != std::string::npos);
  const auto loss = ops::sum(y);
  loss.backward();
  CHECK(complaint([&] { ops::sum(y).backward(); }) ==
        "backward: the graph behind mul energy (2,) was freed by an earlier pass; give that "
        "retain_graph");
  auto constant = vector({1.0}, false);
  constant.set_name("mask");
  CHECK(constant.name() == "mask");
  CHECK_FALSE(constant.requires_grad());
  CHECK((constant * 2.0).node() == nullptr);
  auto integers = Variable<std::int64_t>(Tensor<std::int64_t>::ones({2}));
  CHECK(integers.name().empty());
  CHECK(complaint([&] { integers.set_name("labels"); }) ==
        "set_name: integers are in no graph, where a name would be seen");
}

TEST_CASE("a graph is drawn with values and gradients where they are asked for") {
  auto a = vector({0.5, 2.0});
  a.set_name("a");
  const auto product = a * vector({3.0, 1.0}, false);
  const auto total = ops::sum(product);
  const std::string picture = to_graphviz(total, {a, product});
  CHECK(picture.find("label=\"leaf\\na (2,)\\n= 0.5, 2\\n∂ 3, 1\"") != std::string::npos);
  CHECK(picture.find("label=\"mul\\n(2,)\\n= 1.5, 2\\n∂ 1, 1\"") != std::string::npos);
  CHECK(picture.find("label=\"sum\\n()\\n∂ 1\"") != std::string::npos);  // no value asked for
  total.backward();                                                      // the graph is still there
  CHECK(a.grad().value().to_vector() == std::vector<double>{3.0, 1.0});
  CHECK(complaint([&] { to_graphviz(total, {a}); }) ==
        "backward: the graph behind sum () was freed by an earlier pass; give that retain_graph");
  const auto many = vector({1.0, 2.0, 3.0, 4.0, 5.0});
  CHECK(to_graphviz(many * many, {many}).find("= 1, 2, 3, 4, …\\n∂ 2, 4, 6, 8, …") !=
        std::string::npos);
}

TEST_CASE("anomaly mode names the operation and the shapes where NaN or infinity is born") {
  auto x = vector({4.0, 0.0, 1.0});
  x.set_name("x");
  const auto one = vector({1.0});
  const auto scale = vector({0.0, 1.0, 2.0}, false);
  const auto says = [](const auto& call) {
    const DetectAnomaly guard;
    return complaint(call);
  };
  // Forward, recorded or not, also inside another operation.
  CHECK(says([&] { ops::log(x); }) ==
        "log: the result (3,) has infinity at element 1, made from x (3,)");
  CHECK(says([&] { no_grad([&] { return one / (x * scale); }); }) ==
        "div: the result (3,) has infinity at element 0, made from (1,) and (3,)");
  CHECK(says([&] { ops::sqrt(x - 2.0); }) ==
        "sqrt: the result (3,) has NaN at element 1, made from (3,)");
  CHECK(says([&] {
          losses::kl_div(ops::log_softmax(x), vector({0.5, 0.5, -1.0}));
        }) == "log: the result (3,) has NaN at element 2, made from (3,)");
  CHECK(says([&] { ops::cast<Half>(x * 1e6); }) ==
        "cast: the result (3,) has infinity at element 0, made from (3,)");

  // In a gradient, by operations that make it or not.
  const auto root = ops::sum(ops::sqrt(x));
  CHECK(says([&] { root.backward(); }) ==
        "div, in the gradient of sqrt: the result (3,) has infinity at element 1, made from (3,) "
        "and (3,)");
  const auto y = record("odd", x.value().clone(), {x}, [](const Backward<double>&) {
    return Variable<double>(
        Tensor<double>::from({1.0, 2.0, std::numeric_limits<double>::infinity()}, {3}));
  });
  CHECK(says([&] { ops::sum(y).backward(); }) ==
        "odd: the gradient of input 0, x (3,), has infinity at element 2, made from that of its "
        "result (3,)");
  CHECK_FALSE(x.grad().defined());

  // In a sum of gradients, of one pass or two.
  const auto zero = vector({0.0});
  const auto large = [&] { return ops::sum(zero * 1e308); };
  CHECK(says([&] { backward(large() + large()); }) ==
        "add_gradients: the result (1,) has infinity at element 0, made from (1,) and (1,)");
  large().backward();
  CHECK(says([&] { large().backward(); }) ==
        "add_gradients: the result (1,) has infinity at element 0, made from (1,) and (1,)");
  CHECK(values(zero.grad()) == List{1e308});

  // Outside, nobody looks.
  CHECK(complaint([&] { ops::log(x); }) == "nothing");
  CHECK(std::isinf(values(grad({ops::sum(ops::sqrt(x))}, {x})[0])[1]));
}

TEST_CASE("anomaly mode bears infinities that were put in, and tells where a NaN came in") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto logits = vector({0.0, -kInfinity, 1.0});
  const auto broken = vector({1.0, std::nan(""), -kInfinity});
  const DetectAnomaly guard;
  { const DetectAnomaly inner; }
  CHECK(complaint([&] {
          const auto p = ops::softmax(logits * 2.0);
          ops::sum(p * p).backward();
          ops::sum(ops::exp(logits)).backward();
        }) == "nothing");
  CHECK(complaint([&] { broken * 2.0; }) ==
        "affine: the result (3,) has NaN at element 1, made from (3,) with NaN at element 1");
  CHECK(complaint([&] { logits - logits; }) ==
        "sub: the result (3,) has NaN at element 1, made from (3,) with infinity at element 1 and "
        "(3,) with infinity at element 1");
  CHECK(complaint([&] {
          backward(ops::exp(logits), {}, broken);
        }).starts_with("mul, in the gradient of exp: the result (3,) has NaN at element 1"));
}

TEST_CASE("anomaly mode finds nothing where all is well") {
  Random random(1);
  nn::Sequential<float> model{nn::Conv2d<float>(2, 3, 3, random), nn::ReLU<float>(),
                              nn::MaxPool2d<float>(), nn::Flatten<float>(),
                              nn::Linear<float>(12, 3, random)};
  const Variable<float> x(Tensor<float>::randn({2, 2, 6, 6}, random));
  const auto labels = Tensor<std::int64_t>::from({0, 2}, {2});
  optim::Adam<float> adam(model.parameters());
  const DetectAnomaly guard;
  for (int i = 0; i < 3; ++i) {
    adam.zero_grad();
    const auto loss = losses::cross_entropy(model(x), labels, {.label_smoothing = 0.1});
    loss.backward();
    adam.step();
  }
  const Variable<Half> narrow(Tensor<Half>::ones({3}), true);
  ops::sum(ops::softmax(narrow) * ops::gelu(narrow)).backward();
  CHECK(complaint([&] { ops::sum(Variable<std::int64_t>(labels)); }) == "nothing");
}

}  // namespace sfumato::tested::autodiff_debugging
