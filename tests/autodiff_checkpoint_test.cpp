// Parts of a graph that are computed again when they are needed.

#include <doctest/doctest.h>

#include <vector>

#include "support/device.hpp"

namespace sfumato::tested {

namespace {

template <class T>
using List = std::vector<Variable<T>>;

template <class T>
Variable<T> random_variable(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Variable<T>(Tensor<T>::normal(shape, random), true);
}

/// Something smooth of two inputs with several steps in it.
const auto block = [](const List<double>& in) {
  return ops::tanh(ops::matmul(ops::square(in[0]), in[1])) * 3.0;
};

}  // namespace

TEST_CASE("what is computed again has the gradients of what is kept") {
  const List<double> inputs{random_variable<double>({3, 4}, 1), random_variable<double>({4, 2}, 2)};
  const auto function = [](const List<double>& in) {
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
      [&calls](const List<double>& in) {
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
    const auto steps = [](const List<double>& in) {
      auto y = in[0];
      for (int i = 0; i < 10; ++i) y = ops::tanh(y);
      return y;
    };
    const auto y = kept ? steps({x}) : checkpoint(steps, List<double>{x});
    return Pool<Device>::shared().statistics().bytes_in_use;
  };
  const auto before = Pool<Device>::shared().statistics().bytes_in_use;
  constexpr std::size_t kOne = 64 * 64 * sizeof(double);
  CHECK(use_after(false) - before <= 3 * kOne);
  CHECK(use_after(true) - before >= 10 * kOne);
}

}  // namespace sfumato::tested
