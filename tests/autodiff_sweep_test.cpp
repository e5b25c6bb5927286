// Reverse mode: what backward() and grad() find, what they leave alone, and what they keep in
// memory. autodiff_graph_test.cpp has the recording of graphs, their errors and their export.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"
#include "support/doubles.hpp"

namespace sfumato::tested::autodiff_sweep {

namespace {

PoolStatistics pool() {
  return Pool<Device>::shared().statistics();
}

}  // namespace

TEST_CASE("a diamond is swept once from its tip, however the paths differ in length") {
  const auto x = scalar(0.5);
  int visits = 0;
  const auto counted = [&](const Double& in) {
    return record("counted", in.value().clone(), {in}, [&visits](const auto& ctx) {
      ++visits;
      return ctx.gradient();
    });
  };
  const auto shared = counted(x * 2.0);
  const auto longer = ops::square(ops::square(shared) + 1.0);
  backward(shared * longer + shared);
  // f(s) = s (s² + 1)² + s at s = 1, ds/dx = 2.
  CHECK(grad_of(x) == 2.0 * (4.0 + 8.0 + 1.0));
  CHECK(visits == 1);
}

TEST_CASE("fan-out to a thousand uses adds a thousand contributions") {
  const auto x = vector({1.0, 2.0});
  Double total = scalar(0.0, false);
  for (int i = 0; i < 1000; ++i) total = total + ops::sum(x * static_cast<double>(i));
  backward(total);
  CHECK(x.grad().value().to_vector() == List{499500.0, 499500.0});
}

TEST_CASE("accumulating never writes into a tensor that someone else holds") {
  const auto a = vector({1.0, 2.0});
  const auto b = vector({3.0, 4.0});
  const auto seed = vector({10.0, 20.0}, false);
  backward(a + b, {}, seed);
  const auto first = a.grad();
  backward(a * 2.0, {}, seed);
  CHECK(a.grad().value().to_vector() == List{30.0, 60.0});
  CHECK(b.grad().value().to_vector() == List{10.0, 20.0});
  CHECK(first.value().to_vector() == List{10.0, 20.0});
  CHECK(seed.value().to_vector() == List{10.0, 20.0});
}

TEST_CASE("backward from a leaf gives the seed") {
  const auto x = vector({1.0, 2.0});
  backward(x, {}, vector({5.0, 7.0}, false));
  CHECK(x.grad().value().to_vector() == List{5.0, 7.0});
  const auto y = scalar(3.0);
  CHECK(grad({y}, {y})[0].item() == 1.0);
}

TEST_CASE("zero_grad and frozen leaves are seen through every handle") {
  const auto x = scalar(2.0);
  Double handle = x;
  backward(x * x);
  CHECK(grad_of(handle) == 4.0);
  handle.zero_grad();
  CHECK_FALSE(x.grad().defined());
  handle.set_requires_grad(false);
  CHECK_FALSE(x.requires_grad());
  // What is frozen when the graph is recorded is not part of it, even if thawed before the sweep.
  const auto y = scalar(3.0);
  const auto product = x * y;
  handle.set_requires_grad(true);
  backward(product);
  CHECK_FALSE(x.grad().defined());
  CHECK(grad_of(y) == 2.0);
}

TEST_CASE("no_grad nests, returns what its body returns, and ends with an exception") {
  const auto x = scalar(3.0);
  no_grad([&] {
    CHECK_FALSE(grad_enabled());
    no_grad([] {});
    CHECK_FALSE(grad_enabled());
    const GradMode on(true);
    CHECK((x * x).requires_grad());
  });
  CHECK_THROWS_AS(no_grad([]() -> int { throw ValueError("inside"); }), ValueError);
  CHECK(grad_enabled());
  // The sweep itself leaves the mode as it was, also when it fails.
  CHECK_THROWS_AS(backward(record("bad", x.value().clone(), {x},
                                  [](const auto&) -> Double { throw ValueError("in a sweep"); })),
                  ValueError);
  CHECK(grad_enabled());
}

TEST_CASE("several results and seeds add up") {
  const auto x = vector({1.0, 2.0});
  const std::vector<Double> results{x * 3.0, ops::square(x)};
  const std::vector<Double> seeds{vector({1.0, 10.0}, false), vector({100.0, 1000.0}, false)};
  CHECK(grad(results, {x}, {}, seeds)[0].value().to_vector() == List{203.0, 4030.0});
  CHECK(complaint([&] { grad(results, {x}, {}, {seeds[0]}); }) ==
        "grad: 1 grad_outputs for 2 results");
  CHECK(complaint([&] {
          grad(results, {x}, {}, {seeds[0], scalar(1.0)});
        }) == "grad: grad_outputs () does not fit the result (2,)");
  CHECK(complaint([&] { grad(results, {x}); }) ==
        "grad: the result (2,) is not a scalar; reduce it, for example with ops::sum, or pass "
        "grad_outputs of its shape");
  CHECK(complaint([&] { grad({scalar(1.0, false)}, {scalar(1.0)}); }) ==
        "grad: the result does not depend on anything that requires a gradient");
}

TEST_CASE("grad of an intermediate value leaves the graph behind it whole") {
  const auto x = scalar(3.0);
  const auto y = x * x;
  CHECK(grad({y * y}, {y})[0].item() == 18.0);
  backward(y);
  CHECK(grad_of(x) == 6.0);
  CHECK(complaint([&] { grad({y + 1.0}, {x}); }) ==
        "backward: the graph behind mul () was freed by an earlier pass; give that retain_graph");
}

TEST_CASE("grad computes nothing for branches that lead to none of the inputs") {
  const auto x = scalar(2.0);
  const auto other = scalar(5.0);
  bool swept = false;
  const auto branch = record("branch", other.value().clone(), {other}, [&](const auto& ctx) {
    swept = true;
    return ctx.gradient();
  });
  CHECK(grad({x * branch}, {x})[0].item() == 5.0);
  CHECK_FALSE(swept);
  CHECK_FALSE(other.grad().defined());
  const auto unused = grad({x * 2.0}, {other})[0];
  CHECK(unused.item() == 0.0);
  CHECK_FALSE(unused.requires_grad());
  const Double matrix(Tensor<double>::ones({2, 3}), true);
  CHECK(grad({x * 2.0}, {matrix, x})[0].shape() == Shape{2, 3});
}

TEST_CASE("derivatives of x to the fourth, three times over and past the end") {
  const auto x = scalar(1.5);
  for (const bool as_product : {true, false}) {
    Double derivative = as_product ? x * x * x * x : ops::square(ops::square(x));
    for (const double expected : {13.5, 27.0, 36.0}) {
      derivative = grad({derivative}, {x}, {.create_graph = true})[0];
      CHECK(derivative.item() == doctest::Approx(expected));
    }
  }
  // A linear function's second derivative does not depend on x any more.
  const auto slope = grad({x * 2.0}, {x}, {.create_graph = true})[0];
  CHECK(slope.item() == 2.0);
  CHECK(complaint([&] { grad({slope}, {x}); }) ==
        "grad: the result does not depend on anything that requires a gradient");
  // Mixed: d²(x² y³)/dx dy = 6 x y².
  const auto y = scalar(2.0);
  const auto by_x = grad({x * x * y * y * y}, {x}, {.create_graph = true})[0];
  CHECK(grad({by_x}, {y})[0].item() == doctest::Approx(36.0));
}

TEST_CASE("a gradient penalty trains: the gradient of a gradient's norm reaches the weights") {
  const auto x = vector({0.5, -1.0});
  const auto w = vector({2.0, 3.0});
  const auto slope = grad({ops::sum(w * ops::square(x))}, {x}, {.create_graph = true})[0];
  backward(ops::sum(ops::square(slope)));  // Σ 4 w² x²
  CHECK(w.grad().value().to_vector() == List{4.0, 24.0});
  CHECK(x.grad().value().to_vector() == List{16.0, -72.0});
}

TEST_CASE("a graph with everything in it leaves no memory behind") {
  const auto before = pool().bytes_in_use;
  for (const bool create_graph : {false, true}) {
    Random random(1);
    const Variable<float> x(Tensor<float>::randn({1, 2, 8, 8}, random), true);
    const Variable<float> w(Tensor<float>::randn({4, 2, 3, 3}, random), true);
    const auto features = ops::max_pool2d(ops::relu(ops::conv2d(x, w, {}, {.padding = 1})));
    const auto flat = ops::reshape(features, {4, 16});
    const auto loss = ops::mean(ops::matmul(ops::softmax(flat), flat, {.transpose_b = true}));
    const auto gradients = grad({loss + ops::sum(ops::tanh(ops::cat({x, x}, 1)))}, {x, w},
                                {.create_graph = create_graph});
    CHECK(gradients[0].requires_grad() == create_graph);
  }
  CHECK(pool().bytes_in_use == before);
  // Nor does a sweep that fails half-way.
  {
    const auto x = vector(List(1000, 1.0));
    const auto bad = record("bad", x.value().clone(), {x},
                            [](const auto&) -> Double { throw ValueError("no gradient"); });
    CHECK_THROWS_AS(backward(ops::sum(ops::exp(bad) * ops::square(bad))), ValueError);
  }
  CHECK(pool().bytes_in_use == before);
}

TEST_CASE("the sweep of a long chain needs memory for a few tensors, not for all") {
  constexpr std::int64_t kElements = 4096;
  constexpr std::size_t kBytes = kElements * sizeof(double);
  constexpr std::size_t kLength = 50;
  const Double x(Tensor<double>::ones({kElements}), true);
  auto loss = [&] {
    Double y = x;
    for (std::size_t i = 0; i < kLength; ++i) y = ops::square(y);
    return ops::sum(y);
  }();
  const std::size_t recorded = pool().bytes_in_use;
  Pool<Device>::shared().reset_peak();
  backward(loss);
  // Each step frees one saved tensor and makes a gradient: were none freed, the peak would be
  // higher by the length of the chain.
  CHECK(pool().peak_bytes_in_use < recorded + 6 * kBytes);
  CHECK(pool().bytes_in_use < recorded - (kLength - 3) * kBytes);
}

TEST_CASE("chains of many nodes of two inputs are swept, and destroyed unswept") {
  const auto x = scalar(1.0);
  const auto zero = scalar(0.0);
  const auto before = pool().bytes_in_use;
  for (const bool swept : {true, false}) {
    Double y = x;
    // mul keeps both its inputs, so each node is held twice.
    for (int i = 0; i < kLongChain; ++i) y = swept || i % 2 == 0 ? y * x : y + y * zero;
    if (swept) {
      backward(y);
      CHECK(grad_of(x) == kLongChain + 1.0);
    }
  }
  Double(x).zero_grad();
  CHECK(pool().bytes_in_use == before);
}

TEST_CASE("gradcheck reports which element is wrong, and NaN is wrong") {
  const std::vector<Double> in{scalar(1.0, false), vector({0.5, 1.5, 2.5})};
  const auto wrong_at_two = [](const std::vector<Double>& x) {
    return record("wrong", ops::square(x[1].detach()).value(), {x[1]}, [x](const auto& ctx) {
      return ctx.gradient() * x[1] * vector({2.0, 2.0, 2.5}, false);
    });
  };
  const auto result = gradcheck(wrong_at_two, in);
  CHECK_FALSE(result.passed);
  CHECK(result.report.starts_with("input 0 (3,), element 2: analytic "));
  CHECK(result.largest_error > 0.01);
  const auto not_a_number = [](const std::vector<Double>& x) { return ops::log(x[1] - 100.0); };
  CHECK_FALSE(gradcheck(not_a_number, in));
  const auto right = [](const std::vector<Double>& x) { return x[0] * ops::exp(x[1]); };
  CHECK(gradcheck(right, in).report == "gradients agree");
  CHECK(gradgradcheck(right, in));
}

}  // namespace sfumato::tested::autodiff_sweep
