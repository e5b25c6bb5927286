// Every call of a training step fails in turn, plain and recorded: there is an error, the library
// can be used afterwards, and nothing is left behind.

#include <cmath>

#include "cuda_emulator/tests/support.hpp"
#include "sfumato/cuda.hpp"
#include "sfumato/sfumato.hpp"

namespace sfumato::every_call_fails_test {

namespace {

using DeviceVariable = Variable<float, Cuda>;

/// The same bits every time, without timing.
struct Deterministic {
  Deterministic() { cuda::options().deterministic = true; }
  Deterministic(const Deterministic&) = delete;
  Deterministic& operator=(const Deterministic&) = delete;
  ~Deterministic() { cuda::options().deterministic = false; }
};

/// A network that is trained step by step.
struct Training {
  Random random{7};
  DeviceVariable x{Tensor<float>::randn({2, 3, 8, 8}, random).to<Cuda>()};
  DeviceVariable filters{Tensor<float>::randn({4, 3, 3, 3}, random).to<Cuda>(), true};
  DeviceVariable weight{Tensor<float>::randn({64, 5}, random).to<Cuda>(), true};
  optim::Adam<float, Cuda> adam{{filters, weight}, {.learning_rate = 0.1}};
  Tensor<float, Cuda> loss = Tensor<float, Cuda>::empty({1});
  Repeat<Cuda> repeat;

  explicit Training(bool record) : repeat([this] { work(); }, record) {}

  void work() {
    adam.zero_grad();
    const DeviceVariable features =
        ops::max_pool2d(ops::relu(ops::conv2d(x, filters, {}, {.padding = 1})), {.kernel = 2});
    const DeviceVariable total =
        ops::mean(ops::square(ops::matmul(ops::reshape(features, {2, 64}), weight)));
    backward(total);
    adam.apply_gradients();
    Cuda::copy(loss.data(), total.value().data(), sizeof(float));
  }

  /// The loss after a step.
  float step() {
    adam.begin_step();
    repeat();
    return loss.item();
  }
};

std::vector<float> losses_of(Training& training, int steps) {
  std::vector<float> result;
  for (int i = 0; i < steps; ++i) result.push_back(training.step());
  return result;
}

std::uint64_t calls_so_far() {
  std::uint64_t calls = 0;
  for (const auto& [name, count] : emulator::counters().calls) calls += count;
  return calls;
}

/// Whether a call that fails leaves something behind for want of another way to free it.
bool frees(const std::string& call) {
  return call.find("Destroy") != std::string::npos || call.find("Free") != std::string::npos;
}

/// Lets each call fail that the steps make, from the device's first to the last that frees it.
void fail_each_call(bool record) {
  cuda::shutdown();
  emulator::reset_counters();
  std::vector<float> expected;
  {
    const Deterministic deterministic;
    Training training(record);
    expected = losses_of(training, 3);
  }
  cuda::shutdown();
  const std::uint64_t calls = calls_so_far();
  REQUIRE(calls > 100);
  REQUIRE(emulator::live_objects().empty());

  std::uint64_t errors = 0;
  for (std::uint64_t k = 0; k < calls; ++k) {
    emulator::fail_next("*", cudaErrorLaunchFailure, k);
    try {
      const Deterministic deterministic;
      Training training(record);
      try {
        losses_of(training, 3);
      } catch (const Error&) {
        ++errors;
        losses_of(training, 3);  // what was recorded, if it was, or anew
      }
    } catch (const Error&) {
      ++errors;
    }
    try {
      cuda::shutdown();
    } catch (const Error&) {
      ++errors;
    }
    emulator::stop_failing();
    const std::string call = emulator::failed_call();
    CAPTURE(call);
    {
      const Deterministic deterministic;
      Training training(record);
      CHECK(losses_of(training, 3) == expected);
    }
    cuda::shutdown();
    if (frees(call)) emulator::forgive_live_objects();
    for (const std::string& object : emulator::live_objects()) {
      FAIL_CHECK(call << " failed, and left behind: " << object);
    }
    emulator::forgive_live_objects();
    for (const std::string& violation : emulator::take_violations()) {
      FAIL_CHECK(call << " failed, and then: " << violation);
    }
  }
  CHECK(errors > calls / 2);
}

}  // namespace

TEST_CASE("a captured step does what the plain one does, with one call") {
  const Deterministic deterministic;
  Training plain(false);
  Training recorded(true);
  CHECK(losses_of(recorded, 6) == losses_of(plain, 6));
  CHECK(recorded.filters.value().to_vector() == plain.filters.value().to_vector());

  emulator::reset_counters();
  recorded.step();
  const emulator::Counters counters = emulator::counters();
  CHECK(counters.calls.count("cudaLaunchKernel") == 0);
  CHECK(counters.calls.at("cudaGraphLaunch") == 1);
  CHECK(counters.kernel_launches > 10);
  CHECK(counters.allocations == 0);
  CHECK(counters.synchronizations == 1);  // to read the loss
}

TEST_CASE("whichever call of a plain step fails, all is well afterwards") {
  fail_each_call(false);
}

TEST_CASE("whichever call of a captured step fails, all is well afterwards") {
  fail_each_call(true);
}

TEST_CASE("out of memory at any place in a step leaves the library usable") {
  const std::size_t base = std::size_t{32} << 20;  // what cuBLAS gets
  for (const bool record : {false, true}) {
    int errors = 0;
    for (std::size_t room = 0; room <= 64; room += 2) {
      cuda::shutdown();
      emulator::set_memory_limit(base + room * 1024);
      try {
        Training training(record);
        losses_of(training, 3);
      } catch (const ResourceError&) {
        ++errors;
      }
      emulator::set_memory_limit(emulator::kMemoryLimit);
      Training training(record);
      CHECK(std::isfinite(losses_of(training, 3).back()));
    }
    CHECK(errors > 5);
  }
  cuda::shutdown();
  CHECK(emulator::live_objects().empty());
}

}  // namespace sfumato::every_call_fails_test
