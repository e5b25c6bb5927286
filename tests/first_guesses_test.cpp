// What people who know PyTorch, NumPy or Eigen write at first, a line each: that it compiles, and
// means what they think. docs/first_guesses.md lists what is refused, and why.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "sfumato/sfumato.hpp"

namespace {

using namespace sfumato;
using Floats = std::vector<float>;
using Flags = std::vector<std::uint8_t>;
using Longs = std::vector<std::int64_t>;

template <class T>
std::string text(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace

TEST_CASE("making tensors") {
  CHECK(Tensor<float>::zeros({2, 3}).sum().item() == 0.0F);
  CHECK(Tensor<float>::ones({2, 3}).sum().item() == 6.0F);
  CHECK(Tensor<float>::full({2, 2}, 7.0F)(1, 1) == 7.0F);
  CHECK(Tensor<float>::eye(3).sum().item() == 3.0F);
  CHECK(Tensor<float>::arange(5).to_vector() == Floats{0, 1, 2, 3, 4});
  CHECK(Tensor<float>::arange(0, 1, 0.25F).numel() == 4);
  CHECK(Tensor<float>::empty({4, 5}).numel() == 20);
  CHECK(Tensor<float>{1, 2, 3}.shape() == Shape{3});
  CHECK(Tensor<float>{{1, 2}, {3, 4}}.shape() == Shape{2, 2});
  CHECK(Tensor<float>{{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}(1, 0, 1) == 6.0F);
  CHECK(Tensor<std::int64_t>{0, 1, 1}.to_vector() == Longs{0, 1, 1});
  CHECK(std::is_same_v<decltype(Tensor{{1.0, 2.0}, {3.0, 4.0}}), Tensor<double>>);
  CHECK(std::is_same_v<decltype(Tensor{1.0F, 2.0F}), Tensor<float>>);
  CHECK(Tensor<float>::from(Floats{1, 2, 3, 4}, {2, 2})(1, 0) == 3.0F);
  manual_seed(3);
  const auto first = Tensor<float>::randn({100});
  manual_seed(3);
  CHECK(Tensor<float>::randn({100}).to_vector() == first.to_vector());
  CHECK(Tensor<float>::rand({10}).max().item() < 1.0F);
  Random random(4);
  CHECK(Tensor<double>::rand({10}, random, -2.0, -1.0).max().item() < -1.0);
  CHECK(first.clone().to_vector() == first.to_vector());
  CHECK(Tensor<std::int64_t>::arange(3).cast<float>()(2) == 2.0F);
}

TEST_CASE("looking into tensors") {
  Tensor<float> t{{1, 2, 3}, {4, 5, 6}};
  CHECK(t(0, 1) == 2.0F);
  CHECK(t.at({1, 2}) == 6.0F);
  t(0, 1) = 20.0F;
  CHECK(t(0, 1) == 20.0F);
  CHECK(t[1].to_vector() == Floats{4, 5, 6});
  CHECK(t[-1][0].item() == 4.0F);
  t[0].copy_from(t[1]);
  CHECK(t.to_vector() == Floats{4, 5, 6, 4, 5, 6});
  t[1] *= 10;
  CHECK(t.to_vector() == Floats{4, 5, 6, 40, 50, 60});
  CHECK(t.shape() == Shape{2, 3});
  CHECK(t.shape()[0] == 2);
  CHECK(t.size(0) == 2);
  CHECK(t.size(-1) == 3);
  CHECK(t.rank() == 2);
  CHECK(t.numel() == 6);
  CHECK(t.data()[5] == 60.0F);
  float total = 0.0F;
  for (const float value : t.span()) total += value;
  CHECK(total == 165.0F);
  CHECK(text(t) == "[[ 4.  5.  6.]\n [40. 50. 60.]]");
  CHECK(text(t.shape()) == "(2, 3)");
  CHECK(text(Variable<float>({{1, 2}, {3, 4}})) == "[[1. 2.]\n [3. 4.]]");
}

TEST_CASE("arithmetic of tensors, without a tape") {
  const Tensor<float> a{1, 2, 4};
  const Tensor<float> b{2, 2, 2};
  CHECK((a + b).to_vector() == Floats{3, 4, 6});
  CHECK((a - b).to_vector() == Floats{-1, 0, 2});
  CHECK((a * b).to_vector() == Floats{2, 4, 8});
  CHECK((a / b).to_vector() == Floats{0.5F, 1, 2});
  CHECK((-a).to_vector() == Floats{-1, -2, -4});
  CHECK((a + 1).to_vector() == Floats{2, 3, 5});
  CHECK((1 + a).to_vector() == Floats{2, 3, 5});
  CHECK((a * 0.5).to_vector() == Floats{0.5F, 1, 2});
  CHECK((2.0F * a).to_vector() == Floats{2, 4, 8});
  CHECK((1 - a).to_vector() == Floats{0, -1, -3});
  CHECK((1 / a).to_vector() == Floats{1, 0.5F, 0.25F});
  CHECK((a > b).to_vector() == Flags{0, 0, 1});
  CHECK((a >= 2).to_vector() == Flags{0, 1, 1});
  CHECK((a == b).to_vector() == Flags{0, 1, 0});
  CHECK((a != 1).to_vector() == Flags{0, 1, 1});
  CHECK((a < b).to_vector() == Flags{1, 0, 0});
  Tensor<float> c{1, 2, 3};
  c += a;
  c *= 2;
  c -= 1;
  c /= a;
  CHECK(c.to_vector() == Floats{3, 3.5F, 3.25F});
  CHECK_THROWS_WITH_AS(c *= Tensor<float>::ones({2, 3}),
                       "operator*=: the result (2, 3) does not fit into (3,), whose shape stays",
                       ShapeError);
  CHECK(a.sum().item() == 7.0F);
  CHECK(a.mean().item() == doctest::Approx(7.0 / 3.0));
  CHECK(a.max().item() == 4.0F);
  CHECK(a.min().item() == 1.0F);
  CHECK((Tensor<float>{{1, 2}, {3, 4}} + Tensor<float>{10, 20}).to_vector() ==
        Floats{11, 22, 13, 24});
  CHECK((Tensor<std::int64_t>{7, 8} / 2).to_vector() == Longs{3, 4});
  CHECK((Tensor<std::uint8_t>{7, 255} >= 8).to_vector() == Flags{0, 1});
  CHECK_THROWS_WITH_AS((void)(Tensor<std::uint8_t>{7, 8} < 300),
                       "tensor: 300 is out of range for its integers of 8 bits; cast() it",
                       ValueError);
  CHECK_THROWS_AS((-1 * Tensor<std::uint8_t>{7, 8}), ValueError);
  CHECK((Tensor<float>::ones({300}) == 1).sum().item() == 300);
  CHECK((a > b).cast<float>().mean().item() == doctest::Approx(1.0 / 3.0));
}

TEST_CASE("arithmetic and functions of variables") {
  Variable<float> x({{1, 2}, {3, 4}}, true);
  const Variable<float> y({{5, 6}, {7, 8}});
  CHECK((x + y).value()(0, 0) == 6.0F);
  CHECK((x - y * 2 + 1).value()(1, 1) == -11.0F);
  CHECK((x / y).value()(0, 0) == 0.2F);
  CHECK((-x).value()(0, 1) == -2.0F);
  CHECK((x - Tensor<float>{1, 1}).value().to_vector() == Floats{0, 1, 2, 3});
  CHECK((Tensor<float>{1, 1} * x).requires_grad());
  CHECK((x > 2).to_vector() == Flags{0, 0, 1, 1});
  CHECK((x == y).to_vector() == Flags{0, 0, 0, 0});
  Variable<float> z = x;
  z += y;
  CHECK(z.value()(0, 0) == 6.0F);
  CHECK(x.value()(0, 0) == 1.0F);
  CHECK(x.exp().log().value()(1, 0) == doctest::Approx(3.0));
  CHECK(ops::exp(x).value()(0, 0) == doctest::Approx(std::exp(1.0)));
  CHECK(x.sqrt().value()(1, 1) == 2.0F);
  CHECK(x.square().value()(1, 1) == 16.0F);
  CHECK(x.pow(3).value()(0, 1) == 8.0F);
  CHECK(ops::pow(x, y).value()(0, 1) == 64.0F);
  CHECK((-x).abs().value()(1, 0) == 3.0F);
  CHECK(x.clamp(2, 3).value().to_vector() == Floats{2, 2, 3, 3});
  CHECK(x.sigmoid().value()(0, 0) == doctest::Approx(1.0 / (1.0 + std::exp(-1.0))));
  CHECK(x.tanh().value()(0, 0) == doctest::Approx(std::tanh(1.0)));
  CHECK((x - 2).relu().value().to_vector() == Floats{0, 0, 1, 2});
  CHECK(ops::sin(x).value()(0, 0) == doctest::Approx(std::sin(1.0)));
  CHECK(ops::cos(x).value()(0, 0) == doctest::Approx(std::cos(1.0)));
  CHECK(ops::erf(x).value()(0, 0) == doctest::Approx(std::erf(1.0)));
  CHECK(ops::floor(x / 2).value().to_vector() == Floats{0, 1, 1, 2});
  CHECK(ops::round(x / 4).value().to_vector() == Floats{0, 0, 1, 1});
  CHECK(ops::rsqrt(x).value()(1, 1) == 0.5F);
  CHECK(ops::maximum(x, y).value()(0, 0) == 5.0F);
  CHECK(ops::where(x > 2, x, y).value().to_vector() == Floats{5, 6, 3, 4});
  CHECK(ops::masked_fill(x, x > 2, 0).value().to_vector() == Floats{1, 2, 0, 0});
  CHECK(ops::any(ops::isnan(x)).item() == 0);
  CHECK(ops::all(ops::isfinite(x)).item() == 1);
}

TEST_CASE("reductions") {
  const Variable<float> x({{1, 2, 3}, {4, 5, 9}});
  CHECK(x.sum().item() == 24.0F);
  CHECK(x.sum(0).value().to_vector() == Floats{5, 7, 12});
  CHECK(x.sum({0, 1}).item() == 24.0F);
  CHECK(x.sum(1, true).shape() == Shape{2, 1});
  CHECK(x.mean().item() == 4.0F);
  CHECK(x.mean(-1).value().to_vector() == Floats{2, 6});
  CHECK(x.max().item() == 9.0F);
  CHECK(x.min(0).value().to_vector() == Floats{1, 2, 3});
  CHECK(x.argmax().item() == 5);
  CHECK(x.argmax(1).to_vector() == Longs{2, 2});
  CHECK(ops::argmin(x, 0).to_vector() == Longs{0, 0, 0});
  CHECK(x.var().item() == doctest::Approx(8.0));
  CHECK(x.std(1).value()(0) == doctest::Approx(1.0));
  CHECK(x.prod(1).value().to_vector() == Floats{6, 180});
  CHECK(ops::cumsum(x, 1).value().to_vector() == Floats{1, 3, 6, 4, 9, 18});
  CHECK(Variable<float>({3, 4}).norm().item() == 5.0F);
  CHECK(ops::norm(x, 1).item() == 24.0F);
  CHECK(ops::logsumexp(x, 1).value()(0) == doctest::Approx(3.4076059));
  CHECK(x.softmax(1).sum(1).value()(1) == doctest::Approx(1.0));
  CHECK(ops::log_softmax(x, -1).value()(0, 2) == doctest::Approx(-0.4076059));
}

TEST_CASE("shapes") {
  const Variable<float> x({{1, 2, 3}, {4, 5, 6}});
  CHECK(x.reshape({3, 2}).shape() == Shape{3, 2});
  CHECK(x.reshape({-1}).shape() == Shape{6});
  CHECK(x.flatten().shape() == Shape{6});
  CHECK(x.transpose().value()(2, 0) == 3.0F);
  CHECK(x.transpose(0, 1).shape() == Shape{3, 2});
  CHECK(x.permute({1, 0}).shape() == Shape{3, 2});
  CHECK(x.unsqueeze(0).shape() == Shape{1, 2, 3});
  CHECK(x.unsqueeze(-1).squeeze(-1).shape() == Shape{2, 3});
  CHECK(ops::squeeze(x.unsqueeze(0)).shape() == Shape{2, 3});
  CHECK(x[0].value().to_vector() == Floats{1, 2, 3});
  CHECK(ops::select(x, 1, -1).value().to_vector() == Floats{3, 6});
  CHECK(ops::slice(x, 1, {.start = 1}).value().to_vector() == Floats{2, 3, 5, 6});
  CHECK(ops::cat({x, x}, 0).shape() == Shape{4, 3});
  CHECK(ops::stack({x, x}).shape() == Shape{2, 2, 3});
  CHECK(ops::split(x, 2, 1)[1].shape() == Shape{2, 1});
  CHECK(ops::chunk(x, 2, 0)[1].value().to_vector() == Floats{4, 5, 6});
  CHECK(ops::flip(x, 1).value().to_vector() == Floats{3, 2, 1, 6, 5, 4});
  CHECK(ops::roll(x, 1, 1).value().to_vector() == Floats{3, 1, 2, 6, 4, 5});
  CHECK(ops::repeat(x, {2, 1}).shape() == Shape{4, 3});
  CHECK(ops::broadcast_to(Variable<float>({1, 2, 3}), {2, 3}).shape() == Shape{2, 3});
  CHECK(ops::pad(x, {1, 1}).shape() == Shape{2, 5});
  CHECK(ops::gather(x, 1, {{0, 1}, {2, 2}}).value().to_vector() == Floats{1, 2, 6, 6});
  CHECK(ops::index_select(x, 1, {0, 2}).value().to_vector() == Floats{1, 3, 4, 6});
  CHECK(ops::one_hot(Tensor<std::int64_t>{2, 0}, 3).to_vector() == Floats{0, 0, 1, 1, 0, 0});
  CHECK(x.size(1) == 3);
  CHECK(x.numel() == 6);
  CHECK(x.shape() == Shape{2, 3});
}

TEST_CASE("products") {
  const Variable<float> a({{1, 2}, {3, 4}});
  const Variable<float> v({1, -1});
  CHECK(ops::matmul(a, a).value().to_vector() == Floats{7, 10, 15, 22});
  CHECK(a.matmul(a.transpose()).value()(0, 0) == 5.0F);
  CHECK(a.matmul(v).value().to_vector() == Floats{-1, -1});
  CHECK(ops::matmul(v, v).item() == 2.0F);
  CHECK(ops::mv(a, v).value().to_vector() == Floats{-1, -1});
  CHECK(ops::dot(v, v).item() == 2.0F);
  CHECK(ops::outer(v, v).value().to_vector() == Floats{1, -1, -1, 1});
  CHECK(ops::solve(a, v.unsqueeze(1)).value()(0, 0) == doctest::Approx(-3.0));
  CHECK(ops::cholesky(Variable<float>({{4, 2}, {2, 2}})).value().to_vector() == Floats{2, 0, 1, 1});
}

TEST_CASE("gradients") {
  Variable<float> x({1, 2, 3}, true);
  x.square().sum().backward();
  CHECK(x.grad().value().to_vector() == Floats{2, 4, 6});
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  backward(ops::sum(x * x));
  CHECK(x.grad().value().to_vector() == Floats{2, 4, 6});
  const auto g = grad({(x * x * x).sum()}, {x}, {.create_graph = true})[0];
  CHECK(grad({g.sum()}, {x})[0].value().to_vector() == Floats{6, 12, 18});
  {
    NoGrad guard;
    CHECK_FALSE((x * 2).requires_grad());
  }
  CHECK((x * 2).requires_grad());
  CHECK_FALSE(x.detach().requires_grad());
  CHECK(x.is_leaf());
  CHECK(gradcheck([](const auto& in) { return ops::sum(ops::exp(in[0])); },
                  std::vector{Variable<double>({1.0, 2.0}, true)}));
}

TEST_CASE("layers and networks") {
  const Variable<float> images(Tensor<float>::rand({2, 3, 8, 8}));
  CHECK(nn::Linear(4, 2)(Variable<float>(Tensor<float>::rand({5, 4}))).shape() == Shape{5, 2});
  CHECK(nn::Conv2d(3, 6, 3)(images).shape() == Shape{2, 6, 6, 6});
  CHECK(nn::Conv2d(3, 6, 3, {.stride = 2, .padding = 1})(images).shape() == Shape{2, 6, 4, 4});
  CHECK(nn::Conv2d<float>(3, 6, {3, 5})(images).shape() == Shape{2, 6, 6, 4});
  CHECK(nn::MaxPool2d(2)(images).shape() == Shape{2, 3, 4, 4});
  CHECK(nn::MaxPool2d(3, 2)(images).shape() == Shape{2, 3, 3, 3});
  CHECK(nn::AvgPool2d({.kernel = 4})(images).shape() == Shape{2, 3, 2, 2});
  CHECK(nn::AdaptiveAvgPool2d(1)(images).shape() == Shape{2, 3, 1, 1});
  CHECK(nn::Flatten()(images).shape() == Shape{2, 192});
  CHECK(nn::BatchNorm2d(3)(images).shape() == images.shape());
  CHECK(nn::GroupNorm(3, 3)(images).shape() == images.shape());
  CHECK(nn::InstanceNorm2d(3)(images).shape() == images.shape());
  CHECK(nn::LayerNorm({8, 8})(images).shape() == images.shape());
  CHECK(nn::Upsample({.scale_factor = 2})(images).shape() == Shape{2, 3, 16, 16});
  CHECK(nn::Dropout(0.5)(images).shape() == images.shape());
  CHECK(nn::ReLU()(images).shape() == images.shape());
  CHECK(nn::GELU()(images).shape() == images.shape());
  CHECK(nn::Sigmoid()(images).shape() == images.shape());
  CHECK(nn::Softmax(1)(images).shape() == images.shape());
  nn::Sequential model{nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 2)};
  CHECK(model(Variable<float>(Tensor<float>::rand({5, 4}))).shape() == Shape{5, 2});
  CHECK(model.parameters().size() == 4);
  CHECK(model.named_parameters()[0].first == "0.weight");
  CHECK(model.get_parameter("2.bias").shape() == Shape{2});
  model.eval();
  CHECK_FALSE(model.training());
  model.train();
  model.push_back(nn::Tanh());
  CHECK(model.size() == 4);
  CHECK_FALSE(summary(model).empty());
  nn::Sequential same{nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 2), nn::Tanh()};
  same.load_state_dict(model.state_dict());
  CHECK(same.parameters()[0].value().to_vector() == model.parameters()[0].value().to_vector());
  CHECK(ops::max_pool2d(images, 2).shape() == Shape{2, 3, 4, 4});
  CHECK(ops::interpolate(images, {.size = {4, 4}, .mode = ops::Interpolation::kBilinear}).size(3) ==
        4);
}

TEST_CASE("losses and optimisers") {
  const Variable<float> logits({{2, 1}, {0, 3}}, true);
  const Tensor<std::int64_t> labels{0, 1};
  CHECK(losses::cross_entropy(logits, labels).item() == doctest::Approx(0.18092));
  CHECK(losses::nll_loss(ops::log_softmax(logits), labels).item() == doctest::Approx(0.18092));
  CHECK(losses::mse_loss(logits, Variable<float>({{2, 1}, {0, 1}})).item() == 1.0F);
  CHECK(losses::l1_loss(logits, Variable<float>({{2, 1}, {0, 1}})).item() == 0.5F);
  CHECK(losses::huber_loss(logits, Variable<float>({{2, 1}, {0, 1}})).item() == 0.375F);

  nn::Linear layer(2, 1);
  optim::SGD sgd(layer.parameters(), {.learning_rate = 0.1, .momentum = 0.9});
  optim::Adam adam(layer.parameters(), {.learning_rate = 1e-3});
  optim::AdamW adam_w(layer.parameters(), {.weight_decay = 0.01});
  optim::RMSprop rms_prop(layer.parameters(), {.learning_rate = 0.01});
  const Variable<float> x({{1, 2}, {3, 4}, {5, 6}});
  const Variable<float> y(Tensor<float>{3, 7, 11}.reshape({3, 1}));
  float loss = 0.0F;
  for (int step = 0; step < 200; ++step) {
    adam.zero_grad();
    const auto error = losses::mse_loss(layer(x), y);
    error.backward();
    optim::clip_grad_norm(layer.parameters(), 10.0);
    adam.step();
    loss = error.item();
  }
  CHECK(loss < 30.0F);
  const auto before = layer.parameters()[0].value().clone();
  sgd.zero_grad();
  layer(x).sum().backward();
  sgd.step();
  CHECK((layer.parameters()[0].value() - before + Tensor<float>{{0.9F, 1.2F}}).sum().item() ==
        doctest::Approx(0.0).epsilon(1e-5));
}
