// Threads with small stacks: a quarter of a mebibyte is enough for all that the library does, on
// threads of the program and on those that share its loops. Checked with a little less, as other
// compilers and processors need more.

#include <doctest/doctest.h>

#include <pthread.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/sanitizers.hpp"

namespace sfumato::cpu_stack_test {

namespace {

// Sanitizers make everything on the stack larger.
constexpr std::size_t kStack = (kAddressSanitizer || kThreadSanitizer ? 8192 : 192) << 10;

template <class T>
Variable<T> random_variable(const Shape& shape) {
  Random random(5);
  return Variable<T>(Tensor<float>::randn(shape, random).template cast<T>(), true);
}

template <class T>
void convolve_and_multiply() {
  for (const std::int64_t channels : {3, 64}) {
    for (const std::int64_t kernel : {1, 3, 5}) {
      const auto x = random_variable<T>({1, channels, 40, 40});
      const auto weight = random_variable<T>({64, channels, kernel, kernel});
      backward(ops::sum(ops::max_pool2d(ops::conv2d_relu(x, weight, {}, {.padding = 1}))));
      backward(ops::sum(ops::avg_pool2d(ops::conv2d(x, weight, {}, {.stride = 2}))));
    }
  }
  for (const std::int64_t n : {90, 127, 181, 300}) {
    backward(ops::sum(ops::matmul(random_variable<T>({n, n}), random_variable<T>({n, n}))));
  }
}

template <class T>
void train() {
  using std::make_shared;
  Random random(7);
  nn::Sequential<T> model{make_shared<nn::Conv2d<T>>(3, 16, 3, random), make_shared<nn::ReLU<T>>(),
                          make_shared<nn::MaxPool2d<T>>(), make_shared<nn::Flatten<T>>(),
                          make_shared<nn::Linear<T>>(16 * 15 * 15, 10, random)};
  optim::Adam<T> adam(model.parameters());
  const auto labels = Tensor<std::int64_t>::from({1, 2}, {2});
  for (int i = 0; i < 2; ++i) {
    adam.zero_grad();
    const auto x = random_variable<T>({2, 3, 32, 32});
    const auto scores = checkpoint([&](const auto& in) { return model(in[0]); }, {x});
    backward(losses::cross_entropy(scores, labels));
    adam.step();
  }
}

void sweep_and_destroy_a_long_chain() {
  const auto x = random_variable<double>({2});
  Variable<double> y = x;
  for (int i = 0; i < 100000; ++i) y = (i % 2 == 0) ? y + x : y * x;
  backward(ops::sum(y));
  y = x;
  for (int i = 0; i < 100000; ++i) y = y * y;
}

void* work(void* done) {
  convolve_and_multiply<float>();
  convolve_and_multiply<double>();
  convolve_and_multiply<BFloat16>();
  train<float>();
  train<double>();
  sweep_and_destroy_a_long_chain();
  *static_cast<bool*>(done) = true;
  return nullptr;
}

}  // namespace

TEST_CASE("a stack of a quarter of a mebibyte is enough") {
  const int before = thread_count();
  pthread_attr_t small;
  REQUIRE(pthread_attr_init(&small) == 0);
  REQUIRE(pthread_attr_setstacksize(&small, kStack) == 0);
  for (const int threads : {1, 3}) {
#if defined(__GLIBC__)  // elsewhere the workers have the usual stack
    pthread_attr_t usual;
    REQUIRE(pthread_getattr_default_np(&usual) == 0);
    REQUIRE(pthread_setattr_default_np(&small) == 0);
    set_thread_count(threads);
    REQUIRE(pthread_setattr_default_np(&usual) == 0);
    pthread_attr_destroy(&usual);
#else
    set_thread_count(threads);
#endif
    pthread_t thread{};
    bool done = false;
    REQUIRE(pthread_create(&thread, &small, work, &done) == 0);
    REQUIRE(pthread_join(thread, nullptr) == 0);
    CHECK(done);
  }
  pthread_attr_destroy(&small);
  set_thread_count(before);
}

}  // namespace sfumato::cpu_stack_test
