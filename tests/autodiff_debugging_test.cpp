// What helps to find out what goes on in a graph: names, and hooks on gradients.

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested {

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

}  // namespace sfumato::tested
