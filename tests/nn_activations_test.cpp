// Layers without parameters against the ops that they stand for, and lists of modules.

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::nn_activations {

namespace {

using ModuleList = sfumato::nn::ModuleList<double, Device>;

void check_same(nn::Module<double>&& layer, const Variable<double>& expected,
                const Variable<double>& x) {
  const auto y = layer(x);
  REQUIRE(y.shape() == expected.shape());
  CHECK(y.value().to_vector() == expected.value().to_vector());
  CHECK(layer.named_parameters().empty());
}

}  // namespace

TEST_CASE("activations are layers") {
  Random random(1);
  const Variable<double> x(Tensor<double>::randn({3, 4}, random), true);
  check_same(nn::Identity<double, Device>(), x, x);
  check_same(nn::Sigmoid<double, Device>(), ops::sigmoid(x), x);
  check_same(nn::Tanh<double, Device>(), ops::tanh(x), x);
  check_same(nn::GELU<double, Device>(), ops::gelu(x), x);
  check_same(nn::SiLU<double, Device>(), ops::silu(x), x);
  check_same(nn::LeakyReLU<double, Device>(), ops::leaky_relu(x, 0.01), x);
  check_same(nn::LeakyReLU<double, Device>(0.2), ops::leaky_relu(x, 0.2), x);
  check_same(nn::ELU<double, Device>(), ops::elu(x), x);
  check_same(nn::ELU<double, Device>(0.5), ops::elu(x, 0.5), x);
  check_same(nn::Softplus<double, Device>(), ops::softplus(x), x);
  check_same(nn::Softplus<double, Device>(2.0), ops::softplus(x, 2.0), x);
  check_same(nn::Softmax<double, Device>(), ops::softmax(x), x);
  check_same(nn::Softmax<double, Device>(0), ops::softmax(x, 0), x);
  check_same(nn::LogSoftmax<double, Device>(), ops::log_softmax(x), x);
  check_same(nn::LogSoftmax<double, Device>(0), ops::log_softmax(x, 0), x);
}

TEST_CASE("activations go into a Sequential, and their gradients through it") {
  Random random(2);
  nn::Sequential<double> model{nn::Linear<double>(3, 4, random), nn::GELU<double, Device>(),
                               nn::Linear<double>(4, 2, random), nn::Softmax<double, Device>(1)};
  const Variable<double> x(Tensor<double>::randn({2, 3}, random), true);
  CHECK(gradcheck([&](const auto& in) { return model(in[0]); }, std::vector{x}));
  nn::Sequential<Half> narrow{nn::LeakyReLU<Half, Device>(), nn::Softplus<Half, Device>()};
  CHECK(narrow(ops::cast<Half>(x)).shape() == x.shape());
}

TEST_CASE("a list of modules has their parameters, and no function of its own") {
  Random random(3);
  ModuleList list{nn::Linear<double>(3, 3, random), nn::Linear<double>(3, 3, random)};
  list.push_back(std::make_shared<nn::Linear<double>>(3, 2, random));
  std::vector<std::string> names;
  for (const auto& [name, parameter] : list.named_parameters()) names.push_back(name);
  CHECK(names ==
        std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"});
  const Variable<double> x(Tensor<double>::ones({1, 3}));
  Variable<double> y = x;
  for (const auto& layer : list) y = (*layer)(y);
  CHECK(list.size() == 3);
  CHECK(y.value().to_vector() == list[2](list[1](list[0](x))).value().to_vector());
  CHECK(complaint([&] { list(x); }) ==
        "ModuleList: a list has no forward; call its modules, or use a Sequential");
  CHECK(complaint([&] { list[3]; }) == "module: there is no layer 3 among 3");
  CHECK(complaint([&] { list.push_back(nullptr); }) == "module: layer 3 is null");
}

TEST_CASE("a ResNet of bottlenecks has torchvision's parameters in its order") {
  Random random(4);
  const sfumato::nn::ResNet<float, Device> network(
      {.depth = 50, .classifier = true, .classes = 5, .widths = {1, 2, 3, 4}}, random);
  const auto parameters = network.named_parameters();
  CHECK(parameters.size() == 161);
  const std::vector<std::string> first{"conv1.weight",
                                       "bn1.weight",
                                       "bn1.bias",
                                       "layer1.0.conv1.weight",
                                       "layer1.0.bn1.weight",
                                       "layer1.0.bn1.bias",
                                       "layer1.0.conv2.weight",
                                       "layer1.0.bn2.weight",
                                       "layer1.0.bn2.bias",
                                       "layer1.0.conv3.weight",
                                       "layer1.0.bn3.weight",
                                       "layer1.0.bn3.bias",
                                       "layer1.0.downsample.0.weight"};
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(parameters[i].first == first[i]);
  CHECK(parameters[9].second.shape() == Shape{4, 1, 1, 1});
  CHECK(parameters.back().second.shape() == Shape{5});
  CHECK(network.layer_names().back() == "layer4.2");
}

}  // namespace sfumato::tested::nn_activations
