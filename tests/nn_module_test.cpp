// Modules: names of parameters, saving and loading them, freezing.

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::nn_module {

namespace {

/// Two linear layers with a scale of its own: a module with parameters and parts.
class Scaled : public nn::Module<double> {
 public:
  Scaled()
      : scale_(this->add_parameter("scale", Tensor<double>::full({2}, 3.0))),
        inner_(this->add_module("inner", std::make_shared<nn::Sequential<double>>())),
        last_(this->add_module("last", linear(20.0))) {
    inner_->push_back(linear(1.0));
    inner_->push_back(std::make_shared<nn::ReLU<double>>());
    inner_->push_back(linear(10.0));
  }

  Variable<double> forward(const Variable<double>& x) override {
    return (*last_)((*inner_)(x)) * scale_;
  }

 private:
  static std::shared_ptr<nn::Linear<double>> linear(double first) {
    return std::make_shared<nn::Linear<double>>(
        Tensor<double>::arange(first, first + 4.0).reshape({2, 2}),
        Tensor<double>::full({2}, first));
  }

  Variable<double> scale_;
  std::shared_ptr<nn::Sequential<double>> inner_;
  std::shared_ptr<nn::Linear<double>> last_;
};

const std::vector<std::string> kNames{"scale",          "inner.0.weight", "inner.0.bias",
                                      "inner.2.weight", "inner.2.bias",   "last.weight",
                                      "last.bias"};

Variable<double> input() {
  return Variable<double>(Tensor<double>::from({1.0, -2.0, 0.5, 4.0}, {2, 2}));
}

std::vector<double> output(nn::Module<double>& module) {
  return module(input()).value().to_vector();
}

}  // namespace

TEST_CASE("parameters of parts are named after their parts, own parameters come first") {
  const Scaled module;
  std::vector<std::string> names;
  for (const auto& [name, parameter] : module.named_parameters()) {
    names.push_back(name);
    CHECK(parameter.requires_grad());
    CHECK(parameter.is_leaf());
  }
  CHECK(names == kNames);
  CHECK(module.parameters().size() == kNames.size());
}

TEST_CASE("parameters are handles to the module's own") {
  Scaled module;
  const std::vector<double> before = output(module);
  module.parameters()[0].mutable_value().copy_from(Tensor<double>::full({2}, 6.0));
  const std::vector<double> after = output(module);
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(after[i] == 2.0 * before[i]);

  backward(ops::sum(module(input())));
  for (const auto& parameter : module.parameters()) CHECK(parameter.grad().defined());
  module.zero_grad();
  for (const auto& parameter : module.parameters()) CHECK_FALSE(parameter.grad().defined());
}

TEST_CASE("assigning to a parameter's value changes the module's") {
  Scaled module;
  const std::vector<double> before = output(module);
  module.parameters()[0].mutable_value() = Tensor<double>::full({2}, 6.0);
  const std::vector<double> after = output(module);
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(after[i] == 2.0 * before[i]);

  auto named = module.named_parameters();
  named[0].second.mutable_value() = module.parameters().back().mutable_value();
  CHECK(module.parameters()[0].value().to_vector() == std::vector<double>{20.0, 20.0});
  // The numbers were copied: the two have not become one.
  module.parameters().back().mutable_value() = Tensor<double>::zeros({2});
  CHECK(module.parameters()[0].value().to_vector() == std::vector<double>{20.0, 20.0});
  CHECK(complaint([&] { module.parameters()[0].mutable_value() = Tensor<double>::zeros({3}); }) ==
        "copy_from: source (3,) does not fit (2,)");
}

TEST_CASE("a state dict holds copies that restore the module") {
  Scaled module;
  const auto state = module.state_dict();
  const std::vector<double> before = output(module);
  CHECK(state.size() == kNames.size());
  for (auto& parameter : module.parameters()) {
    parameter.mutable_value().copy_from(Tensor<double>::zeros(parameter.shape()));
  }
  CHECK(output(module) == std::vector<double>(4, 0.0));
  CHECK(state.at("scale").to_vector() == std::vector<double>{3.0, 3.0});
  const auto handles = module.parameters();
  module.load_state_dict(state);
  CHECK(output(module) == before);
  // The same parameters have new values: an optimiser that holds them goes on with these.
  CHECK(handles[0].value().to_vector() == std::vector<double>{3.0, 3.0});
  CHECK_FALSE(handles[0].value().shares_storage_with(state.at("scale")));
}

TEST_CASE("parameters change places through a state dict") {
  Random random(1);
  nn::Sequential<double> module{std::make_shared<nn::Linear<double>>(2, 2, random),
                                std::make_shared<nn::Linear<double>>(2, 2, random)};
  const auto before = module.state_dict();
  auto swapped = before;
  const auto parameters = module.named_parameters();
  for (const auto& [name, parameter] : parameters) {
    const std::string other = (name[0] == '0' ? "1" : "0") + name.substr(1);
    swapped.at(other) = parameter.value();
  }
  module.load_state_dict(swapped);
  CHECK(module.state_dict().at("0.weight").to_vector() == before.at("1.weight").to_vector());
  CHECK(module.state_dict().at("1.weight").to_vector() == before.at("0.weight").to_vector());
}

TEST_CASE("a state dict that does not fit leaves the module as it was") {
  Scaled module;
  const std::vector<double> before = output(module);
  auto zeros = module.state_dict();
  for (auto& [name, tensor] : zeros) tensor = Tensor<double>::zeros(tensor.shape());

  auto missing = zeros;
  missing.erase("last.bias");
  missing.erase("inner.0.weight");
  CHECK_THROWS_WITH_AS(module.load_state_dict(missing),
                       "load_state_dict: missing inner.0.weight, last.bias", ValueError);
  CHECK_THROWS_WITH_AS(module.load_state_dict(missing, false),
                       "load_state_dict: missing inner.0.weight, last.bias", ValueError);

  auto misshapen = zeros;
  misshapen["scale"] = Tensor<double>::zeros({2, 1});
  CHECK_THROWS_WITH_AS(module.load_state_dict(misshapen),
                       "load_state_dict: scale has the shape (2, 1) but the module's is (2,)",
                       ValueError);

  auto surplus = zeros;
  surplus["last.scale"] = Tensor<double>::zeros({2});
  surplus["another"] = Tensor<double>::zeros({2});
  CHECK_THROWS_WITH_AS(module.load_state_dict(surplus),
                       "load_state_dict: the module has no another, last.scale", ValueError);
  CHECK(output(module) == before);

  module.load_state_dict(surplus, false);
  CHECK(output(module) == std::vector<double>(4, 0.0));
}

TEST_CASE("a long list of missing parameters is cut short") {
  nn::Sequential<double> model;
  for (int i = 0; i < 5; ++i) {
    model.push_back(std::make_shared<nn::Linear<double>>(Tensor<double>::zeros({1, 1}),
                                                         Tensor<double>::zeros({1})));
  }
  CHECK_THROWS_WITH_AS(model.load_state_dict({}),
                       "load_state_dict: missing 0.bias, 0.weight, 1.bias, 1.weight, 2.bias, "
                       "2.weight, 3.bias, 3.weight and 2 more",
                       ValueError);
}

namespace {
/// A module that hands out what only derived ones may do.
class Open : public nn::Module<double> {
 public:
  using nn::Module<double>::add_parameter;
  using nn::Module<double>::add_module;
  Variable<double> forward(const Variable<double>& x) override { return x; }
};
}  // namespace

TEST_CASE("a layer that is used twice has its parameters once") {
  const auto layer = std::make_shared<nn::Linear<double>>(
      Tensor<double>::from({1, 2, 3, 4}, {2, 2}), Tensor<double>::from({5, 6}, {2}));
  const auto inner = std::make_shared<nn::Sequential<double>>();
  inner->push_back(layer);
  nn::Sequential<double> model{layer, std::make_shared<nn::ReLU<double>>(), layer, inner};
  std::vector<std::string> names;
  for (const auto& entry : model.named_parameters()) names.push_back(entry.first);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias"});
  CHECK(model.parameters().size() == 2);
  CHECK(model.get_parameter("0.weight").node() == layer->get_parameter("weight").node());
  CHECK(complaint([&] { model.get_parameter("2.weight"); }) ==
        "get_parameter: there is no 2.weight among 0.weight, 0.bias");
  CHECK(complaint([] { nn::ReLU<double>().get_parameter("weight"); }) ==
        "get_parameter: there is no weight among no parameters");

  // The gradient is of all uses together, and one step is one step.
  const auto x = input();
  backward(ops::sum(model(x)));
  const auto weight = model.parameters()[0];
  const std::vector<double> before = weight.value().to_vector();
  const std::vector<double> gradient = weight.grad().value().to_vector();
  optim::SGD<double>(model.parameters(), {.learning_rate = 0.5}).step();
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK(weight.value().to_vector()[i] == before[i] - 0.5 * gradient[i]);
  }
}

