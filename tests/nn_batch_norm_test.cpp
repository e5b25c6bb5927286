// BatchNorm2d, the module with buffers: values and running statistics as PyTorch 2.15 has them, the
// state dictionary, checkpoints, and derivatives.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::nn_batch_norm {

namespace {

template <class T>
using BatchNorm2d = sfumato::nn::BatchNorm2d<T, Device>;

/// x[n, c, i, j] = (element² mod 11) / 4.
Variable<double> batch() {
  std::vector<double> values;
  for (int i = 0; i < 24; ++i) values.push_back(0.25 * (i * i % 11));
  return Variable<double>(Tensor<double>::from(values, {2, 3, 2, 2}), true);
}

Tensor<double> state(const nn::Module<double>& module, const std::string& name) {
  return module.state_dict().at(name);
}

void check_close(const Tensor<double>& found, const std::vector<double>& expected) {
  const auto values = found.to_vector();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(1e-9));
  }
}

}  // namespace

TEST_CASE("batches are normalised as in PyTorch, and running statistics follow") {
  BatchNorm2d<double> norm(3);
  const auto y = norm(batch());
  // Each channel by hand.
  const auto x = batch().value().to_vector();
  std::vector<double> means;
  std::vector<double> unbiased;
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t k = 0; k < 8; ++k) sum += x[k / 4 * 12 + c * 4 + k % 4];
    const double mean = sum / 8.0;
    for (std::size_t k = 0; k < 8; ++k) {
      squares += std::pow(x[k / 4 * 12 + c * 4 + k % 4] - mean, 2.0);
    }
    for (std::size_t k = 0; k < 8; ++k) {
      const std::size_t i = k / 4 * 12 + c * 4 + k % 4;
      CHECK(y.value().to_vector()[i] ==
            doctest::Approx((x[i] - mean) / std::sqrt(squares / 8.0 + 1e-5)).epsilon(1e-9));
    }
    means.push_back(0.1 * mean);
    unbiased.push_back(0.9 + 0.1 * squares / 7.0);
  }
  check_close(state(norm, "running_mean"), means);
  check_close(state(norm, "running_var"), unbiased);
  check_close(state(norm, "num_batches_tracked"), {1.0});
  // Used, it stands on these, and does not change them.
  norm.eval();
  const auto used = norm(batch()).value().to_vector();
  CHECK(used[0] == doctest::Approx((x[0] - means[0]) / std::sqrt(unbiased[0] + 1e-5)));
  check_close(state(norm, "num_batches_tracked"), {1.0});
}

TEST_CASE("buffers are saved and restored with the parameters, and are no parameters") {
  BatchNorm2d<double> learnt(3);
  learnt(batch());
  learnt(batch());
  CHECK(learnt.parameters().size() == 2);
  CHECK(learnt.named_buffers().size() == 3);
  CHECK(learnt.named_buffers()[1].first == "running_var");
  CHECK_FALSE(learnt.named_buffers()[1].second.requires_grad());
  learnt.freeze();
  learnt.unfreeze();
  CHECK_FALSE(learnt.named_buffers()[0].second.requires_grad());
  BatchNorm2d<double> fresh(3);
  fresh.load_state_dict(learnt.state_dict());
  learnt.eval();
  fresh.eval();
  CHECK(fresh(batch()).value().to_vector() == learnt(batch()).value().to_vector());
  auto incomplete = learnt.state_dict();
  incomplete.erase("running_var");
  CHECK(complaint([&] { fresh.load_state_dict(incomplete); }) ==
        "load_state_dict: missing running_var");
}

TEST_CASE("derivatives of batch normalisation, in training and in use") {
  BatchNorm2d<double> norm(3);
  const auto function = [&](const std::vector<Variable<double>>& in) { return norm(in[0]); };
  for (const bool training : {true, false}) {
    norm.train(training);
    const auto first = gradcheck(function, std::vector{batch()});
    CHECK_MESSAGE(first.passed, first.report);
    const auto second = gradgradcheck(function, std::vector{batch()}, {.tolerance = 1e-5});
    CHECK_MESSAGE(second.passed, second.report);
  }
}

