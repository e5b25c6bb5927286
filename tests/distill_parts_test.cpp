// The parts of weights/distill/distill_vgg19.cpp, with small networks of random weights.

#include <doctest/doctest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "../weights/distill/channel_scales.hpp"
#include "../weights/distill/distillation.hpp"
#include "../weights/distill/least_squares_student.hpp"
#include "../weights/distill/loss_scales.hpp"
#include "../weights/distill/neighbor_loss.hpp"
#include "../weights/distill/painted_pictures.hpp"
#include "../weights/distill/training_pictures.hpp"
#include "sfumato/io/safetensors.hpp"
#include "support/temporary_directory.hpp"

using namespace sfumato;
using namespace distill;

namespace {

Tensor<float> images(std::uint64_t seed, std::int64_t count = 1) {
  Random random(seed);
  return Tensor<float>::randn({count, 3, 32, 32}, random);
}

}  // namespace

TEST_CASE("channels that stand for others are selected first, no channel twice") {
  // Channel 2 is nearly twice channel 0, channel 1 stands alone and is weak.
  Eigen::MatrixXd features(4, 3);
  features << 1, 0, 2, 0, 1, 0, 0.5, 0, 1, 0.1, 0, 0;
  const Eigen::MatrixXd gram = features.transpose() * features;
  using Indices = std::vector<Eigen::Index>;
  CHECK(select_channels(gram, Eigen::MatrixXd::Identity(3, 3), 3) == Indices{2, 1, 0});
  // Unless the next layer looks at nothing but channel 1.
  const Eigen::Vector3d metric(0, 1, 0);
  CHECK(select_channels(gram, metric.asDiagonal().toDenseMatrix(), 3)[0] == 1);
}

TEST_CASE("a convolution is sensitive to changes by the squares of its outputs' changes") {
  Random random(16);
  const auto weight = Tensor<float>::randn({5, 2, 3, 3}, random);
  const Eigen::MatrixXd form = sensitivity(weight);
  // An impulse in both channels meets each filter tap once, so outputs' squares sum to the form.
  auto impulse = Tensor<float>::zeros({1, 2, 5, 5});
  impulse.set({0, 0, 2, 2}, 2.0F);
  impulse.set({0, 1, 2, 2}, -3.0F);
  const auto outputs = ops::conv2d(Variable<float>(impulse), Variable<float>(weight),
                                   Variable<float>(Tensor<float>::zeros({5})), {.padding = 1});
  const Eigen::Vector2d change(2, -3);
  CHECK(ops::sum(ops::square(outputs)).item() ==
        doctest::Approx(change.dot(form * change)).epsilon(1e-4));
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
  const auto full = teacher.features(x, {layers[4]})[0];
  const auto slim = student.network.features(x, {layers[4]})[0];
  const TapLoss loss = tap_loss(full, slim, student.projections[4], true);
  CHECK(loss.features.item() < 0.01F);
  CHECK(loss.gram.item() < 0.01F);
}

TEST_CASE(
    "a tap's losses are 0 for a turned and scaled copy, and its Gram matrix is the decoded one") {
  Random random(4);
  const Variable<float> slim(Tensor<float>::randn({2, 2, 3, 3}, random));
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
  const auto before = network.features(x, {last})[0].value().to_vector();
  auto lengths = uniform_lengths(network);
  for (auto& length : lengths) length[0] = 3.0;
  balance(network, lengths, {x.value()});
  for (const std::size_t layer : convolution_layers(network)) {
    CHECK(ops::mean(network.features(x, {layer + 1})[0]).item() ==
          doctest::Approx(1.0).epsilon(1e-3));
  }
  const auto after = network.features(x, {last})[0].value().to_vector();
  const std::size_t plane = after.size() / 8;  // 2 images of 4 channels
  const float first = after[0] / before[0];
  const float second = after[plane] / before[plane];
  CHECK(first == doctest::Approx(3.0F * second).epsilon(1e-3));
  CHECK(after[1] == doctest::Approx(first * before[1]).epsilon(1e-3));
}