TEST_CASE("a state dict has every name of a layer that is used twice, and needs one") {
  const auto layer = std::make_shared<nn::Linear<double>>(Tensor<double>::full({1, 1}, 7.0),
                                                          Tensor<double>::full({1}, 8.0));
  nn::Sequential<double> model{layer, layer};
  auto state = model.state_dict();
  CHECK(state.size() == 4);
  CHECK(state.at("1.weight").item() == 7.0);
  CHECK_FALSE(state.at("0.weight").shares_storage_with(state.at("1.weight")));
  model.load_state_dict(state);

  state.insert_or_assign("1.weight", Tensor<double>::full({1, 1}, 9.0));
  CHECK(
      complaint([&] { model.load_state_dict(state); }) ==
      "load_state_dict: 0.weight and 1.weight are one parameter of the module, but have different "
      "values");
  CHECK(layer->parameters()[0].item() == 7.0);
  state.erase("0.weight");
  state.erase("1.bias");
  model.load_state_dict(state);
  CHECK(layer->parameters()[0].item() == 9.0);
  state.erase("0.bias");
  CHECK(complaint([&] { model.load_state_dict(state); }) ==
        "load_state_dict: missing 0.bias, 1.bias");
}

TEST_CASE("names that a state dict can't tell apart are refused, as are cycles and nothing") {
  Open module;
  module.add_parameter("a", Tensor<double>::ones({1}));
  const auto part = module.add_module("b", std::make_shared<Open>());
  const auto says = [](const char* name) {
    return message("module: a parameter, buffer or module can't be called '", name,
                   "': names are unique, not empty and without dots");
  };
  for (const char* const name : {"a", "b", "", "b.c"}) {
    CHECK(complaint([&] { module.add_parameter(name, Tensor<double>::ones({1})); }) == says(name));
    CHECK(complaint([&] { module.add_module(name, std::make_shared<Open>()); }) == says(name));
  }
  CHECK(complaint([&] { module.add_parameter("c", {}); }) ==
        "module: the parameter c is undefined");
  CHECK(complaint([&] { module.add_module("c", std::shared_ptr<Open>()); }) ==
        "module: the module c is null");
  const auto outer = std::make_shared<nn::Sequential<double>>();
  const auto middle = std::make_shared<nn::Sequential<double>>();
  outer->push_back(middle);
  CHECK(complaint([&] { middle->push_back(outer); }) ==
        "module: the module 0 is or contains the one it is put in");
  CHECK(complaint([&] { middle->push_back(middle); }) ==
        "module: the module 0 is or contains the one it is put in");
  CHECK(middle->size() == 0);
  CHECK(module.parameters().size() == 1);
}

