// Values that are not there, or not any more: undefined Variables, values that were changed in
// place, and gradients that nobody else may hold.

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"
#include "support/doubles.hpp"

namespace sfumato::tested::autodiff_values {

namespace {

Double images(std::uint64_t seed) {
  Random random(seed);
  return Double(Tensor<double>::rand({2, 2, 4, 4}, random, 0.5, 1.5), true);
}
bool is_changed_complaint(const std::string& text) {
  return text.find(" was changed in place after the operation had used it") != std::string::npos;
}

/// An op, and whether its gradient reads its inputs and its result.
struct Case {
  const char* name;
  std::function<Double(const Double&, const Double&)> op;
  bool reads_first;
  bool reads_second;
  bool reads_result;
};

const std::vector<Case>& cases() {
  using D = const Double&;
  static const std::vector<Case> all{
      {"add", [](D a, D b) { return a + b; }, false, false, false},
      {"sub", [](D a, D b) { return a - b; }, false, false, false},
      {"mul", [](D a, D b) { return a * b; }, true, true, false},
      {"div", [](D a, D b) { return a / b; }, false, true, true},
      {"pow", [](D a, D b) { return ops::pow(a, b); }, true, true, false},
      {"pow scalar", [](D a, D) { return ops::pow(a, 3.0); }, true, false, false},
      {"affine", [](D a, D) { return a * 3.0 + 1.0; }, false, false, false},
      {"exp", [](D a, D) { return ops::exp(a); }, false, false, true},
      {"log", [](D a, D) { return ops::log(a); }, true, false, false},
      {"sqrt", [](D a, D) { return ops::sqrt(a); }, false, false, true},
      {"square", [](D a, D) { return ops::square(a); }, true, false, false},
      {"abs", [](D a, D) { return ops::abs(a); }, true, false, false},
      {"tanh", [](D a, D) { return ops::tanh(a); }, false, false, true},
      {"sigmoid", [](D a, D) { return ops::sigmoid(a); }, false, false, true},
      {"maximum", [](D a, D b) { return ops::maximum(a, b); }, true, true, false},
      {"clamp", [](D a, D) { return ops::clamp(a, 0.7, 1.2); }, true, false, false},
      {"max", [](D a, D) { return ops::max(a, {3}, true); }, true, false, true},
      {"softmax", [](D a, D) { return ops::softmax(a); }, false, false, true},
      {"log_softmax", [](D a, D) { return ops::log_softmax(a); }, false, false, true},
      {"relu", [](D a, D) { return ops::relu(a); }, false, false, false},
      {"leaky_relu", [](D a, D) { return ops::leaky_relu(a); }, false, false, false},
      {"sum", [](D a, D) { return ops::sum(a, {1}); }, false, false, false},
      {"mean", [](D a, D) { return ops::mean(a, {1}); }, false, false, false},
      {"permute",
       [](D a, D) {
         return ops::permute(a, {3, 2, 1, 0});
       },
       false, false, false},
      {"cat",
       [](D a, D b) {
         return ops::cat({a, b}, 1);
       },
       false, false, false},
      {"matmul", [](D a, D b) { return ops::matmul(a, b); }, true, true, false},
      {"conv2d", [](D a, D b) { return ops::conv2d(a, b); }, true, true, false},
      {"conv2d_relu", [](D a, D b) { return ops::conv2d_relu(a, b); }, true, true, false},
      {"max_pool2d", [](D a, D) { return ops::max_pool2d(a); }, false, false, false},
      {"avg_pool2d", [](D a, D) { return ops::avg_pool2d(a); }, false, false, false},
      {"gram_matrix", [](D a, D) { return losses::gram_matrix(a); }, true, false, false}};
  return all;
}

}  // namespace

TEST_CASE("a value that a gradient reads must not have changed in place; others may") {
  const auto other = images(3);
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const auto complains = [&](int changed) {
      auto a = images(1);
      auto b = images(2);
      auto y = c.op(a, b);
      const auto seed = Double(Tensor<double>::ones(y.shape()));
      if (changed == 0) a.mutable_value() = other.value();
      if (changed == 1) b.mutable_value() = other.value();
      if (changed == 2) y.mutable_value().copy_from(Tensor<double>::ones(y.shape()));
      const auto text = complaint([&] { backward(y, {}, seed); });
      CHECK((text == "nothing" || is_changed_complaint(text)));
      CHECK(a.grad().defined() == (text == "nothing"));
      return text != "nothing";
    };
    CHECK_FALSE(complains(-1));
    CHECK(complains(0) == c.reads_first);
    CHECK(complains(1) == c.reads_second);
    CHECK(complains(2) == c.reads_result);
  }
}

