// Optimisers and schedules against the numbers of PyTorch 1.13, and what they save and restore.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested {

namespace {

Variable<double> start() {
  return Variable<double>(Tensor<double>::from({1.0, -2.0, 0.5}, {3}), true);
}

/// Σ scale (p - target)² + 0.1 Σ p³.
Variable<double> loss(const Variable<double>& p) {
  const Variable<double> target(Tensor<double>::from({0.3, 0.1, -1.0}, {3}));
  const Variable<double> scale(Tensor<double>::from({1.0, 2.0, 3.0}, {3}));
  return ops::sum(ops::square(p - target) * scale) + ops::sum(ops::pow(p, 3.0)) * 0.1;
}

template <class Optimizer>
void run(Optimizer& optimizer, const Variable<double>& p, int steps) {
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    backward(loss(p));
    optimizer.step();
  }
}

void check_close(const Variable<double>& p, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(p.value().to_vector()[i] == doctest::Approx(expected[i]).epsilon(1e-12));
  }
}

}  // namespace

TEST_CASE("SGD takes PyTorch's steps") {
  const auto after = [](const optim::SgdOptions& options, const std::vector<double>& expected) {
    const auto p = start();
    optim::Sgd<double> sgd({p}, options);
    run(sgd, p, 6);
    check_close(p, expected);
  };
  after({.learning_rate = 0.05}, {0.626137063529861, -0.526979188863372, -0.839281789003097});
  after({.learning_rate = 0.05, .momentum = 0.9},
        {0.0156759111256425, 1.43936202760374, -2.23366093225195});
  after({.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1},
        {0.0228709313504121, 0.874599046724563, -1.43792824453687});
  CHECK(complaint([] { optim::Sgd<double>({start()}, {.nesterov = true}); }) ==
        "Sgd: Nesterov's variant needs a momentum above 0");
}

TEST_CASE("Adam and AdamW take PyTorch's steps") {
  const auto after = [](const optim::AdamOptions& options, const std::vector<double>& expected) {
    const auto p = start();
    optim::Adam<double> adam({p}, options);
    run(adam, p, 6);
    check_close(p, expected);
  };
  after({.learning_rate = 0.1}, {0.427947485269311, -1.40390801977618, -0.0921209849721511});
  after({.learning_rate = 0.1, .weight_decay = 0.1},
        {0.427017389999838, -1.40393932204537, -0.0919995116496265});
  after({.learning_rate = 0.1,
         .beta1 = 0.8,
         .beta2 = 0.95,
         .epsilon = 1e-6,
         .weight_decay = 0.1,
         .decoupled_weight_decay = true},
        {0.398701267601799, -1.30499976909355, -0.102633382967155});
  CHECK(complaint([] { optim::Adam<double>({start()}, {.beta1 = 1.0}); }) ==
        "Adam: betas 1.000000 and 0.999000 must be at least 0 and less than 1");
  CHECK(complaint([] { optim::Adam<double>({start()}, {.learning_rate = -1.0}); }) ==
        "optimizer: learning rate -1.000000 must be a number that is not negative");
  CHECK(complaint([] { optim::Adam<double>({start()}, {.learning_rate = std::nan("")}); }) !=
        "nothing");
}

TEST_CASE("a restored optimiser goes on with the same bits") {
  const auto whole = start();
  optim::Adam<double> uninterrupted({whole}, {.learning_rate = 0.1});
  run(uninterrupted, whole, 10);

  const auto p = start();
  optim::Adam<double> first({p}, {.learning_rate = 0.1});
  run(first, p, 4);
  optim::Adam<double> second({p}, {.learning_rate = 99.0});
  second.load_state_dict(first.state_dict());
  CHECK(second.steps() == 4);
  CHECK(second.learning_rate() == 0.1);
  run(second, p, 6);
  CHECK(p.value().to_vector() == whole.value().to_vector());

  auto state = first.state_dict();
  state.emplace("velocity.0", Tensor<double>::zeros({3}));
  CHECK(complaint([&] { second.load_state_dict(state); }) ==
        "load_state_dict: this optimiser has no velocity.0");
  state = first.state_dict();
  state.insert_or_assign("first_moment.0", Tensor<double>::zeros({4}));
  CHECK(complaint([&] { second.load_state_dict(state); }) ==
        "load_state_dict: first_moment.0 has the shape (4,) but the parameter's is (3,)");
  state.erase("steps");
  CHECK(complaint([&] { second.load_state_dict(state); }) ==
        "load_state_dict: the optimiser's state has no steps");
  CHECK(second.steps() == 10);
}

TEST_CASE("in single precision too, a restored optimiser has the very learning rate and steps") {
  const Variable<float> p(Tensor<float>::ones({2}), true);
  optim::Sgd<float> first({p}, {.learning_rate = 0.1});  // 0.1 is no float
  // A number of steps that is no float either.
  auto state = first.state_dict();
  state.insert_or_assign("steps", Tensor<float>::from({16777216.0F, 1.0F, 0.0F}, {3}));
  first.load_state_dict(state);
  CHECK(first.steps() == 16777217);
  optim::Sgd<float> second({p}, {.learning_rate = 99.0});
  second.load_state_dict(first.state_dict());
  CHECK(second.learning_rate() == 0.1);
  CHECK(second.steps() == 16777217);
}

