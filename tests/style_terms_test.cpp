// Style transfer with terms of one's own, and with a network that is no VGG.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::style_terms {

namespace {

using ResNet = sfumato::nn::ResNet<float, Device>;
static_assert(sfumato::style::FeatureExtractor<nn::Vgg<float>, float>);
static_assert(sfumato::style::FeatureExtractor<nn::Vgg<BFloat16>, float>);
static_assert(sfumato::style::FeatureExtractor<ResNet, float>);

Tensor<float> image(std::uint64_t seed, std::int64_t height = 32, std::int64_t width = 48) {
  Random random(seed);
  return Tensor<float>::randn({1, 3, height, width}, random);
}

}  // namespace

TEST_CASE("terms of one's own, of a layer and of the picture, are minimised") {
  Random random(1);
  nn::Vgg<float> network({.widths = {8, 8, 8, 8, 8}}, random);
  network.freeze();
  using Objective = sfumato::style::Objective<nn::Vgg<float>, float>;
  const Objective::FeatureTerm loud{.layer = "relu2_1",
                                    .target = Variable<float>(Tensor<float>::scalar(2.0F)),
                                    .weight = 3.0,
                                    .kind = "loud",
                                    .loss = [](const auto& features, const auto& target) {
                                      return ops::square(ops::mean(features) - target);
                                    }};
  const Objective::PictureTerm grey{
      .weight = 0.5, .kind = "grey", .loss = [](const auto& picture, const auto&) {
        return ops::mean(ops::square(picture));
      }};
  const Objective objective(network, {loud}, {grey});
  const Variable<float> start(image(2));
  const auto losses = objective(start);
  CHECK(losses.kinds == std::vector<std::string>{"grey", "loud"});
  const float features =
      ops::mean(network.features(start, {network.layer_index("relu2_1")})[0]).item();
  CHECK(losses.of("loud")[0].item() ==
        doctest::Approx(3.0F * (features - 2.0F) * (features - 2.0F)));
  CHECK(losses.of("grey")[0].item() ==
        doctest::Approx(0.5F * ops::mean(ops::square(start)).item()));
  CHECK(losses.of("style").empty());
  CHECK(losses.total.item() == doctest::Approx(losses.terms[0].item() + losses.terms[1].item()));
  const auto result = style::minimize(objective, start.value(), {.iterations = 8});
  CHECK(result.history.size() == 8);
  CHECK(result.history.back().total < result.history.front().total);
  CHECK(result.history[0].loss("loud") == doctest::Approx(losses.terms[1].item()));
  CHECK(result.history[0].loss("style") == 0.0);
  CHECK(complaint([&] { Objective(network, {}, {}); }) ==
        "style transfer: an objective needs at least one term");
  CHECK(complaint([&] { Objective(network, {{.layer = "relu1_1"}}, {}); }) ==
        "style transfer: the term of layer 'relu1_1' has no loss");
  CHECK(complaint([&] {
          auto elsewhere = loud;
          elsewhere.layer = "relu9_9";
          Objective(network, {elsewhere}, {});
        }).starts_with("Vgg: there is no layer 'relu9_9'"));
}

TEST_CASE("who looks on sees the loss of each term, and the picture that comes out") {
  Random random(5);
  nn::Vgg<float> network({.widths = {8, 8, 8, 8, 8}}, random);
  const Tensor<float> content = image(6, 40, 33);  // painted larger, and cut off
  const style::ObjectiveOptions layers{.content_layers = {"relu2_1"},
                                       .style_layers = {"relu1_1", "relu3_1"}};
  Tensor<float> last;
  std::int64_t seen = 0;
  const auto result =
      style::transfer(network, content, image(7), content, {.objective = layers, .iterations = 2},
                      [&](const auto& now) {
                        last = now.picture().clone();
                        CHECK(now.terms.size() == 4);
                        CHECK(now.terms.at("content relu2_1") == now.loss("content"));
                        CHECK(now.terms.at("tv") == now.loss("tv"));
                        CHECK(now.terms.at("style relu1_1") + now.terms.at("style relu3_1") ==
                              doctest::Approx(now.loss("style")));
                        return ++seen < 3;
                      });
  CHECK(seen == 2);
  CHECK(last.shape() == content.shape());
  CHECK(last.to_vector() == result.image.to_vector());
}

TEST_CASE("a ResNet paints") {
  Random random(3);
  ResNet network({.depth = 18, .widths = {8, 8, 16, 16}}, random);
  network.eval();
  CHECK(network.stride(network.layer_index("relu1")) == 2);
  CHECK(network.stride(network.layer_index("layer1.1")) == 4);
  CHECK(network.stride(network.layer_index("layer4.0")) == 32);
  const style::ObjectiveOptions layers{.content_layers = {"layer2.1"},
                                       .style_layers = {"relu1", "layer1.0", "layer2.0"}};
  CHECK(style::deepest_pixel(network, layers) == 8);
  for (const bool low_memory : {false, true}) {
    style::TransferOptions options{.objective = layers, .iterations = 8};
    options.objective.low_memory = low_memory;
    const auto result = style::transfer(network, image(4), image(5, 40, 40), image(8), options);
    CHECK(result.history.back().total < 0.5 * result.history.front().total);
    CHECK(result.history.front().loss("style") > 0.0);
  }
  // 36 and 44 are no multiples of 8: painted larger and cropped.
  const auto odd = image(4, 36, 44);
  CHECK(style::transfer(network, odd, image(5), odd, {.objective = layers, .iterations = 1})
            .image.shape() == odd.shape());
  CHECK(complaint([&] {
          style::transfer(network, image(4), image(5), image(4),
                          {.objective = {.style_layers = {"conv5_1"}}});
        }) ==
        "ResNet: there is no layer 'relu4_4'; layers are relu1, pool1, layer1.0, …, layer4.1");
}

TEST_CASE("a ResNet has torchvision's names, and forward() gives features or logits") {
  Random random(6);
  ResNet network({.depth = 34, .classifier = true, .classes = 7, .widths = {2, 2, 2, 2}}, random);
  const auto state = network.state_dict();
  CHECK(state.size() == 218);  // as torchvision's resnet34
  CHECK(state.contains("conv1.weight"));
  CHECK(state.contains("bn1.num_batches_tracked"));
  CHECK(state.contains("layer2.0.downsample.1.running_var"));
  CHECK(state.contains("layer3.5.bn2.weight"));
  CHECK(state.contains("fc.bias"));
  network.eval();
  CHECK(network(Variable<float>(image(7))).shape() == Shape{1, 7});
  ResNet features({.widths = {2, 2, 2, 4}}, random);
  features.eval();
  CHECK(features(Variable<float>(image(7))).shape() == Shape{1, 4, 1, 2});
  CHECK(complaint([&] { ResNet({.depth = 20}, random); }) ==
        "ResNet: there is no ResNet-20 here; depths are 18, 34 and 50");
}

}  // namespace sfumato::tested::style_terms