TEST_CASE("who complains of a changed value says of what, and what to do") {
  auto x = vector({1.0, 2.0});
  const auto y = x * x;
  x.mutable_value().set({0}, 3.0);
  CHECK(complaint([&] { backward(ops::sum(y)); }) ==
        "mul: a value (2,) was changed in place after the operation had used it, so its gradient "
        "would be wrong; change a clone() of it, or change it after the backward pass (to ask a "
        "Tensor that is not const for data() or span() counts as a change)");
  // Constants count as well, also where the change comes by another handle or view.
  const auto constant = vector({1.0, 2.0}, false);
  const auto scaled = x * constant;
  constant.value().reshape({2, 1}).set({1, 0}, 5.0);
  CHECK(is_changed_complaint(complaint([&] { backward(ops::sum(scaled)); })));
  auto condition = Tensor<std::uint8_t>::from({1, 0}, {2});
  const auto chosen = ops::where(condition, x, constant);
  condition.set({1}, 1);
  CHECK(is_changed_complaint(complaint([&] { backward(ops::sum(chosen)); })));
  // Only what was changed between: reading, and changes before or after, do not count.
  x.mutable_value().set({1}, 6.0);
  const auto z = ops::square(x);
  CHECK(x.value().to_vector() == List{3.0, 6.0});
  backward(ops::sum(z));
  x.mutable_value().set({1}, 7.0);
  CHECK(x.grad().value().to_vector() == List{6.0, 12.0});
}

TEST_CASE("memory that is used again is not taken for what was there before") {
  // The value of y is gone when its gradient is computed, and something else is in its place.
  const auto x = Double(Tensor<double>::ones({100000}), true);
  const auto loss = [&] {
    const auto y = ops::relu(x * 2.0);
    return ops::sum(ops::relu(y + 1.0));
  }();
  std::vector<Tensor<double>> others;
  for (int i = 0; i < 4; ++i) {
    others.push_back(Tensor<double>::ones(x.shape()));
    for (int change = 0; change <= i; ++change) (void)others.back().data();
  }
  others.clear();
  CHECK(complaint([&] { backward(loss); }) == "nothing");
  CHECK(x.grad().value().at({99999}) == 2.0);
}

TEST_CASE("a step of an optimiser between forward and backward is noticed, one after is not") {
  auto w = scalar(2.0);
  optim::SGD<double> sgd({w}, {.learning_rate = 0.1});
  for (int i = 0; i < 3; ++i) {
    sgd.zero_grad();
    backward(w * w);
    sgd.step();
  }
  const auto loss = w * w;
  backward(loss, {.retain_graph = true});
  sgd.step();
  CHECK(is_changed_complaint(complaint([&] { backward(loss); })));
}

TEST_CASE("a changed value is noticed in gradients of gradients and in ops of one's own") {
  auto x = scalar(2.0);
  const auto slope = grad({x * x * x}, {x}, {.create_graph = true})[0];
  x.mutable_value().set({}, 3.0);
  CHECK(is_changed_complaint(complaint([&] { grad({slope}, {x}); })));
  const auto cube = record("cube", Tensor<double>::scalar(27.0), {x},
                           [x](const auto& ctx) { return ctx.gradient() * ops::square(x) * 3.0; });
  backward(cube, {.retain_graph = true});
  CHECK(x.grad().item() == 27.0);
  x.mutable_value().set({}, 4.0);
  CHECK(complaint([&] { backward(cube); }).starts_with("cube: a value () was changed in place"));
}

TEST_CASE("a changed value is noticed where 16 bits are computed in float again") {
  Variable<Half> x(Tensor<Half>::from({Half{1.0F}, Half{2.0F}}, {2}), true);
  const auto y = ops::sum(ops::softmax(x));
  x.mutable_value().set({0}, Half{3.0F});
  CHECK(complaint([&] { backward(y); }).starts_with("softmax: a value (2,) was changed in place"));
}