TEST_CASE("a frozen module leaves nothing on the tape") {
  Scaled module;
  module.freeze();
  const auto result = module(input());
  CHECK_FALSE(result.requires_grad());
  CHECK(result.node() == nullptr);
  for (const auto& parameter : module.parameters()) CHECK_FALSE(parameter.requires_grad());

  const Variable<double> x(input().value(), true);
  backward(ops::sum(module(x)));
  CHECK(x.grad().defined());
  for (const auto& parameter : module.parameters()) CHECK_FALSE(parameter.grad().defined());
}

TEST_CASE("an unfrozen module is trained again") {
  Scaled module;
  const std::vector<double> before = output(module);
  module.freeze();
  module.unfreeze();
  CHECK(output(module) == before);
  backward(ops::sum(module(input())));
  for (const auto& parameter : module.parameters()) CHECK(parameter.grad().defined());
}

TEST_CASE("training is told to all parts") {
  const auto inner = std::make_shared<nn::Sequential<double>>();
  const auto dropout = std::make_shared<nn::Dropout<double>>();
  inner->push_back(dropout);
  nn::Sequential<double> model{inner};
  CHECK(model.training());
  CHECK(dropout->training());
  model.eval();
  CHECK_FALSE(model.training());
  CHECK_FALSE(inner->training());
  CHECK_FALSE(dropout->training());
  model.train();
  CHECK(dropout->training());
}

TEST_CASE("what is added to a module in use is in use, too") {
  nn::Sequential<double> model;
  model.eval();
  const auto inner = std::make_shared<nn::Sequential<double>>();
  const auto dropout = std::make_shared<nn::Dropout<double>>();
  inner->push_back(dropout);
  model.push_back(inner);
  CHECK_FALSE(inner->training());
  CHECK_FALSE(dropout->training());
  CHECK(output(model) == input().value().to_vector());
  // And inside of what was added before.
  const auto late = std::make_shared<nn::Dropout<double>>();
  inner->push_back(late);
  CHECK_FALSE(late->training());

  // What was told to be in use stays so in a module that nobody has told anything.
  nn::Sequential<double> training{inner};
  CHECK(training.training());
  CHECK_FALSE(inner->training());
  training.train();
  CHECK(late->training());
}