TEST_CASE("balancing a student leaves what its projections decode alone") {
  Random random(8);
  Student student({.widths = {4, 6, 4, 6, 4}}, Random(9));
  const auto layers = convolution_layers(student.network);
  for (const auto& [name, bias] : student.network.named_parameters()) {
    if (bias.rank() != 1) continue;
    student.projections.emplace_back(Tensor<float>::randn({8, bias.numel()}, random), true);
  }
  const auto x = Variable<float>(images(10));
  const auto decoded = [&] {
    const auto features = student.network.features(x, {layers[4]})[0];
    return ops::matmul(student.projections[4], ops::reshape(features, {1, 4, -1})).detach();
  };
  const auto before = decoded();
  auto lengths = uniform_lengths(student.network);
  lengths[4][1] = 5.0;
  balance(student, lengths, {x.value()});
  CHECK(losses::mse_loss(decoded(), before).item() < 1e-8F * ops::mean(ops::square(before)).item());
}

TEST_CASE("places look alike to two networks whose features are turned and scaled alike") {
  Random random(16);
  const Variable<float> full(Tensor<float>::randn({2, 3, 8, 12}, random));
  // Channels are exchanged and one is turned over, which keeps angles; a scale does, too.
  const Variable<float> turned = ops::cat(
      {ops::slice(full, 1, {.start = 2}) * -2.0F, ops::slice(full, 1, {.stop = 2}) * 2.0F}, 1);
  for (const std::int64_t apart : {1, 2, 4}) {
    CHECK(neighbor_loss(full, turned, apart, Random(17)).item() < 1e-10F);
  }
  // Where a channel is missing, angles change: by less than the cosines' own squares.
  Variable<float> less(ops::slice(full, 1, {.stop = 2}).value(), true);
  const auto loss = neighbor_loss(full, less, 2, Random(17));
  CHECK(loss.item() > 0.1F);
  CHECK(loss.item() < 1.0F);
  backward(loss);
  CHECK(ops::sum(ops::square(Variable<float>(less.grad()))).item() > 0.0F);
}

TEST_CASE(
    "pictures that are being painted change, and go on from a saved state as they would have") {
  Random pixels(13);
  std::vector<Tensor<std::uint8_t>> pictures;
  for (int i = 0; i < 3; ++i) {
    auto picture = Tensor<std::uint8_t>::empty({40, 40, 3});
    for (std::int64_t k = 0; k < picture.numel(); ++k) {
      picture.data()[k] = static_cast<std::uint8_t>(pixels.below(256));
    }
    pictures.push_back(picture);
  }
  const PaintedPictures::Options options{
      .groups = 2, .group_size = 2, .size = 32, .shortest_life = 2, .longest_life = 3};
  Random random(14);
  Network network({.widths = {4, 4, 4, 4, 4}}, random);
  // The groups take turns with these.
  const std::vector<style::ObjectiveOptions> objectives{
      {}, style::method(style::StyleLoss::kNeighbors).transfer.objective};
  PaintedPictures painted(pictures, options);
  const auto first = painted.next(network, objectives, random);
  CHECK(first.shape() == Shape{2, 3, 32, 32});
  painted.next(network, objectives, random);
  CHECK(painted.next(network, objectives, random).to_vector() != first.to_vector());
  CHECK(network.parameters()[0].requires_grad());

  PaintedPictures again(pictures, options);
  again.load_state(painted.state());
  Random one(15);
  Random two(15);
  for (int turn = 0; turn < 7; ++turn) {
    CHECK(painted.next(network, objectives, one).to_vector() ==
          again.next(network, objectives, two).to_vector());
  }
}