TEST_CASE("an undefined Variable is an error that names the op") {
  const Double nothing;
  const auto x = images(1);
  const auto says = [&](const char* op, const auto& call) {
    const std::string text = complaint(call);
    CHECK_MESSAGE(text.starts_with(std::string(op) + ": the Variable is undefined"), text);
  };
  says("add", [&] { (void)(nothing + x); });
  says("add", [&] { (void)(x + nothing); });
  says("mul", [&] { (void)(x * nothing); });
  says("div", [&] { (void)(nothing / nothing); });
  says("affine", [&] { (void)(nothing * 2.0); });
  says("exp", [&] { ops::exp(nothing); });
  says("relu", [&] { ops::relu(nothing); });
  says("maximum", [&] { ops::maximum(x, nothing); });
  says("minimum", [&] { ops::minimum(nothing, x); });
  says("max", [&] { ops::max(nothing); });
  says("softmax", [&] { ops::softmax(nothing); });
  says("log_softmax", [&] { ops::log_softmax(nothing); });
  says("where", [&] { ops::where(Tensor<std::uint8_t>::ones({1}), x, nothing); });
  says("sum", [&] { ops::sum(nothing); });
  says("mean", [&] { ops::mean(nothing); });
  says("reshape", [&] { ops::reshape(nothing, {0}); });
  says("permute", [&] { ops::permute(nothing, {0}); });
  says("slice", [&] { ops::slice(nothing, 0, {}); });
  says("cat", [&] { ops::cat({nothing, nothing}, 0); });
  says("stack", [&] { ops::stack({nothing, nothing}); });
  says("pad", [&] { ops::pad(nothing, 0, 1, 1); });
  says("diff", [&] { ops::diff(nothing, 0); });
  says("matmul", [&] { ops::matmul(nothing, x); });
  says("conv2d", [&] { ops::conv2d(nothing, x); });
  says("conv2d_relu", [&] { ops::conv2d_relu(x, nothing); });
  says("max_pool2d", [&] { ops::max_pool2d(nothing); });
  says("interpolate", [&] { ops::interpolate(nothing, {.size = {2, 2}}); });
  says("mse_loss", [&] { losses::mse_loss(nothing, nothing); });
  says("gram_matrix", [&] { losses::gram_matrix(nothing); });
  CHECK(complaint([&] { ops::where(Tensor<std::uint8_t>(), x, x); }) ==
        "where: a tensor is undefined; it was never given a value");
  CHECK_FALSE(ops::conv2d(x, x, {}).value().shape() == Shape{});  // an optional bias is no error

  Double total;
  CHECK_THROWS_AS(total = total + ops::sum(x), GraphError);
  CHECK_THROWS_WITH_AS(x.grad().value().data(),
                       doctest::Contains("is a grad() that no backward() has reached since "
                                         "zero_grad(); ask defined() first"),
                       GraphError);
  CHECK_THROWS_AS(total.mutable_value(), GraphError);
  CHECK_THROWS_AS(total.item(), GraphError);
  CHECK_THROWS_AS(total.shape(), GraphError);
  CHECK_THROWS_AS(Double(Tensor<double>(), true), GraphError);
  CHECK_THROWS_AS(total.set_requires_grad(true), GraphError);
  CHECK_FALSE(total.detach().defined());
  CHECK(complaint([&] { backward(total); }) == "backward: result 0 is undefined");
  CHECK(complaint([&] { grad({ops::sum(x), total}, {x}); }) == "grad: result 1 is undefined");
  CHECK(complaint([&] {
          grad({ops::sum(x)}, {x, total});
        }) == "grad: input 1 is undefined and does not require a gradient");
  CHECK(complaint([&] { grad(std::vector{ops::sum(x)}, std::vector{x}, {}, {Double()}); }) ==
        "grad: grad_outputs 0 is undefined");
}

TEST_CASE("the gradient of a leaf is in memory of its own") {
  const auto own = [](const std::vector<Double>& all) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        CHECK_FALSE(all[i].value().shares_storage_with(all[j].value()));
      }
    }
  };
  for (const bool create_graph : {false, true}) {
    const BackwardOptions options{.create_graph = create_graph, .retain_graph = true};
    auto a = vector({1.0, 2.0});
    auto b = vector({3.0, 4.0});
    auto c = Double(Tensor<double>::ones({2, 1}), true);
    const auto seed = vector({10.0, 20.0}, false);
    const auto y = a + b + ops::reshape(c, {2});
    backward(y, options, seed);
    own({a, b, c, a.grad(), b.grad(), c.grad(), seed});
    a.grad().mutable_value().set({0}, 0.5);
    CHECK(b.grad().value().to_vector() == List{10.0, 20.0});
    CHECK(c.grad().value().to_vector() == List{10.0, 20.0});
    CHECK(seed.value().to_vector() == List{10.0, 20.0});
    const auto found = grad(std::vector{y}, std::vector{a, b, a, y}, options, {seed});
    own({found[0], found[1], found[2], found[3], seed, a.grad()});
    for (const auto& one : found) CHECK(one.value().to_vector() == List{10.0, 20.0});
    CHECK(found[0].requires_grad() == false);
    // A leaf that is its own result; and a gradient function that gives away what it holds.
    a.zero_grad();
    backward(a, options, seed);
    own({a.grad(), seed});
    const auto passed =
        record("mine", b.value().clone(), {b}, [&seed](const auto&) { return seed; });
    b.zero_grad();
    backward(ops::sum(passed), options);
    own({b.grad(), seed});
    for (auto* const x : {&a, &b, &c}) x->zero_grad();
  }
}

