// Memory that runs out at any moment: of a training step, every call of operator new, and every
// block that the device is asked for, is refused once. That is an exception and nothing else: no
// hang, no end of the program, nothing lost, and the next step computes the same bits.

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "sfumato/sfumato.hpp"

namespace {

/// Counts calls until one is refused, and those after it if `for_good`.
struct Refusal {
  std::atomic<std::int64_t> left = -1;  // calls until then; -1: none is refused
  std::atomic<bool> refused = false;
  bool for_good = false;

  bool refuses() {
    if (refused && for_good) return true;
    if (left < 0 || left-- != 0) return false;
    return refused = true;
  }
};

Refusal of_new;
Refusal of_device;
std::atomic<std::int64_t> living = 0;  // blocks from operator new

void* take(std::size_t size, std::size_t alignment) {
  if (of_new.refuses()) throw std::bad_alloc();
  void* const block = std::aligned_alloc(alignment, (size / alignment + 1) * alignment);
  if (block == nullptr) throw std::bad_alloc();
  living.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void give_back(void* block) {
  if (block == nullptr) return;
  living.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  return take(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept {
  give_back(block);
}
void operator delete(void* block, std::size_t) noexcept {
  give_back(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  give_back(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  give_back(block);
}

using namespace sfumato;

namespace {

/// The processor, of whose memory now and then there is none.
struct Device : Cpu {
  static void* allocate(std::size_t bytes) {
    return of_device.refuses() ? nullptr : Cpu::allocate(bytes);
  }
};

using Value = Variable<float, Device>;

/// A training step of a network that begins anew each time. Returns what it computed.
std::vector<float> train() {
  using std::make_shared;
  Random random(7);
  const auto images = Tensor<float, Device>::randn({2, 3, 24, 24}, random);
  const auto labels = Tensor<std::int64_t, Device>::from({1, 2}, {2});
  nn::Sequential<float, Device> block{
      make_shared<nn::Conv2d<float, Device>>(3, 8, 3, random, ops::Conv2dOptions{.padding = 1}),
      make_shared<nn::ReLU<float, Device>>(), make_shared<nn::MaxPool2d<float, Device>>()};
  nn::Sequential<float, Device> head{
      make_shared<nn::Conv2d<float, Device>>(8, 4, 3, random, ops::Conv2dOptions{.stride = 2}),
      make_shared<nn::AvgPool2d<float, Device>>(), make_shared<nn::Dropout<float, Device>>(0.25, 3),
      make_shared<nn::Flatten<float, Device>>(),
      make_shared<nn::Linear<float, Device>>(16, 3, random)};
  auto parameters = block.parameters();
  for (const auto& parameter : head.parameters()) parameters.push_back(parameter);
  optim::Adam<float, Device> adam(parameters, {.learning_rate = 0.1});

  const Value x(images, true);
  const Value y = block(x);
  const Value z = checkpoint([&](const std::vector<Value>& in) { return head(in[0]); }, {y});
  const Value loss = losses::cross_entropy(z, labels) + ops::mean(ops::square(z));
  adam.zero_grad();
  backward(loss);
  adam.step();

  std::vector<float> computed = parameters[0].value().to_vector();
  computed.push_back(loss.item());
  return computed;
}

/// Refuses the n-th call for n = 0, 1, … until `work` needs no more, and returns how many it
/// needed.
template <class Work>
std::int64_t refuse_each(Refusal& refusal, const Work& work) {
  auto& pool = Pool<Device>::shared();
  const std::vector<float> expected = train();  // so this thread has what it keeps for itself
  const auto rest = [&] {
    set_thread_count(1);
    pool.trim();
    Pool<Cpu>::shared().trim();  // where kernels have their scratch, one block for each thread
  };
  rest();
  for (std::int64_t n = 0;; ++n) {
    CAPTURE(n);
    const std::int64_t before = living;
    bool threw = false;
    bool same = false;
    refusal.left = n;
    try {
      same = work() == expected;
    } catch (const std::bad_alloc&) {
      threw = true;
    } catch (const ResourceError&) {
      threw = true;
    }
    refusal.left = -1;
    const bool over = !refusal.refused.exchange(false);
    rest();
    REQUIRE(threw != over);
    REQUIRE(same == over);
    REQUIRE(pool.statistics().bytes_in_use == 0);
    REQUIRE(pool.statistics().bytes_held == 0);
    REQUIRE(living.load() == before);
    if (over) return n;
    REQUIRE(work() == expected);
    rest();
  }
}

}  // namespace

TEST_CASE("operator new fails once, at any call of a training step") {
  of_new.for_good = false;
  CHECK(refuse_each(of_new, train) > 300);
}

TEST_CASE("operator new fails once while threads start and share a training step") {
  of_new.for_good = false;
  CHECK(refuse_each(of_new, [] {
          set_thread_count(3);
          return train();
        }) > 300);
}

TEST_CASE("the device has no more memory, from any block of a training step on") {
  of_device.for_good = true;
  CHECK(refuse_each(of_device, train) > 10);
}
