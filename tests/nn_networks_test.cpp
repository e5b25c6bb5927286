// Modules, layers, initialisers and the VGG networks.

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "support/device.hpp"

namespace sfumato::tested::nn_networks {

namespace {

template <class T>
std::shared_ptr<nn::Sequential<T>> small_network(Random& random) {
  return std::make_shared<nn::Sequential<T>>(
      std::initializer_list<typename nn::Sequential<T>::Layer>{
          std::make_shared<nn::Conv2d<T>>(2, 3, 3, random, ops::Conv2dOptions{.padding = 1}),
          std::make_shared<nn::ReLU<T>>(), std::make_shared<nn::AvgPool2d<T>>(),
          std::make_shared<nn::Flatten<T>>(), std::make_shared<nn::Linear<T>>(12, 2, random)});
}

nn::VggOptions narrow(int depth, bool classifier = false) {
  return {.depth = depth, .classifier = classifier, .classes = 5, .widths = {2, 3, 4, 3, 2}};
}

double variance(const std::vector<double>& values) {
  double square = 0.0;
  for (const double value : values) square += value * value;
  return square / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("parameters have names, state dictionaries round trip, handles are shared") {
  Random random(1);
  const auto network = small_network<double>(random);
  std::vector<std::string> names;
  for (const auto& [name, parameter] : network->named_parameters()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "4.weight", "4.bias"});
  const auto other = small_network<double>(random);
  const Variable<double> x(Tensor<double>::randn({2, 2, 4, 4}, random));
  CHECK((*network)(x).value().to_vector() != (*other)(x).value().to_vector());
  other->load_state_dict(network->state_dict());
  CHECK((*network)(x).value().to_vector() == (*other)(x).value().to_vector());
  network->parameters()[3].mutable_value().copy_from(Tensor<double>::full({2}, 100.0));
  CHECK((*network)(x).value().at({0, 0}) > 50.0);
  CHECK(gradcheck([&](const auto& in) { return (*network)(in[0]); },
                  std::vector{Variable<double>(x.value(), true)}));
}

TEST_CASE("a state dictionary that does not fit changes nothing") {
  Random random(2);
  const auto network = small_network<float>(random);
  const auto before = network->state_dict();
  auto state = small_network<float>(random)->state_dict();
  const auto says = [&](bool strict = true) {
    try {
      network->load_state_dict(state, strict);
    } catch (const ValueError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  state.emplace("5.weight", Tensor<float>::zeros({1}));
  CHECK(says() == "load_state_dict: the module has no 5.weight");
  state.erase("4.bias");
  CHECK(says() == "load_state_dict: missing 4.bias");
  state.insert_or_assign("4.bias", Tensor<float>::zeros({3}));
  CHECK(says() == "load_state_dict: 4.bias has the shape (3,) but the module's is (2,)");
  for (const auto& [name, tensor] : network->state_dict()) {
    CHECK(tensor.to_vector() == before.at(name).to_vector());
  }
  state.insert_or_assign("4.bias", Tensor<float>::zeros({2}));
  CHECK(says(false) == "nothing");
}

TEST_CASE("a frozen network leaves nothing on the tape") {
  Random random(3);
  const auto network = small_network<float>(random);
  const Variable<float> x(Tensor<float>::randn({1, 2, 4, 4}, random));
  network->freeze();
  CHECK((*network)(x).node() == nullptr);
  network->unfreeze();
  backward(ops::sum((*network)(x)));
  CHECK(network->parameters()[0].grad().defined());
  network->zero_grad();
  CHECK_FALSE(network->parameters()[0].grad().defined());
}

TEST_CASE("dropout keeps the mean in training and does nothing otherwise") {
  nn::Dropout<float> dropout(0.25, 1);
  const Variable<float> x(Tensor<float>::ones({100000}));
  const auto y = dropout(x);
  CHECK(ops::mean(y).item() == doctest::Approx(1.0).epsilon(0.01));
  CHECK(ops::max(y).item() == doctest::Approx(1.0 / 0.75));
  CHECK(ops::min(y).item() == 0.0F);
  dropout.eval();
  CHECK(dropout(x).value().shares_storage_with(x.value()));
  CHECK_THROWS_WITH_AS(nn::Dropout<float>(1.0),
                       "Dropout: probability 1 must be at least 0 and less than 1", ValueError);
}

TEST_CASE("initialisers have the variance that their papers ask for") {
  const Shape shape{64, 32, 3, 3};  // fan in 288, fan out 576
  Random random(4);
  const auto is = [&](const Tensor<double>& weight, double expected) {
    CHECK(variance(weight.to_vector()) == doctest::Approx(expected).epsilon(0.05));
  };
  is(nn::kaiming_normal<double>(shape, random), 2.0 / 288);
  is(nn::kaiming_uniform<double>(shape, random), 2.0 / 288);
  is(nn::xavier_normal<double>(shape, random), 2.0 / (288 + 576));
  is(nn::xavier_uniform<double>(shape, random), 2.0 / (288 + 576));
  for (const double value : nn::kaiming_uniform<double>(shape, random).to_vector()) {
    CHECK(std::abs(value) <= std::sqrt(6.0 / 288));
  }
  CHECK_THROWS_WITH_AS(nn::kaiming_normal<float>({3}, random),
                       "initializer: a weight (3,) must have at least two dimensions (out, in, …)",
                       ShapeError);
}

TEST_CASE("VGG networks have torchvision's layers and parameter names") {
  struct Expected {
    int depth;
    std::size_t layers;
    std::string last_convolution;
  };
  for (const auto& [depth, layers, last] :
       {Expected{11, 21, "features.18.bias"}, Expected{13, 25, "features.22.bias"},
        Expected{16, 31, "features.28.bias"}, Expected{19, 37, "features.34.bias"}}) {
    Random random(5);
    const nn::Vgg<float> network(narrow(depth, true), random);
    CHECK(network.layer_names().size() == layers);
    std::vector<std::string> names;
    for (const auto& [name, parameter] : network.named_parameters()) names.push_back(name);
    CHECK(names == nn::Vgg<float>::parameter_names(narrow(depth, true)));
    CHECK(names.size() == static_cast<std::size_t>(2 * depth));
    CHECK(names.front() == "features.0.weight");
    CHECK(names[names.size() - 7] == last);
    CHECK(names.back() == "classifier.6.bias");
  }
}

TEST_CASE("layers of VGG-19 are found by name and by PyTorch's index") {
  Random random(6);
  const nn::Vgg<float> network(narrow(19), random);
  const std::vector<std::pair<std::string, std::size_t>> known{
      {"conv1_1", 0},  {"relu1_1", 1}, {"pool1", 4},    {"conv2_1", 5},
      {"conv3_1", 10}, {"pool3", 18},  {"conv4_1", 19}, {"conv4_4", 25},
      {"conv5_1", 28}, {"pool5", 36},  {"34", 34}};
  for (const auto& [name, index] : known) CHECK(network.layer_index(name) == index);
  for (const char* const unknown : {"conv6_1", "37", "-1", "", "relu"}) {
    CHECK_THROWS_WITH_AS(network.layer_index(unknown),
                         message("Vgg: there is no layer '", unknown,
                                 "'; layers are conv1_1, relu1_1, …, pool5 or 0 to 36")
                             .c_str(),
                         ValueError);
  }
}

TEST_CASE("taps are what the layers make, and nothing behind the last is computed") {
  Random random(7);
  nn::Vgg<double> network(narrow(19), random);
  const Variable<double> x(Tensor<double>::randn({1, 3, 32, 32}, random));
  const auto tapped = network.features(x, {36, 0, 1, 0});
  CHECK(tapped[0].value().to_vector() == network(x).value().to_vector());
  CHECK(tapped[1].value().to_vector() == tapped[3].value().to_vector());
  CHECK(tapped[2].value().to_vector() == ops::relu(tapped[1]).value().to_vector());
  // An image of 3 × 3 does not survive the second pooling, which is never reached.
  const Variable<double> tiny(Tensor<double>::randn({1, 3, 3, 3}, random));
  CHECK(network.features(tiny, {5})[0].shape() == Shape{1, 3, 1, 1});
  CHECK_THROWS_AS(network.features(tiny, {9}), ShapeError);
  CHECK(network.features(x, {}).empty());
}

TEST_CASE("VGG networks are built from weights, classify, and pool by average if asked") {
  Random random(8);
  nn::Vgg<float> network(narrow(11, true), random);
  network.eval();
  const Variable<float> x(Tensor<float>::randn({2, 3, 64, 96}, random));
  CHECK(network(x).shape() == Shape{2, 5});
  nn::Vgg<float> same(narrow(11, true), network.state_dict());
  same.eval();
  CHECK(same(x).value().to_vector() == network(x).value().to_vector());
  auto options = narrow(11);
  options.pooling = nn::Pooling::kAverage;
  nn::Vgg<float> average(options, network.state_dict());
  const auto taps = average.features(x, {1, 2});
  CHECK(taps[1].value().to_vector() == ops::avg_pool2d(taps[0]).value().to_vector());

  auto state = network.state_dict();
  CHECK_THROWS_WITH_AS(nn::Vgg<float>(narrow(13), state),
                       "Vgg: the weights have no features.2.weight", ValueError);
  state.insert_or_assign("features.0.weight", Tensor<float>::zeros({2, 3, 3, 4}));
  CHECK_THROWS_WITH_AS(
      nn::Vgg<float>(narrow(11), state),
      "Vgg: features.0.weight has the shape (2, 3, 3, 4) but this network needs (2, 3, 3, 3)",
      ValueError);
  CHECK_THROWS_WITH_AS(nn::Vgg<float>(narrow(12), random),
                       "Vgg: there is no VGG-12; depths are 11, 13, 16 and 19", ValueError);
}

}  // namespace sfumato::tested::nn_networks
