// Optimisers and schedules against the numbers of PyTorch, and what they save and restore.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::optim_updates {

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

/// The same for two parameters, with a schedule for both.
template <class Optimizer>
void run_both(Optimizer& optimizer, const std::vector<Variable<double>>& p, int from, int to) {
  const optim::StepDecay schedule{.initial = 0.05, .every = 2, .factor = 0.5};
  for (int i = from; i < to; ++i) {
    optimizer.set_learning_rate(schedule(i));
    optimizer.zero_grad();
    backward(loss(p[0]) + loss(p[1]));
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
  const auto after = [](const optim::SGDOptions& options, const std::vector<double>& expected) {
    const auto p = start();
    optim::SGD<double> sgd({p}, options);
    run(sgd, p, 6);
    check_close(p, expected);
  };
  after({.learning_rate = 0.05}, {0.626137063529861, -0.526979188863372, -0.839281789003097});
  after({.learning_rate = 0.05, .momentum = 0.9},
        {0.0156759111256425, 1.43936202760374, -2.23366093225195});
  after({.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1},
        {0.0228709313504121, 0.874599046724563, -1.43792824453687});
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
}

TEST_CASE("AMSGrad takes PyTorch's steps") {
  const auto after = [](optim::AdamOptions options, const std::vector<double>& expected) {
    options.learning_rate = 0.3;
    options.beta2 = 0.5;  // so that the mean square falls, too
    const auto p = start();
    optim::Adam<double> adam({p}, options);
    run(adam, p, 12);
    check_close(p, expected);
  };
  after({}, {0.6682443059022909, 1.101807894655618, -1.799456305000627});
  after({.amsgrad = true}, {0.2536247194386821, 0.5289661759944051, -1.536780128357529});
  after({.weight_decay = 0.1, .decoupled_weight_decay = true, .amsgrad = true},
        {0.2680371522547592, 0.5217259401012335, -1.330765805300747});
}

TEST_CASE("RMSprop takes PyTorch's steps") {
  const auto after = [](optim::RMSpropOptions options, const std::vector<double>& expected) {
    options.learning_rate = 0.1;
    const auto p = start();
    optim::RMSprop<double> rmsprop({p}, options);
    run(rmsprop, p, 3);
    optim::RMSprop<double> restored({p}, options);
    restored.load_state_dict(rmsprop.state_dict());
    run(restored, p, 3);
    check_close(p, expected);
  };
  after({}, {0.2877138480289492, 0.04931573156634127, -1.047527870541048});
  after({.alpha = 0.9, .epsilon = 1e-3, .weight_decay = 0.1, .momentum = 0.5},
        {0.2208093395479179, -0.2539659438193272, -1.005789194581825});
  after({.alpha = 0.9, .weight_decay = 0.1, .momentum = 0.5, .centered = true},
        {0.2319127655472722, -0.09265521359779619, -1.087260738618296});
  after({.centered = true}, {0.2877155714707336, 0.05298744173121179, -1.048172986306003});
  const auto says = [](const optim::RMSpropOptions& options) {
    return complaint([&] { optim::RMSprop<double>({start()}, options); });
  };
  CHECK(says({.alpha = 1.0}) == "RMSprop: alpha 1 must be at least 0 and less than 1");
  CHECK(says({.momentum = -1.0}) == "RMSprop: momentum -1 must be a number that is not negative");
  CHECK(says({.weight_decay = -1.0}) ==
        "RMSprop: weight decay -1 must be a number that is not negative");
  CHECK(says({.epsilon = std::nan("")}) != "nothing");
  CHECK(says({.epsilon = 0.0}).starts_with("RMSprop: epsilon 0 is 0 in the parameters'"));
}

TEST_CASE("groups of parameters have learning rates and weight decays of their own") {
  const auto check = []<class Optimizer>(std::type_identity<Optimizer>, auto options,
                                         const std::vector<double>& first,
                                         const std::vector<double>& second) {
    options.learning_rate = 0.05;
    options.weight_decay = 0.1;
    const std::vector p{start(), start()};
    const auto make = [&](double rate) {
      auto optimizer = std::make_unique<Optimizer>(std::vector{p[0]}, options);
      optimizer->add_param_group({p[1]}, {.learning_rate = rate, .weight_decay = 0.3});
      return optimizer;
    };
    const auto optimizer = make(0.02);
    run_both(*optimizer, p, 0, 3);
    CHECK(optimizer->learning_rate() == 0.025);
    CHECK(optimizer->learning_rate(1) == doctest::Approx(0.01).epsilon(1e-15));
    const auto restored = make(99.0);
    restored->load_state_dict(optimizer->state_dict());
    run_both(*restored, p, 3, 6);
    check_close(p[0], first);
    check_close(p[1], second);
  };
  check(std::type_identity<optim::SGD<double>>{}, optim::SGDOptions{.momentum = 0.9},
        {0.4214773760790114, 0.2250393160250913, -1.60045233152141},
        {0.7053103662723669, -0.8686311485182483, -0.6907614795770048});
  check(std::type_identity<optim::Adam<double>>{}, optim::AdamOptions{},
        {0.8261083890658104, -1.825223865523692, 0.3254257428184973},
        {0.9301364906270926, -1.930033791053088, 0.4300624700355637});
  check(std::type_identity<optim::Adam<double>>{},
        optim::AdamOptions{.decoupled_weight_decay = true},
        {0.8101070479138021, -1.79170978734062, 0.3179510360642347},
        {0.9099434364682754, -1.888974158194767, 0.4202310708843878});
  check(std::type_identity<optim::RMSprop<double>>{}, optim::RMSpropOptions{},
        {0.3040013388701083, -0.8938502153253393, -0.5098446373385433},
        {0.577384786684376, -1.523854424428475, 0.03785519191205051});
}

TEST_CASE("a group has what the others have where it says nothing, and nothing that fails") {
  const std::vector p{start(), start(), start()};
  optim::SGD<double> sgd({p[0]}, {.learning_rate = 0.5, .weight_decay = 0.25});
  const auto state = sgd.state_dict();
  sgd.add_param_group({p[1], p[2]});
  sgd.set_learning_rate(0.125);
  CHECK(sgd.learning_rate(1) == 0.125);
  run(sgd, p[0], 1);
  backward(loss(p[2]));
  sgd.step();
  CHECK(p[2].value().to_vector()[0] == p[1].value().to_vector()[0] - 0.125 * (1.4 + 0.3 + 0.25));
  const auto says = [&](const std::vector<Variable<double>>& more,
                        const optim::ParameterGroupOptions& options) {
    return complaint([&] { sgd.add_param_group(more, options); });
  };
  CHECK(says({p[1]}, {}) ==
        "optimizer: parameters 1 and 3 are one, which would be changed twice a step; give it once");
  CHECK(says({start()}, {.learning_rate = -1.0}) ==
        "optimizer: a group's learning rate -1 must be a number that is not negative");
  CHECK(says({start()}, {.weight_decay = -1.0}) ==
        "optimizer: a group's weight decay -1 must be a number that is not negative");
  CHECK(complaint([&] { sgd.load_state_dict(state); }) ==
        "load_state_dict: the optimiser's state has no learning_rate_factor.1");
  CHECK(complaint([&] { sgd.learning_rate(2); }) ==
        "optimizer: there is no group 2 of parameters, but 0 to 1");
  optim::SGD<double> still({p[0]}, {.learning_rate = 0.0});
  CHECK(complaint([&] { still.add_param_group({p[1]}, {.learning_rate = 1.0}); }) ==
        "optimizer: a group's ratio of learning rates inf must be a number that is not negative");
  CHECK(complaint([&] { still.load_state_dict(sgd.state_dict()); }) ==
        "load_state_dict: this optimiser has no learning_rate_factor.1");
}

namespace {

/// Eight steps: the first parameter has a gradient in all, the second from the sixth on (frozen
/// before), the third in the first, fourth and seventh.
template <class T, class Optimizer, class Options>
std::vector<std::vector<T>> staggered(const Options& options) {
  const auto loss_of = [](const Variable<T>& p) {
    const Variable<T> target(
        Tensor<T>::from({static_cast<T>(0.3), static_cast<T>(0.1), T{-1}}, {3}));
    const Variable<T> scale(Tensor<T>::from({1, 2, 3}, {3}));
    return ops::sum(ops::square(p - target) * scale) +
           ops::sum(ops::pow(p, T{3})) * static_cast<T>(0.1);
  };
  std::vector<Variable<T>> p;
  for (int i = 0; i < 3; ++i) {
    p.emplace_back(Tensor<T>::from({1, -2, static_cast<T>(0.5)}, {3}), true);
  }
  p[1].set_requires_grad(false);
  Optimizer optimizer(p, options);
  for (int i = 1; i <= 8; ++i) {
    if (i == 6) p[1].set_requires_grad(true);
    optimizer.zero_grad();
    backward(loss_of(p[0]) + loss_of(p[1]));
    if (i % 3 == 1) backward(loss_of(p[2]));
    optimizer.step();
  }
  return {p[0].value().to_vector(), p[1].value().to_vector(), p[2].value().to_vector()};
}

/// In both precisions; the second and third parameter come to the same.
template <template <class> class Optimizer, class Options>
void check_staggered(const Options& options, const std::vector<double>& always,
                     const std::vector<double>& at_times) {
  const auto check = [&](const auto& values, double tolerance) {
    for (std::size_t i = 0; i < always.size(); ++i) {
      CHECK(std::abs(values[0][i] - always[i]) <= tolerance * std::abs(always[i]));
      CHECK(std::abs(values[1][i] - at_times[i]) <= tolerance * std::abs(at_times[i]));
      CHECK(values[2][i] == values[1][i]);
    }
  };
  check(staggered<double, Optimizer<double>>(options), 2e-15);
  check(staggered<float, Optimizer<float>>(options), 1e-6);
}

}  // namespace

TEST_CASE("a state is a copy, or the optimiser's own") {
  Variable<double> x({1.0, 2.0}, true);
  optim::Adam<double> adam({x});
  const auto step = [&] {
    x.zero_grad();
    backward(ops::sum(ops::square(x)));
    adam.step();
  };
  step();
  const auto copy = adam.state_dict().at("first_moment.0");
  const auto shared = adam.shared_state().at("first_moment.0");
  CHECK(copy.to_vector() == shared.to_vector());
  step();
  CHECK(copy.to_vector() != shared.to_vector());
  CHECK(shared.to_vector() == adam.state_dict().at("first_moment.0").to_vector());
}

TEST_CASE("PyTorch's steps for parameters that do not take part in each, in both precisions") {
  // PyTorch 2.15 in double.
  check_staggered<optim::Adam>(optim::AdamOptions{.learning_rate = 0.1},
                               {0.2725506225294301, -1.209487565409518, -0.2808734676561633},
                               {0.7029671057126528, -1.7004683986745208, 0.2009423973830648});
  check_staggered<optim::Adam>(optim::AdamOptions{.learning_rate = 0.1, .weight_decay = 0.1},
                               {0.2700614609264465, -1.209560056380314, -0.28055967039873464},
                               {0.7028778199532673, -1.700472401096731, 0.2009555671107408});
  check_staggered<optim::Adam>(optim::AdamOptions{.learning_rate = 0.1,
                                                  .beta1 = 0.8,
                                                  .beta2 = 0.95,
                                                  .epsilon = 1e-6,
                                                  .weight_decay = 0.1,
                                                  .decoupled_weight_decay = true},
                               {0.2582081228651352, -1.090231640908337, -0.28321954276435646},
                               {0.6778897442644565, -1.644471997015578, 0.18960263387463805});
  check_staggered<optim::SGD>(
      optim::SGDOptions{
          .learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1},
      {-0.028791382696377554, 0.42325287399628236, -0.9864330707533615},
      {0.42840561005267197, 0.20516561883281742, -1.5525141756871517});
}

TEST_CASE("the first step is as long as the learning rate, whenever it is") {
  const auto step_of = [](auto size, int late) {
    using T = decltype(size);
    const Variable<T> other(Tensor<T>::ones({1}), true);
    Variable<T> p(Tensor<T>::zeros({1}), true);
    optim::Adam<T> adam({other, p}, {.learning_rate = 0.01, .epsilon = 1e-30});
    for (int i = 0; i < late; ++i) adam.step();
    p.set_grad(Variable<T>(Tensor<T>::full({1}, size)));
    adam.step();
    return -static_cast<double>(p.item()) / 0.01;
  };
  for (const int late : {0, 1, 1000}) {
    CHECK(std::abs(step_of(3.0, late) - 1.0) < 1e-15);
    CHECK(std::abs(step_of(3.0F, late) - 1.0) < 1.5e-7);
  }
}

TEST_CASE("parameters of 16 bits take the steps of floats and are rounded") {
  const auto check = [](auto bits) {
    using T = decltype(bits);
    // The smallest, whose square is none of 16 bits, and none: that parameter stays.
    const std::vector<float> slopes{6e-8F, 0.0F, 1.0F, -300.0F};
    const auto of_bits = [](const std::vector<float>& values) {
      return Tensor<float>::from(values, {4}).template cast<T>();
    };
    const auto same_steps = [&](auto make) {
      Variable<T> p(of_bits({1.0F, 0.5F, -2.0F, 0.0F}), true);
      Variable<float> q(p.value().template cast<float>(), true);
      const auto optimizer = make(p);
      const auto reference = make(q);
      for (int i = 0; i < 10; ++i) {
        p.set_grad(Variable<T>(of_bits(slopes)));
        q.set_grad(Variable<float>(of_bits(slopes).template cast<float>()));
        optimizer->step();
        reference->step();
        q.mutable_value() = q.value().template cast<T>().template cast<float>();
        CHECK(p.value().template cast<float>().to_vector() == q.value().to_vector());
      }
      CHECK(q.value().to_vector()[1] == 0.5F);
      CHECK(q.value().to_vector()[3] > 0.0F);
      // And what is saved restores it.
      const auto state = optimizer->state_dict();
      reference->load_state_dict(state);
      for (const auto& [name, tensor] : reference->state_dict()) {
        CHECK(tensor.to_vector() == state.at(name).to_vector());
      }
    };
    same_steps([]<class U>(const Variable<U>& p) {
      return std::make_unique<optim::Adam<U>>(std::vector{p},
                                              optim::AdamOptions{.learning_rate = 0.01});
    });
    same_steps([]<class U>(const Variable<U>& p) {
      return std::make_unique<optim::Adam<U>>(
          std::vector{p}, optim::AdamOptions{.learning_rate = 0.01, .amsgrad = true});
    });
    same_steps([]<class U>(const Variable<U>& p) {
      return std::make_unique<optim::RMSprop<U>>(
          std::vector{p}, optim::RMSpropOptions{.momentum = 0.5, .centered = true});
    });
    same_steps([]<class U>(const Variable<U>& p) {
      return std::make_unique<optim::SGD<U>>(
          std::vector{p}, optim::SGDOptions{.learning_rate = 0.001, .momentum = 0.9});
    });
  };
  check(Half(0.0F));
  check(BFloat16(0.0F));
}

TEST_CASE("what can't be trained, or would be twice, is refused") {
  const auto says = [](const std::vector<Variable<double>>& parameters) {
    return complaint([&] { optim::SGD<double> sgd(parameters); });
  };
  const auto p = start();
  const auto q = start();
  CHECK(says({p, q}) == "nothing");
  CHECK(says({}) == "optimizer: there are no parameters to change");
  CHECK(says({p, q, Variable<double>(p)}) ==
        "optimizer: parameters 0 and 2 are one, which would be changed twice a step; give it once");
  const Variable<double> sharing(q.value().reshape({3, 1}), true);
  CHECK(
      says({p, q, sharing}) ==
      "optimizer: parameters 1 and 2 share their memory, which would be changed twice a step; use "
      "one Variable in both places, or clone() the value of one");
  // A view of a part shares memory, too; views of different parts do not.
  Tensor<double> whole{{1, 2}, {3, 4}, {5, 6}};
  const Variable<double> all(whole, true);
  const Variable<double> middle(whole[1], true);
  CHECK(says({all, middle}).starts_with("optimizer: parameters 0 and 1 share their memory"));
  CHECK(says({middle, all}).starts_with("optimizer: parameters 0 and 1 share their memory"));
  CHECK(says({middle, Variable<double>(whole[0], true), Variable<double>(whole[2], true)}) ==
        "nothing");
  CHECK(says({p, {}}) == "optimizer: parameter 1 is undefined");
  CHECK(says({p * 2.0}) ==
        "optimizer: parameter 0 (3,) is the result of affine; give the parameters that it was "
        "computed from, or detach() it");
  CHECK(says({p, p.detach()}) ==
        "optimizer: parameter 1 (3,) is a constant, which gets no gradient; make it a parameter "
        "with Variable(value, true)");
  const Variable<double> nothing(Tensor<double>::zeros({0}), true);
  const Variable<double> no_more(Tensor<double>::zeros({0}), true);
  CHECK(says({nothing, no_more}) == "nothing");
}

TEST_CASE("a frozen parameter stays as it is, even with a gradient from before") {
  auto p = start();
  optim::Adam<double> adam({p}, {.learning_rate = 0.1});
  run(adam, p, 2);
  const std::vector<double> before = p.value().to_vector();
  p.set_requires_grad(false);
  adam.step();
  CHECK(p.value().to_vector() == before);
  p.set_requires_grad(true);
  adam.step();
  CHECK(p.value().to_vector() != before);
}

TEST_CASE("options that are no numbers to compute with are refused") {
  const auto adam = [](const optim::AdamOptions& options) {
    return complaint([&] { optim::Adam<double>({start()}, options); });
  };
  const auto sgd = [](const optim::SGDOptions& options) {
    return complaint([&] { optim::SGD<double>({start()}, options); });
  };
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(adam({.beta1 = 1.0}) == "Adam: betas 1 and 0.999 must be at least 0 and less than 1");
  CHECK(adam({.beta2 = nan}) != "nothing");
  CHECK(adam({.learning_rate = -1.0}) ==
        "optimizer: learning rate -1 must be a number that is not negative");
  CHECK(adam({.weight_decay = -0.5}) ==
        "Adam: weight decay -0.5 must be a number that is not negative");
  for (const double value : {nan, infinity, -1.0}) {
    CHECK(adam({.learning_rate = value}) != "nothing");
    CHECK(adam({.epsilon = value}) != "nothing");
    CHECK(adam({.weight_decay = value}) != "nothing");
    CHECK(sgd({.learning_rate = value}) != "nothing");
    CHECK(sgd({.momentum = value}) != "nothing");
    CHECK(sgd({.weight_decay = value}) != "nothing");
    optim::SGD<double> optimizer({start()}, {.learning_rate = 0.5});
    CHECK(complaint([&] { optimizer.set_learning_rate(value); }) != "nothing");
    CHECK(optimizer.learning_rate() == 0.5);
  }
  CHECK(sgd({.nesterov = true}) == "SGD: Nesterov's variant needs a momentum above 0");
  CHECK(sgd({.learning_rate = 0.0}) == "nothing");

  CHECK(adam({.epsilon = 0.0}).starts_with("Adam: epsilon 0 is 0 in the parameters'"));
  CHECK(adam({.epsilon = 1e-60}) == "nothing");
  const Variable<float> p(Tensor<float>::ones({1}), true);
  CHECK(complaint([&] { optim::Adam<float>({p}, {.epsilon = 1e-60}); }) != "nothing");
}

TEST_CASE("a gradient that is no number is not hidden") {
  auto p = start();
  optim::Adam<double> adam({p});
  p.set_grad(Variable<double>(Tensor<double>::from({1.0, std::nan(""), 1.0}, {3})));
  adam.step();
  CHECK(p.value().to_vector()[0] == doctest::Approx(0.999).epsilon(1e-10));
  CHECK(std::isnan(p.value().to_vector()[1]));
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
  state = first.state_dict();
  state.erase("second_moment.0");
  CHECK(complaint([&] { second.load_state_dict(state); }) ==
        "load_state_dict: the optimiser's state has no second_moment.0, but more of the same "
        "parameter");
  state.erase("first_moment.0");
  CHECK(complaint([&] { second.load_state_dict(state); }) ==
        "load_state_dict: the optimiser's state has no first_moment.0, but more of the same "
        "parameter");
  state = first.state_dict();
  state.insert_or_assign("count.0", Tensor<double>::from({4.5, 0, 0}, {3}));
  CHECK(complaint([&] { second.load_state_dict(state); }) ==
        "load_state_dict: the optimiser's count.0 can't be 4.5");
  state.insert_or_assign("count.0", Tensor<double>::from({5, 0, 0}, {3}));
  CHECK(complaint([&] { second.load_state_dict(state); }) ==
        "load_state_dict: the optimiser's count.0 can't be 5");
  CHECK(second.steps() == 10);
}

TEST_CASE("what is saved knows how often each parameter was updated") {
  const auto train = [](optim::Adam<float>& adam, const std::vector<Variable<float>>& p, int from,
                        int to) {
    for (int i = from; i < to; ++i) {
      adam.zero_grad();
      auto loss = ops::sum(ops::square(p[0]));
      if (i >= 3) loss = loss + ops::sum(ops::square(p[1]));
      backward(loss);
      adam.step();
    }
  };
  const auto two = [] {
    return std::vector{Variable<float>(Tensor<float>::full({2}, 3.0F), true),
                       Variable<float>(Tensor<float>::full({2}, 3.0F), true)};
  };
  const auto whole = two();
  optim::Adam<float> uninterrupted(whole, {.learning_rate = 0.1});
  train(uninterrupted, whole, 0, 9);
  for (const int pause : {0, 2, 3, 5}) {
    const auto p = two();
    optim::Adam<float> first(p, {.learning_rate = 0.1});
    train(first, p, 0, pause);
    optim::Adam<float> second(p, {.learning_rate = 0.1});
    const std::vector<Tensor<float>> values{p[0].value().clone(), p[1].value().clone()};
    train(second, p, 3, 5);  // what it remembers of these steps goes
    for (std::size_t i = 0; i < p.size(); ++i) {
      Variable<float>(p[i]).mutable_value() = values[i];
    }
    second.load_state_dict(first.state_dict());
    train(second, p, pause, 9);
    CHECK(p[0].value().to_vector() == whole[0].value().to_vector());
    CHECK(p[1].value().to_vector() == whole[1].value().to_vector());
  }
  const auto state = uninterrupted.state_dict();
  CHECK(state.at("count.0").to_vector() == std::vector<float>{9, 0, 0});
  CHECK(state.at("count.1").to_vector() == std::vector<float>{6, 0, 0});

  // Earlier versions did not count for each parameter.
  auto earlier = state;
  earlier.erase("count.0");
  earlier.erase("count.1");
  uninterrupted.load_state_dict(earlier);
  CHECK(uninterrupted.state_dict().at("count.0").to_vector() == std::vector<float>{9, 0, 0});
  CHECK(uninterrupted.state_dict().at("count.1").to_vector() == std::vector<float>{9, 0, 0});
}

TEST_CASE("what was restored is saved and restored again, of parameters never updated too") {
  const auto p = start();
  const auto unused = start();
  optim::Adam<double> first({p, unused});
  run(first, p, 2);
  optim::Adam<double> second({p, unused});
  second.load_state_dict(first.state_dict());
  optim::Adam<double> third({p, unused});
  CHECK(complaint([&] { third.load_state_dict(second.state_dict()); }) == "nothing");
  CHECK(third.steps() == 2);
}

TEST_CASE("in single precision too, a restored optimiser has the very learning rate and steps") {
  const Variable<float> p(Tensor<float>::ones({2}), true);
  optim::SGD<float> first({p}, {.learning_rate = 0.1});  // 0.1 is no float
  // A number of steps that is no float either.
  auto state = first.state_dict();
  state.insert_or_assign("steps", Tensor<float>::from({16777216.0F, 1.0F, 0.0F}, {3}));
  first.load_state_dict(state);
  CHECK(first.steps() == 16777217);
  optim::SGD<float> second({p}, {.learning_rate = 99.0});
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
        "load_state_dict: the optimiser's steps can't be -3");
  CHECK(says("steps", Tensor<double>::full({3}, std::nan(""))) ==
        "load_state_dict: the optimiser's steps can't be nan");
  CHECK(says("learning_rate", Tensor<double>::full({3}, -1.0)) ==
        "optimizer: learning rate -3 must be a number that is not negative");
  CHECK(adam.steps() == 3);
  for (const auto& [name, tensor] : adam.state_dict()) {
    CHECK(tensor.to_vector() == before.at(name).to_vector());
  }
}

