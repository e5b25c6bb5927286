// The parts of examples/distill_vgg19.cpp, with small networks of random weights.

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "../examples/distillation.hpp"
#include "../examples/training_pictures.hpp"

using namespace sfumato;
using namespace examples;

namespace {

Tensor<float> images(std::uint64_t seed, std::int64_t count = 1) {
  Random random(seed);
  return Tensor<float>::normal({count, 3, 32, 32}, random);
}

}  // namespace

TEST_CASE("channels that stand for others are selected first, no channel twice") {
  // Channel 2 is nearly twice channel 0, channel 1 stands alone and is weak.
  Eigen::MatrixXd features(4, 3);
  features << 1, 0, 2, 0, 1, 0, 0.5, 0, 1, 0.1, 0, 0;
  CHECK(select_channels(features.transpose() * features, 3) == std::vector<Eigen::Index>{2, 1, 0});
}

TEST_CASE("a student as wide as its teacher is the teacher") {
  Random random(1);
  const nn::VggOptions options{.widths = {4, 4, 4, 4, 4}};
  Network teacher(options, random);
  std::vector<Tensor<float>> batches;
  for (std::uint64_t seed = 0; seed < 24; ++seed) batches.push_back(images(seed));
  Student student(options, Random(2));
  no_grad([&] { fit_student(teacher, batches, student); });
  const auto layers = convolution_layers(teacher);
  CHECK(layers.size() == 16);
  const auto x = Variable<float>(images(100));
  // conv3_1; behind it, too few positions are left to tell weights apart.
  const auto full = teacher.taps(x, {layers[4]})[0];
  const auto slim = student.network.taps(x, {layers[4]})[0];
  const TapLoss loss = tap_loss(full, slim, student.projections[4], true);
  CHECK(loss.features.item() < 0.01F);
  CHECK(loss.gram.item() < 0.01F);
}

TEST_CASE(
    "a tap's losses are 0 for a turned and scaled copy, and its Gram matrix is the decoded one") {
  Random random(4);
  const Variable<float> slim(Tensor<float>::normal({2, 2, 3, 3}, random));
  const Variable<float> projection(
      Tensor<float>::from({0.0F, 2.0F, 2.0F, 0.0F, 0.0F, 0.0F}, {3, 2}));
  const auto decoded =
      ops::reshape(ops::matmul(projection, ops::reshape(slim, {2, 2, 9})), {2, 3, 3, 3});
  const TapLoss none = tap_loss(decoded, slim, projection, true);
  CHECK(none.features.item() == doctest::Approx(0.0).epsilon(1e-5));
  CHECK(none.gram.item() < 1e-10F);
  CHECK(none.similarity.item() < 1e-10F);
  CHECK_FALSE(tap_loss(decoded, slim, projection, false).gram.defined());

  const Variable<float> skew(Tensor<float>::from({1.0F, 1.0F, 0.0F, 0.0F, 0.0F, 0.0F}, {3, 2}));
  const TapLoss some = tap_loss(decoded, slim, skew, true);
  CHECK(some.similarity.item() == doctest::Approx(1.0));  // (1 1; 1 1) - 1, squares over 2
  CHECK(some.features.item() > 0.1F);
  CHECK(some.gram.item() > 0.1F);
}

TEST_CASE(
    "balancing gives every ReLU the mean 1 and leaves the last features alone but for scale") {
  Random random(5);
  Network network({.widths = {4, 6, 4, 6, 4}}, random);
  network.freeze();
  const auto x = Variable<float>(images(6, 2));
  const auto last = convolution_layers(network).back();
  const auto before = network.taps(x, {last})[0].value().to_vector();
  auto lengths = uniform_lengths(network);
  for (auto& length : lengths) length[0] = 3.0;
  balance(network, lengths, {x.value()});
  for (const std::size_t layer : convolution_layers(network)) {
    CHECK(ops::mean(network.taps(x, {layer + 1})[0]).item() == doctest::Approx(1.0).epsilon(1e-3));
  }
  const auto after = network.taps(x, {last})[0].value().to_vector();
  const std::size_t plane = after.size() / 8;  // 2 images of 4 channels
  const float first = after[0] / before[0];
  const float second = after[plane] / before[plane];
  CHECK(first == doctest::Approx(3.0F * second).epsilon(1e-3));
  CHECK(after[1] == doctest::Approx(first * before[1]).epsilon(1e-3));
}

TEST_CASE("crops are inside their picture, the same for the same seed, and keep their colours") {
  auto picture = Tensor<std::uint8_t>::empty({50, 90, 3});
  for (std::int64_t i = 0; i < picture.elements(); ++i) {
    picture.data()[i] = static_cast<std::uint8_t>(i % 3 == 0 ? 255 : 0);
  }
  Random one(7);
  Random two(7);
  const auto crops = random_crops({picture}, 3, 32, false, one);
  CHECK(crops.shape() == Shape{3, 3, 32, 32});
  CHECK(crops.to_vector() == random_crops({picture}, 3, 32, false, two).to_vector());
  CHECK(style::denormalize(crops.reshape({1, 3, 96, 32})).shape() == Shape{96, 32, 3});
  CHECK(crops.at({2, 0, 31, 31}) == doctest::Approx((1.0 - 0.485) / 0.229));
  CHECK(crops.at({2, 1, 0, 0}) == doctest::Approx(-0.456 / 0.224));
  const auto jittered = random_crops({picture}, 1, 32, true, one);
  CHECK(jittered.to_vector() != random_crops({picture}, 1, 32, false, two).to_vector());
}

TEST_CASE("correlation") {
  CHECK(correlation({1, 2, 3}, {10, 20, 30}) == doctest::Approx(1.0));
  CHECK(correlation({1, 2, 3}, {3, 2, 1}) == doctest::Approx(-1.0));
  CHECK(correlation({1, 2, 3, 4}, {1, -1, -1, 1}) == doctest::Approx(0.0));
}
