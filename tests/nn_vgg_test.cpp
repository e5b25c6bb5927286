// The VGG networks against torchvision's parameters, and what their taps compute.

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::nn_vgg {

namespace {

/// A convolution of torchvision's: its index in `features` and its channels.
struct Convolution {
  std::size_t index;
  std::int64_t in;
  std::int64_t out;
};

struct Torchvision {
  int depth;
  std::int64_t feature_elements;  ///< sum(p.numel() for p in vgg.features.parameters())
  std::vector<Convolution> convolutions;
};

const std::vector<Torchvision> kTorchvision{{11,
                                             9220480,
                                             {{0, 3, 64},
                                              {3, 64, 128},
                                              {6, 128, 256},
                                              {8, 256, 256},
                                              {11, 256, 512},
                                              {13, 512, 512},
                                              {16, 512, 512},
                                              {18, 512, 512}}},
                                            {13,
                                             9404992,
                                             {{0, 3, 64},
                                              {2, 64, 64},
                                              {5, 64, 128},
                                              {7, 128, 128},
                                              {10, 128, 256},
                                              {12, 256, 256},
                                              {15, 256, 512},
                                              {17, 512, 512},
                                              {20, 512, 512},
                                              {22, 512, 512}}},
                                            {16,
                                             14714688,
                                             {{0, 3, 64},
                                              {2, 64, 64},
                                              {5, 64, 128},
                                              {7, 128, 128},
                                              {10, 128, 256},
                                              {12, 256, 256},
                                              {14, 256, 256},
                                              {17, 256, 512},
                                              {19, 512, 512},
                                              {21, 512, 512},
                                              {24, 512, 512},
                                              {26, 512, 512},
                                              {28, 512, 512}}},
                                            {19,
                                             20024384,
                                             {{0, 3, 64},
                                              {2, 64, 64},
                                              {5, 64, 128},
                                              {7, 128, 128},
                                              {10, 128, 256},
                                              {12, 256, 256},
                                              {14, 256, 256},
                                              {16, 256, 256},
                                              {19, 256, 512},
                                              {21, 512, 512},
                                              {23, 512, 512},
                                              {25, 512, 512},
                                              {28, 512, 512},
                                              {30, 512, 512},
                                              {32, 512, 512},
                                              {34, 512, 512}}}};

/// Zeros under torchvision's names and shapes; equal shapes share one tensor, to save memory.
nn::StateDict<float> torchvision_weights(const Torchvision& expected) {
  std::map<std::string, Tensor<float>> zeros;
  const auto of = [&](const Shape& shape) {
    return zeros.try_emplace(shape.to_string(), Tensor<float>::zeros(shape)).first->second;
  };
  nn::StateDict<float> state;
  for (const auto& [index, in, out] : expected.convolutions) {
    state.emplace(message("features.", index, ".weight"), of({out, in, 3, 3}));
    state.emplace(message("features.", index, ".bias"), of({out}));
  }
  return state;
}

nn::Vgg<double> narrow(int depth, std::uint64_t seed, nn::Pooling pooling = nn::Pooling::kMax) {
  Random random(seed);
  return nn::Vgg<double>({.depth = depth, .pooling = pooling, .widths = {2, 3, 4, 3, 2}}, random);
}

Variable<double> image(std::int64_t height, std::int64_t width) {
  Random random(1);
  return Variable<double>(Tensor<double>::randn({1, 3, height, width}, random));
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

}  // namespace

TEST_CASE("the feature parameters of every depth are torchvision's, in name, shape and number") {
  for (const Torchvision& expected : kTorchvision) {
    CAPTURE(expected.depth);
    const auto state = torchvision_weights(expected);
    // The constructor compares the shapes.
    const nn::Vgg<float> network({.depth = expected.depth}, state);
    std::int64_t elements = 0;
    const auto named = network.named_parameters();
    REQUIRE(named.size() == state.size());
    for (const auto& [name, parameter] : named) {
      CHECK(state.contains(name));
      elements += parameter.numel();
    }
    CHECK(elements == expected.feature_elements);
  }
}

TEST_CASE("the classifier has torchvision's shapes") {
  // Too small to be right: what the constructor says tells the shape, with no need for 400 MB.
  nn::VggOptions options{.depth = 11, .widths = {1, 1, 1, 1, 512}};
  Random random(2);
  auto state = nn::Vgg<float>(options, random).state_dict();
  state.emplace("classifier.0.weight", Tensor<float>::zeros({1}));
  options.classifier = true;
  CHECK(complaint([&] { nn::Vgg<float>(options, state); }) ==
        "Vgg: classifier.0.weight has the shape (1,) but this network needs (4096, 25088)");
}

TEST_CASE("no images have no logits") {
  const nn::VggOptions options{
      .depth = 11, .classifier = true, .classes = 2, .widths = {1, 1, 1, 1, 1}};
  auto state = nn::Vgg<float>({.depth = 11, .widths = {1, 1, 1, 1, 1}}).state_dict();
  const std::map<std::string, Shape> shapes{
      {"0", {4096, 49}}, {"3", {4096, 4096}}, {"6", {2, 4096}}};
  for (const auto& [layer, shape] : shapes) {
    state.emplace("classifier." + layer + ".weight", Tensor<float>::zeros(shape));
    state.emplace("classifier." + layer + ".bias", Tensor<float>::zeros({shape[0]}));
  }
  nn::Vgg<float> network(options, state);
  CHECK(network(Variable<float>(Tensor<float>::zeros({0, 3, 32, 32}))).shape() == Shape{0, 2});
}

TEST_CASE("what surrounds an image is seen by the first convolution, and not in the weights") {
  Random random(1);
  const std::vector<double> colour{0.1, -0.2, 0.3};
  const std::vector<std::int64_t> widths{3, 3, 4, 3, 2};
  const auto state = nn::Vgg<double>({.depth = 11, .widths = widths}, random).state_dict();
  nn::Vgg<double> surrounded({.depth = 11, .surround = colour, .widths = widths}, state);
  for (const auto& [name, tensor] : surrounded.state_dict()) {
    CAPTURE(name);
    CHECK(tensor.to_vector() == state.at(name).to_vector());
  }
  const Variable<double> x(Tensor<double>::randn({2, 3, 5, 4}, random), true);
  std::vector<Variable<double>> channels;
  for (int c = 0; c < 3; ++c) {
    channels.push_back(ops::pad(ops::slice(x, 1, {.start = c, .stop = c + 1}), {1, 1, 1, 1},
                                colour[static_cast<std::size_t>(c)]));
  }
  const auto expected =
      ops::conv2d(ops::cat(channels, 1), Variable<double>(state.at("features.0.weight")),
                  Variable<double>(state.at("features.0.bias")));
  const auto seen = surrounded.features(x, {0})[0];
  REQUIRE(seen.shape() == expected.shape());
  const auto difference = ops::max(ops::abs(seen - expected)).item();
  CHECK(difference < 1e-12);
  // The edge repeated leaves no room for it.
  nn::Vgg<double> repeated({.depth = 11,
                            .first_padding = ops::PaddingMode::kReplicate,
                            .surround = colour,
                            .widths = widths},
                           state);
  nn::Vgg<double> plain(
      {.depth = 11, .first_padding = ops::PaddingMode::kReplicate, .widths = widths}, state);
  CHECK(repeated.features(x, {0})[0].value().to_vector() ==
        plain.features(x, {0})[0].value().to_vector());
}

TEST_CASE("given weights are used in place, and surplus ones are ignored") {
  auto network = narrow(11, 3);
  auto state = network.state_dict();
  state.emplace("classifier.0.weight", Tensor<double>::zeros({1}));
  const nn::Vgg<double> same({.depth = 11, .widths = {2, 3, 4, 3, 2}}, state);
  for (const auto& [name, parameter] : same.named_parameters()) {
    CHECK(parameter.value().shares_storage_with(state.at(name)));
  }
}

TEST_CASE("layers are named by block and convolution") {
  CHECK(narrow(13, 4).layer_names() ==
        std::vector<std::string>{"conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1",
                                 "conv2_1", "relu2_1", "conv2_2", "relu2_2", "pool2",
                                 "conv3_1", "relu3_1", "conv3_2", "relu3_2", "pool3",
                                 "conv4_1", "relu4_1", "conv4_2", "relu4_2", "pool4",
                                 "conv5_1", "relu5_1", "conv5_2", "relu5_2", "pool5"});
}

TEST_CASE("every tap has the values of the layers run one by one") {
  for (const nn::Pooling pooling : {nn::Pooling::kMax, nn::Pooling::kAverage}) {
    auto network = narrow(16, 5, pooling);
    const auto state = network.state_dict();
    const auto x = image(32, 37);
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < network.layer_names().size(); ++i) all.push_back(i);
    const auto tapped = network.features(x, all);
    Variable<double> y = x;
    for (const std::size_t i : all) {
      const std::string& name = network.layer_names()[i];
      CAPTURE(name);
      if (name.starts_with("conv")) {
        const Variable<double> weight(state.at(message("features.", i, ".weight")));
        const Variable<double> bias(state.at(message("features.", i, ".bias")));
        y = ops::conv2d(y, weight, bias, {.padding = 1});
      } else if (name.starts_with("relu")) {
        y = ops::relu(y);
      } else {
        y = pooling == nn::Pooling::kMax ? ops::max_pool2d(y) : ops::avg_pool2d(y);
      }
      CHECK(tapped[i].value().to_vector() == y.value().to_vector());
    }
    CHECK(network(x).value().to_vector() == y.value().to_vector());
  }
}

TEST_CASE("the graph behind a tap has the layers up to it and no more") {
  auto network = narrow(19, 6);
  network.freeze();
  const Variable<double> x(image(16, 16).value(), true);
  const auto tapped = network.features(x, {network.layer_index("relu2_1"), 0});
  const std::string graph = to_graphviz(ops::sum(tapped[0]));
  // Two of the three convolutions took the ReLU behind them along; the first one is tapped.
  CHECK(count(graph, "label=\"conv2d") == 3);
  CHECK(count(graph, "label=\"conv2d_relu") == 2);
  CHECK(count(graph, "label=\"relu") == 1);
  CHECK(count(graph, "label=\"max_pool2d") == 1);
  // Frozen parameters are no part of it: the image is the only leaf.
  CHECK(count(graph, "label=\"leaf") == 1);
}

TEST_CASE("taps of layers that are not there are refused before anything is computed") {
  auto network = narrow(11, 7);
  // These images would not survive the pools either.
  CHECK(complaint([&] {
          network.features(image(2, 2), {0, 21});
        }) == "Vgg: there is no layer '21'; layers are conv1_1, relu1_1, …, pool5 or 0 to 20");
}

TEST_CASE("what stands behind a layer can be forgotten, and nothing before it changes") {
  auto network = narrow(19, 6);
  const std::size_t last = network.layer_index("conv5_1");
  const auto before = network.features(image(16, 16), {0, last});
  const std::size_t parameters = network.parameters().size();
  network.forget_behind(last);
  CHECK(network.layer_names().back() == "conv5_1");
  CHECK(network.parameters().size() == parameters - 6);
  const auto after = network.features(image(16, 16), {0, last});
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    CHECK(after[i].value().to_vector() == before[i].value().to_vector());
  }
  CHECK(complaint([&] {
          network.forget_behind(last + 1);
        }).starts_with("Vgg: there is no layer '29'; layers are conv1_1, relu1_1, …, conv5_1"));
  Random random(1);
  nn::Vgg<double> classifier({.depth = 11, .classifier = true, .widths = {1, 1, 1, 1, 1}}, random);
  classifier.forget_behind(0);
  CHECK(classifier.parameters().size() == 2);
}