TEST_CASE("steps take nothing from the system once they are warm") {
  const Variable<float> p(Tensor<float>::ones({300, 70}), true);
  optim::Adam<float> adam({p}, {.weight_decay = 0.1});
  optim::SGD<float> sgd({p}, {.momentum = 0.9, .nesterov = true, .weight_decay = 0.1});
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
  check([](const Parameters& p) { return std::make_unique<optim::SGD<double>>(p); });
  check([](const Parameters& p) { return std::make_unique<optim::Adam<double>>(p); });
}

TEST_CASE("a single number is a parameter, too") {
  const auto check = [](const char* name, const auto& make) {
    CAPTURE(name);
    const Variable<double> number(Tensor<double>::scalar(2.0), true);
    const Variable<double> line(Tensor<double>::full({1}, 2.0), true);
    for (const auto& p : {number, line}) {
      auto optimizer = make(p);
      for (int i = 0; i < 2; ++i) {
        optimizer.zero_grad();
        ops::sum(ops::square(p)).backward();
        optimizer.step();
      }
    }
    CHECK(number.shape() == Shape{});
    CHECK(number.item() == line.item());
    CHECK(number.item() < 2.0);
  };
  check("SGD", [](const auto& p) {
    return optim::SGD<double>({p}, {.learning_rate = 0.01, .momentum = 0.9, .nesterov = true});
  });
  check("Adam", [](const auto& p) { return optim::Adam<double>({p}, {.amsgrad = true}); });
  check("RMSprop", [](const auto& p) { return optim::RMSprop<double>({p}); });
  check("RMSprop, centred", [](const auto& p) {
    return optim::RMSprop<double>({p}, {.momentum = 0.5, .centered = true});
  });
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
  check(optim::Warmup(4, optim::CosineDecay{.initial = 0.2, .total = 8, .final = 0.02}),
        {0.05, 0.1, 0.15, 0.2, 0.2, 0.1931491579260158});
  check(optim::Warmup(0, optim::ExponentialDecay{.initial = 0.2, .factor = 0.9}), {0.2, 0.18});
}