TEST_CASE("a gradient that nobody else holds is not copied for its leaf") {
  const auto x = Double(Tensor<double>::ones({1000}), true);
  const double* place = nullptr;
  const auto y = record("mine", x.value().clone(), {x}, [&](const auto& ctx) {
    const auto gradient = ctx.gradient() * 2.0;
    place = gradient.value().data();
    return gradient;
  });
  backward(ops::sum(y));
  const auto gradient = x.grad();
  CHECK(gradient.value().data() == place);
}

TEST_CASE("what is added to a gradient that nobody else holds is added in place") {
  const auto x = vector({1.0, 2.0});
  backward(ops::sum(x * 2.0));
  const double* const place = x.grad().value().data();
  backward(ops::sum(x * 3.0));
  CHECK(x.grad().value().data() == place);
  const auto held = x.grad();
  backward(ops::sum(x * 4.0));
  CHECK(held.value().to_vector() == List{5.0, 5.0});
  CHECK(x.grad().value().to_vector() == List{9.0, 9.0});
  // A gradient with a history is not changed behind its back.
  auto y = scalar(3.0);
  backward(y * y * y, {.create_graph = true});
  backward(y * 2.0);
  CHECK(y.grad().item() == 29.0);
  CHECK_FALSE(y.grad().requires_grad());
}

TEST_CASE("set_grad takes what fits, for parameters, and shares it with nobody") {
  auto x = vector({1.0, 2.0});
  auto gradient = vector({3.0, 4.0}, false);
  x.set_grad(gradient);
  gradient.mutable_value().set({0}, 9.0);
  CHECK(x.grad().value().to_vector() == List{3.0, 4.0});
  x.set_grad(x.grad() * 0.5);
  CHECK(x.grad().value().to_vector() == List{1.5, 2.0});
  CHECK(complaint([&] { x.set_grad(scalar(1.0)); }) ==
        "set_grad: the gradient () must have the parameter's shape (2,)");
  CHECK_THROWS_AS(x.set_grad(Double(Tensor<double>::ones({1, 2}))), ShapeError);
  CHECK(x.grad().value().to_vector() == List{1.5, 2.0});
  CHECK(complaint([&] { gradient.set_grad(gradient); }) ==
        "set_grad: this Variable (2,) is a constant; only parameters, which require a gradient, "
        "keep one");
  Double y = x * 2.0;
  CHECK(complaint([&] { y.set_grad(gradient); }) ==
        "set_grad: this Variable (2,) was computed; only parameters, which require a gradient, "
        "keep one");
  x.set_grad(Double());
  CHECK_FALSE(x.grad().defined());
  gradient.zero_grad();  // there is none, which is no error
}

TEST_CASE("a sweep that fails leaves every gradient as it was, and the next one is right") {
  const auto x = scalar(3.0);
  const auto y = scalar(4.0);
  backward(x * y);
  bool fails = true;
  const auto moody = record("moody", y.value().clone(), {y}, [&fails](const auto& ctx) -> Double {
    if (fails) throw ValueError("not now");
    return ctx.gradient();
  });
  const auto loss = x * (moody * x);
  CHECK(complaint([&] { backward(loss, {.retain_graph = true}); }) == "not now");
  CHECK(x.grad().item() == 4.0);
  CHECK(y.grad().item() == 3.0);
  CHECK(grad_enabled());
  fails = false;
  no_grad([&] { backward(loss); });
  CHECK(x.grad().item() == 4.0 + 24.0);
  CHECK(y.grad().item() == 3.0 + 9.0);
}

TEST_CASE("one result given twice counts twice") {
  const auto x = scalar(3.0);
  const auto y = x * x;
  CHECK(grad({y, y}, {x})[0].item() == 12.0);
}

}  // namespace sfumato::tested::autodiff_values