TEST_CASE("a state that no optimiser can be in changes nothing") {
  const auto p = start();
  optim::Adam<double> adam({p}, {.learning_rate = 0.1});
  run(adam, p, 3);
  const auto before = adam.state_dict();
  const auto says = [&](const char* name, const Tensor<double>& tensor) {
    auto state = optim::Adam<double>({p}, {.learning_rate = 0.5}).state_dict();
    state.insert_or_assign(name, tensor);
    return complaint([&] { adam.load_state_dict(state); });
  };
  CHECK(says("steps", Tensor<double>::scalar(1.0)) ==
        "load_state_dict: the optimiser's steps has the shape () and not (3,)");
  CHECK(says("learning_rate", Tensor<double>::zeros({2})) ==
        "load_state_dict: the optimiser's learning_rate has the shape (2,) and not (3,)");
  CHECK(says("steps", Tensor<double>::full({3}, -1.0)) ==
        "load_state_dict: the optimiser can't have made -3.000000 steps");
  CHECK(says("steps", Tensor<double>::full({3}, std::nan(""))) ==
        "load_state_dict: the optimiser can't have made nan steps");
  CHECK(says("learning_rate", Tensor<double>::full({3}, -1.0)) ==
        "optimizer: learning rate -3.000000 must be a number that is not negative");
  CHECK(adam.steps() == 3);
  for (const auto& [name, tensor] : adam.state_dict()) {
    CHECK(tensor.to_vector() == before.at(name).to_vector());
  }
}

TEST_CASE("steps take nothing from the system once they are warm") {
  const Variable<float> p(Tensor<float>::ones({300, 70}), true);
  optim::Adam<float> adam({p}, {.weight_decay = 0.1});
  optim::Sgd<float> sgd({p}, {.momentum = 0.9, .nesterov = true, .weight_decay = 0.1});
  const auto step = [&] {
    for (optim::Optimizer<float>* const optimizer : {static_cast<optim::Optimizer<float>*>(&adam),
                                                     static_cast<optim::Optimizer<float>*>(&sgd)}) {
      optimizer->zero_grad();
      backward(ops::mean(ops::square(p)));
      optimizer->step();
    }
    return Pool<Device>::shared().statistics().system_allocations;
  };
  step();  // its moments and velocities stay, in blocks that its sweep had used
  const std::size_t warm = step();
  for (int i = 0; i < 5; ++i) CHECK(step() == warm);
}

TEST_CASE("a step counts as a change of what it changes") {
  const auto check = [](auto make) {
    Variable<double> p(Tensor<double>::ones({2}), true);
    Variable<double> idle(Tensor<double>::ones({2}), true);
    auto optimizer = make({p, idle});
    backward(ops::sum(p * p));
    const auto before = p.value().version();
    const auto idle_before = idle.value().version();
    optimizer->step();
    CHECK(p.value().version() != before);
    CHECK(idle.value().version() == idle_before);
  };
  using Parameters = std::vector<Variable<double>>;
  check([](const Parameters& p) { return std::make_unique<optim::Sgd<double>>(p); });
  check([](const Parameters& p) { return std::make_unique<optim::Adam<double>>(p); });
}

TEST_CASE("parameters without a gradient stay as they are") {
  const auto p = start();
  const auto unused = start();
  optim::Adam<double> adam({p, unused}, {.learning_rate = 0.1});
  run(adam, p, 2);
  CHECK(unused.value().to_vector() == start().value().to_vector());
}

TEST_CASE("schedules give PyTorch's learning rates") {
  const auto check = [](const auto& schedule, const std::vector<double>& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(schedule(static_cast<std::int64_t>(i)) == doctest::Approx(expected[i]).epsilon(1e-12));
    }
  };
  check(optim::StepDecay{.initial = 0.2, .every = 3, .factor = 0.1},
        {0.2, 0.2, 0.2, 0.02, 0.02, 0.02, 0.002, 0.002});
  check(optim::ExponentialDecay{.initial = 0.2, .factor = 0.9},
        {0.2, 0.18, 0.162, 0.1458, 0.13122, 0.118098, 0.1062882});
  check(optim::CosineDecay{.initial = 0.2, .total = 8, .final = 0.02},
        {0.2, 0.1931491579260158, 0.17363961030678926, 0.1444415089128581, 0.11,
         0.07555849108714192, 0.04636038969321073, 0.026850842073984194, 0.02, 0.02});
  check(optim::CosineDecay{.initial = 0.2, .total = 10, .final = 0.0, .warmup = 4},
        {0.05, 0.1, 0.15, 0.2, 0.2});
}

TEST_CASE("a small network learns") {
  Random random(1);
  nn::Sequential<float> model{std::make_shared<nn::Linear<float>>(2, 16, random),
                              std::make_shared<nn::ReLU<float>>(),
                              std::make_shared<nn::Linear<float>>(16, 2, random)};
  // Exclusive or.
  const Variable<float> x(Tensor<float>::from({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2}));
  const auto labels = Tensor<std::int64_t>::from({0, 1, 1, 0}, {4});
  optim::Adam<float> adam(model.parameters(), {.learning_rate = 0.05});
  for (int i = 0; i < 200; ++i) {
    adam.zero_grad();
    backward(losses::cross_entropy(model(x), labels));
    adam.step();
  }
  CHECK(losses::cross_entropy(model(x), labels).item() < 0.05F);
}

}  // namespace sfumato::tested