TEST_CASE("a Sequential takes a ReLU along with convolutions, not with what is derived from them") {
  struct Doubled : nn::Conv2d<double> {
    using nn::Conv2d<double>::Conv2d;
    Variable<double> forward(const Variable<double>& x) override {
      return nn::Conv2d<double>::forward(x) * 2.0;
    }
  };
  const auto weight = Tensor<double>::from({3.0}, {1, 1, 1, 1});
  nn::Sequential<double> plain{std::make_shared<nn::Conv2d<double>>(weight, Tensor<double>()),
                               std::make_shared<nn::ReLU<double>>()};
  nn::Sequential<double> derived{std::make_shared<Doubled>(weight, Tensor<double>()),
                                 std::make_shared<nn::ReLU<double>>()};
  const Variable<double> x(Tensor<double>::from({-1.0, 2.0}, {1, 1, 1, 2}));
  CHECK(plain(x).value().to_vector() == std::vector<double>{0.0, 6.0});
  CHECK(derived(x).value().to_vector() == std::vector<double>{0.0, 12.0});
  CHECK(to_graphviz(plain(x)).find("conv2d_relu") != std::string::npos);
}

TEST_CASE("a Sequential is made of layers by value, in order") {
  Random random(7);
  Random same(7);
  nn::Sequential<double> model{nn::Linear<double>(2, 3, random), nn::ReLU<double>(),
                               nn::Linear<double>(3, 1, random)};
  nn::Sequential<double> shared{std::make_shared<nn::Linear<double>>(2, 3, same),
                                std::make_shared<nn::ReLU<double>>(),
                                std::make_shared<nn::Linear<double>>(3, 1, same)};
  CHECK(model.size() == 3);
  const Variable<double> x(Tensor<double>::from({1.0, -2.0}, {1, 2}));
  CHECK(model(x).item() == shared(x).item());
  model(x).backward();
  CHECK(model.named_parameters()[2].first == "2.weight");
  CHECK(model.parameters()[3].grad().item() == 1.0);
  model.push_back(nn::ReLU<double>());
  CHECK(model.size() == 4);
  // Of what the first layer is of, where it isn't said.
  const sfumato::nn::Sequential deduced{nn::Linear<double>(2, 3, random), nn::ReLU<double>()};
  CHECK(deduced.parameters().size() == 2);
  // Nested, and with layers that a Sequential of one's own may have.
  nn::Sequential<double> nested{
      nn::Sequential<double>{nn::Linear<double>(2, 2, random), nn::ReLU<double>()},
      nn::Flatten<double>()};
  CHECK(nested.named_parameters()[0].first == "0.0.weight");
  struct Holder : nn::Module<double> {
    Holder() { this->add_module("inner", inner); }
    Variable<double> forward(const Variable<double>& in) override { return inner(in); }
    nn::ReLU<double> inner;
  };
  CHECK(complaint([] { nn::Sequential<double> refused{Holder()}; }) ==
        "module: one that has modules as members can't be moved; make it shared, by "
        "std::make_shared");
  Holder holder;
  CHECK(holder(x).value().to_vector() == std::vector<double>{1.0, 0.0});
}

TEST_CASE("buffers that are parts of one another are restored each for itself") {
  struct Table : nn::Module<double> {
    Table() {
      const auto all = Tensor<double>::arange(100'000.0).reshape({100, 1000});
      this->add_buffer("first", all[0]);
      this->add_buffer("all", all);
    }
    Variable<double> forward(const Variable<double>& x) override { return x; }
  };
  Table table;
  CHECK(table.named_buffers().size() == 2);
  CHECK(complaint([&] { table.load_state_dict(Table().state_dict()); }) == "nothing");
}

TEST_CASE("a summary has a line for each parameter and buffer") {
  Random random(8);
  nn::Sequential<double> model{nn::Conv2d<double>(3, 4, 3, random),
                               sfumato::nn::BatchNorm2d<double, Device>(4)};
  CHECK(sfumato::nn::summary(model) ==
        "0.weight               (4, 3, 3, 3)  108\n"
        "0.bias                 (4,)          4\n"
        "1.weight               (4,)          4\n"
        "1.bias                 (4,)          4\n"
        "1.running_mean         (4,)          4, buffer\n"
        "1.running_var          (4,)          4, buffer\n"
        "1.num_batches_tracked  ()            1, buffer\n"
        "120 to train, 9 not");
}

}  // namespace sfumato::tested::nn_module