TEST_CASE("derivatives of batch normalisation in training, of weight and bias as well") {
  const Variable<double> weight(Tensor<double>{0.5, -2.0, 1.5}, true);
  const Variable<double> bias(Tensor<double>{1.0, 0.25, -3.0}, true);
  const auto function = [](const std::vector<Variable<double>>& in) {
    return ops::detail::batch_norm_in_training(in[0], ops::detail::channel_moments(in[0]), in[1],
                                               in[2], 1e-2);
  };
  const auto first = gradcheck(function, std::vector{batch(), weight, bias});
  CHECK_MESSAGE(first.passed, first.report);
  const auto second =
      gradgradcheck(function, std::vector{batch(), weight, bias}, {.tolerance = 1e-5});
  CHECK_MESSAGE(second.passed, second.report);
  // Recorded or not, they are the same; also where some are not asked for.
  const auto slopes = [&](const Variable<double>& x, const Variable<double>& factor,
                          bool create_graph) {
    const auto y = function({x, factor, bias});
    return grad({ops::sum(y * y * y)}, {bias, x.requires_grad() ? x : factor},
                {.create_graph = create_graph})[1];
  };
  for (const bool of_images : {true, false}) {
    const auto x = of_images ? batch() : batch().detach();
    const auto factor = of_images ? weight.detach() : weight;
    check_close(slopes(x, factor, false).value(), slopes(x, factor, true).value().to_vector());
  }
}

TEST_CASE_TEMPLATE("16-bit images are normalised in float and rounded once", S, Half, BFloat16) {
  // Their mean, 301.3, is rounded by 0.7 in BFloat16, which is most of the deviation from it.
  std::vector<S> values;
  std::vector<double> wide;
  for (int i = 0; i < 24; ++i) {
    values.push_back(static_cast<S>(300.0F + static_cast<float>(2 * (i * i % 3))));
    wide.push_back(static_cast<double>(static_cast<float>(values.back())));
  }
  BatchNorm2d<S> norm(1);
  BatchNorm2d<double> exact(1);
  const auto found = norm(Variable<S>(Tensor<S>::from(values, {2, 1, 3, 4}))).value().to_vector();
  const auto expected =
      exact(Variable<double>(Tensor<double>::from(wide, {2, 1, 3, 4}))).value().to_vector();
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(std::abs(static_cast<double>(static_cast<float>(found[i])) - expected[i]) < 0.005);
  }
}

TEST_CASE("a checkpoint that computes a batch again counts it once") {
  BatchNorm2d<double> plain(3);
  BatchNorm2d<double> again(3);
  const auto x = batch();
  backward(ops::sum(ops::square(plain(x))));
  const auto expected = x.grad().value().to_vector();
  Variable<double>(x).zero_grad();
  backward(ops::sum(ops::square(checkpoint([&](const auto& in) { return again(in[0]); }, {x}))));
  check_close(state(again, "num_batches_tracked"), {1.0});
  CHECK(state(again, "running_mean").to_vector() == state(plain, "running_mean").to_vector());
  check_close(x.grad().value(), expected);
  check_close(again.parameters()[0].grad().value(),
              plain.parameters()[0].grad().value().to_vector());
}

TEST_CASE("batch normalisation says what does not fit") {
  BatchNorm2d<double> norm(3);
  const auto with = [&](const Shape& shape) {
    return complaint([&] { norm(Variable<double>(Tensor<double>::zeros(shape))); });
  };
  CHECK(with({2, 4, 2, 2}) == "BatchNorm2d: (2, 4, 2, 2) must be images (n, 3, h, w)");
  CHECK(with({3}) == "BatchNorm2d: (3,) must be images (n, 3, h, w)");
  CHECK(with({1, 3, 1, 1}) ==
        "BatchNorm2d: one value a channel in (1, 3, 1, 1) has no variance; call eval() to use "
        "what has been learnt");
}

}  // namespace sfumato::tested::nn_batch_norm