TEST_CASE("a learning rate falls on a plateau as PyTorch's") {
  optim::ReduceOnPlateau plateau{
      .learning_rate = 0.1, .factor = 0.5, .patience = 1, .threshold = 0.1, .least = 0.02};
  const std::vector<double> losses{3.0, 2.0,          1.9, 1.85, 1.7, 1.69, 1.68, 1.67,
                                   1.5, std::nan(""), 2.0, 2.0,  2.0, 1.0,  2.0,  2.0};
  const std::vector<double> expected{0.1,   0.1,   0.1,  0.05, 0.05, 0.05, 0.025, 0.025,
                                     0.025, 0.025, 0.02, 0.02, 0.02, 0.02, 0.02,  0.02};
  for (std::size_t i = 0; i < losses.size(); ++i) CHECK(plateau(losses[i]) == expected[i]);
  CHECK(plateau.best == 1.0);
  optim::ReduceOnPlateau negative{.learning_rate = 1.0, .patience = 0};
  negative(-0.5);
  CHECK(negative(-0.5) == 0.1);  // no better
  optim::ReduceOnPlateau low{.learning_rate = 0.01, .patience = 0, .least = 0.1};
  low(1.0);
  CHECK(low(1.0) == 0.01);  // it never rises
  CHECK(complaint([] { optim::ReduceOnPlateau{.factor = 10.0}(1.0); }) ==
        "ReduceOnPlateau: factor 10 must be between 0 and 1");
}