TEST_CASE("crops are inside their picture, the same for the same seed, and keep their colours") {
  auto picture = Tensor<std::uint8_t>::empty({50, 90, 3});
  for (std::int64_t i = 0; i < picture.numel(); ++i) {
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

TEST_CASE("loss scales make a network's losses those of another, and outlive a file") {
  Random random(17);
  Network full({.widths = {4, 4, 4, 4, 4}}, random);
  auto state = full.state_dict();
  // The same network with conv5_1, the last layer that counts, twice as active.
  for (const char* const name : {"features.28.weight", "features.28.bias"}) {
    auto doubled = state.at(name).clone();
    for (std::int64_t i = 0; i < doubled.numel(); ++i) doubled.data()[i] *= 2.0F;
    state[name] = doubled;
  }
  Network slim({.widths = {4, 4, 4, 4, 4}}, state);
  const std::vector<Tensor<float>> pictures{images(18), images(19)};
  const auto own = measure_loss_scales(full, full, pictures);
  auto scales = measure_loss_scales(full, slim, pictures);
  const auto& deepest = scales.style.at("conv5_1");
  CHECK(deepest.full == doctest::Approx(own.style.at("conv5_1").full));
  CHECK(deepest.slim == doctest::Approx(4.0 * deepest.full));  // a distance of squares
  for (const char* const name : {"conv4_1", "relu4_1", "relu1_1"}) {
    CHECK(scales.style.at(name).slim == doctest::Approx(scales.style.at(name).full));
  }
  for (const char* const name : {"conv4_2", "conv4_4", "relu4_2", "relu4_4"}) {
    CHECK(scales.content.at(name) == doctest::Approx(1.0));
  }
  // Between these two pictures, all style losses are alike, and their sum is the full network's.
  const auto losses = [&](Network& network, const LossScales& weights,
                          const std::vector<std::string>& layers) {
    style::ObjectiveOptions options{.style_layers = layers, .style_weight = 1.0};
    weights.apply_to(options, network);
    const auto objective = style::gatys_objective(network, pictures[0], pictures[1], options);
    std::vector<double> all;
    for (const auto& loss :
         no_grad([&] { return objective(Variable<float>(pictures[0])); }).of("style")) {
      all.push_back(static_cast<double>(loss.item()));
    }
    return all;
  };
  // So it is for ReLUs as for convolutions, by name or number, and for some of them.
  for (const std::vector<std::string>& layers : {style::ObjectiveOptions{}.style_layers,
                                                 {"0", "conv2_1", "10", "conv4_1", "conv5_1"},
                                                 {"1", "28"}}) {
    const auto slim_losses = losses(slim, scales, layers);
    const auto full_losses = losses(full, {}, layers);
    CHECK(slim_losses.front() == doctest::Approx(slim_losses.back()).epsilon(1e-3));
    const double sum = std::accumulate(full_losses.begin(), full_losses.end(), 0.0);
    CHECK(static_cast<double>(layers.size()) * slim_losses[1] ==
          doctest::Approx(sum).epsilon(1e-3));
  }

  const TemporaryDirectory folder;
  const auto path = folder.path() / "slim.safetensors";
  scales.total_variation = 3.0;
  scales.neighbors_total_variation = 5.0;
  io::write_safetensors(path, slim.state_dict(), io::StoredType::kF32, to_metadata(scales));
  const LossScales read = style::loss_scales_of(path);
  CHECK(read.style == scales.style);
  CHECK(read.content == scales.content);
  CHECK(read.total_variation == 3.0);
  style::ObjectiveOptions options{.tv_weight = 10.0};
  read.apply_to(options, slim);
  CHECK(options.tv_weight == 30.0);
  style::ObjectiveOptions neighbors{.tv_weight = 10.0, .style_loss = style::StyleLoss::kNeighbors};
  read.apply_to(neighbors, slim);
  CHECK(neighbors.tv_weight == 50.0);
  io::write_safetensors(path, slim.state_dict(), io::StoredType::kF32,
                        {{"total_variation_scale", "8"}});
  CHECK(style::loss_scales_of(path).neighbors_total_variation == 8.0);
  io::write_safetensors(path, slim.state_dict());
  CHECK(style::loss_scales_of(path).style.empty());
  for (const char* const text : {"", "fast", "0", "-1", "inf", "1x"}) {
    CAPTURE(text);
    io::write_safetensors(path, slim.state_dict(), io::StoredType::kF32,
                          {{"style_distance_slim conv1_1", text}});
    CHECK_THROWS_AS(style::loss_scales_of(path), IoError);
  }
  io::write_safetensors(path, slim.state_dict(), io::StoredType::kF32,
                        {{"style_scale conv1_1", "1"}});
  CHECK_THROWS_WITH_AS(style::loss_scales_of(path), doctest::Contains("older distill_vgg19"),
                       IoError);
}