TEST_CASE("images of the wrong number of channels are refused") {
  auto network = narrow(11, 8);
  const Variable<double> grey(Tensor<double>::zeros({1, 1, 32, 32}));
  CHECK(complaint([&] { network(grey); }) ==
        complaint([&] { ops::conv2d_relu(grey, network.parameters()[0], {}, {.padding = 1}); }));
  CHECK(complaint([&] { network(grey); }) != "nothing");
}

TEST_CASE("parameter names need a known depth") {
  CHECK(complaint([] { nn::Vgg<float>::parameter_names({.depth = 15}); }) ==
        "Vgg: there is no VGG-15; depths are 11, 13, 16 and 19");
}

TEST_CASE("convolutions may have widths of their own") {
  Random random(1);
  const nn::Vgg<float> network({.depth = 11, .widths = {2, 3, 4, 5, 6, 7, 8, 9}}, random);
  CHECK(network.state_dict().at("features.8.weight").shape() == Shape{5, 4, 3, 3});
  CHECK(complaint([&] {
          nn::Vgg<float>({.depth = 11, .widths = {2, 3, 4}}, random);
        }) == "Vgg: there are 3 widths; give 5 for the blocks or 8 for the convolutions of VGG-11");
}

TEST_CASE("the widths of a network are read off its weights") {
  Random random(1);
  const nn::VggOptions options{.depth = 13, .widths = {4, 8, 12, 6, 2}};
  const auto state = nn::Vgg<float>(options, random).state_dict();
  const auto shape_of = [&](const std::string& name) { return state.at(name).shape(); };
  const auto widths = nn::Vgg<float>::widths_of(13, shape_of);
  CHECK(widths == std::vector<std::int64_t>{4, 4, 8, 8, 12, 12, 6, 6, 2, 2});
  const nn::Vgg<float> same({.depth = 13, .widths = widths}, state);
  CHECK(same.layer_names().back() == "pool5");
  CHECK(complaint(
            [] { nn::Vgg<float>::widths_of(19, [](const std::string&) { return Shape{64}; }); }) ==
        "Vgg: features.0.weight has the shape (64,), which is not of a convolution (out, in, 3, "
        "3)");
}

}  // namespace sfumato::tested::nn_vgg