TEST_CASE("schedules refuse what they would have to guess") {
  const auto says = [](const auto& schedule, std::int64_t step) {
    return complaint([&] { schedule(step); });
  };
  const std::string why = " there is no learning rate; steps count from 0, and every is at least 1";
  CHECK(says(optim::StepDecay{.every = 0}, 5) == "StepDecay: at step 5" + why);
  CHECK(says(optim::StepDecay{}, -1) == "StepDecay: at step -1" + why);
  CHECK(says(optim::ExponentialDecay{}, -1) == "ExponentialDecay: at step -1" + why);
  CHECK(says(optim::CosineDecay{.total = -1}, 2) == "CosineDecay: at step 2" + why);
  CHECK(says(optim::Warmup(-1, optim::CosineDecay{}), 2) == "Warmup: at step 2" + why);
  CHECK(says(optim::Warmup(1, optim::CosineDecay{}), -1) == "Warmup: at step -1" + why);
  CHECK(says(optim::CosineDecay{.total = 0}, 0) == "nothing");
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

TEST_CASE("gradients are scaled down together to a norm") {
  const auto a = start();
  const auto b = start();
  const auto unused = start();
  backward(ops::sum(a * 3.0) + ops::sum(b * 4.0));
  using sfumato::optim::clip_grad_norm;
  CHECK(clip_grad_norm(std::vector{a, b, unused}, 100.0) == doctest::Approx(std::sqrt(75.0)));
  CHECK(a.grad().value().to_vector()[0] == 3.0);
  CHECK(clip_grad_norm(std::vector{a, b, unused}, 1.0) == doctest::Approx(std::sqrt(75.0)));
  CHECK(a.grad().value().to_vector()[1] == doctest::Approx(3.0 / std::sqrt(75.0)));
  CHECK(b.grad().value().to_vector()[2] == doctest::Approx(4.0 / std::sqrt(75.0)));
  CHECK_FALSE(unused.grad().defined());
  CHECK(complaint([&] { clip_grad_norm(std::vector{a}, -1.0); }) ==
        "clip_grad_norm: -1 must be a number that is not negative");
  const auto far = start();
  backward(ops::sum(far * 1e200));
  CHECK(complaint([&] { clip_grad_norm(std::vector{far}, 1.0); }) ==
        "clip_grad_norm: a gradient is not finite, or its square is not");
}

TEST_CASE_TEMPLATE("the norm of gradients of 16 bits is a float's", S, Half, BFloat16) {
  // The squares of the small ones are 0 in Half, and those of the large ones infinite.
  for (const float size : {1e-4F, 300.0F}) {
    Variable<S> x(Tensor<S>::ones({4}), true);
    x.set_grad(Variable<S>(Tensor<S>::full({4}, S(size))));
    const double norm = sfumato::optim::clip_grad_norm(std::vector{x}, 1000.0);
    CHECK(norm == doctest::Approx(2.0 * static_cast<double>(float{S(size)})));
  }
}

}  // namespace sfumato::tested::optim_updates
