// Steps as CUDA graphs: the same numbers as without, one launch each, and nothing lost when it
// fails.

#include <doctest/doctest.h>

#include <emulator.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::captured_step {

namespace {

nn::Vgg<float> small_network() {
  Random random(1);
  return nn::Vgg<float>({.widths = {8, 8, 8, 8, 8}}, random);
}

Tensor<float> image(std::uint64_t seed) {
  Random random(seed);
  return Tensor<float>::randn({1, 3, 32, 40}, random);
}

std::size_t pool_bytes() {
  return Pool<Cuda>::shared().statistics().bytes_in_use;
}

}  // namespace

TEST_CASE("a recorded transfer gives the same bits as one that is not, with two launches a step") {
  const PlainSums plain;
  auto network = small_network();
  const auto run = [&](bool record) {
    emulator::reset_counters();
    // The learning rate changes on the way: captured steps must notice.
    const auto result = style::transfer(network, image(2), image(3), image(2),
                                        {.iterations = 8,
                                         .learning_rate = 0.05,
                                         .lr_decay_every = 3,
                                         .borders = style::Borders::kPlain,
                                         .capture = record});
    std::vector<double> totals;
    for (const style::Iteration& iteration : result.history) totals.push_back(iteration.total);
    return std::pair(result.image.to_vector(), totals);
  };
  const auto plain_run = run(false);
  CHECK(emulator::counters().graph_launches == 0);
  const auto recorded = run(true);
  CHECK(emulator::counters().graph_launches == 2 * 7);  // the losses are looked at in between
  CHECK(recorded.first == plain_run.first);
  CHECK(recorded.second == plain_run.second);
  // The host waits once an iteration, for the losses, once for the graphs at their end, and for
  // what is copied to the device at the start: the picture, and the colours that it is clipped to.
  CHECK(emulator::counters().synchronizations <= 8 + 6);
}

TEST_CASE("captured steps of optimisers read rates, counts and moments where they are") {
  const auto run = [](auto make, bool record) {
    const Variable<float> p(Tensor<float>::from({1.0F, -2.0F, 0.5F}, {3}), true);
    const auto optimizer = make(p);
    Repeat<Cuda> step(
        [&] {
          optimizer->zero_grad();
          backward(ops::sum(ops::square(p)));
          optimizer->apply_gradients();
        },
        record);
    auto saved = optimizer->state_dict();
    for (int i = 0; i < 9; ++i) {
      optimizer->set_learning_rate(0.1 / (i + 1));
      if (i == 4) saved = optimizer->state_dict();
      if (i == 7) optimizer->load_state_dict(saved);  // the recording goes on from there
      optimizer->begin_step();
      step();
    }
    auto state = optimizer->state_dict();
    state.emplace("parameter", p.value());
    std::vector<std::vector<float>> all;
    for (const auto& [name, tensor] : state) all.push_back(tensor.to_vector());
    return all;
  };
  const auto adam = [](const Variable<float>& p) {
    return std::make_unique<optim::Adam<float>>(std::vector{p}, optim::AdamOptions{});
  };
  const auto sgd = [](const Variable<float>& p) {
    return std::make_unique<optim::SGD<float>>(std::vector{p}, optim::SGDOptions{.momentum = 0.9});
  };
  CHECK(run(adam, true) == run(adam, false));
  CHECK(run(sgd, true) == run(sgd, false));
}

TEST_CASE("tensors made between recorded runs are not overwritten by them") {
  Tensor<float> x = Tensor<float>::zeros({1000});
  Repeat<Cuda> step([&] {
    const Variable<float> two = Variable<float>(x) * 2.0F;
    const Variable<float> next = two * 0.5F + 1.0F;
    x.copy_from(next.value());
  });
  std::vector<Tensor<float>> copies;
  for (int i = 0; i < 5; ++i) {
    step();
    copies.push_back(x.clone());
  }
  for (std::size_t i = 0; i < copies.size(); ++i) {
    CHECK(copies[i].to_vector() == std::vector<float>(1000, static_cast<float>(i + 1)));
  }
}

TEST_CASE("what can't be recorded is said, and the next run records anew") {
  const std::size_t before = pool_bytes();
  {
    Tensor<float> x = Tensor<float>::zeros({4});
    bool read = true;
    Repeat<Cuda> step([&] {
      x.copy_from((Variable<float>(x) + 1.0F).value());
      if (read) x.to_vector();
    });
    step();
    CHECK(complaint([&] { step(); }) ==
          "copy to the host while a CUDA graph is being recorded, which it can't be part of; do it "
          "outside the repeated work, or turn capture off");
    read = false;
    step();
    step();
    CHECK(x.to_vector() == std::vector<float>(4, 3.0F));

    Repeat<Cuda> writes([&] { x.set({0}, 7.0F); });
    writes();
    CHECK(complaint([&] { writes(); }).starts_with("copy from the host while a CUDA graph"));
    Repeat<Cuda> unprepared([&, first = true]() mutable {
      if (!first) {
        ops::conv2d(Variable<float>(Tensor<float>::ones({1, 1, 9, 9})),
                    Variable<float>(Tensor<float>::ones({1, 1, 3, 3})));
      }
      first = false;
    });
    unprepared();
    CHECK(complaint([&] { unprepared(); }).starts_with("plan of a convolution while a CUDA graph"));
  }
  CHECK(pool_bytes() == before);
}

TEST_CASE("failures while recording or replaying are reported and leave the device usable") {
  const std::size_t before = pool_bytes();
  for (const std::string call :
       {"cudaStreamBeginCapture", "cudaGraphInstantiate", "cudaGraphLaunch"}) {
    CAPTURE(call);
    Tensor<float> x = Tensor<float>::zeros({4});
    Repeat<Cuda> step([&] { x.copy_from((Variable<float>(x) + 1.0F).value()); });
    step();
    emulator::fail_next(call, cudaErrorUnknown);
    CHECK(complaint([&] { step(); }).starts_with(call + ": cudaErrorUnknown"));
    CHECK(emulator::stop_failing());
    step();
    CHECK(x.to_vector() == std::vector<float>(4, 2.0F));
  }
  CHECK(pool_bytes() == before);
}

}  // namespace sfumato::tested::captured_step
