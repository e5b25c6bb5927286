// Several threads of a program that record and sweep graphs at the same time.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "sfumato/sfumato.hpp"

namespace sfumato::autodiff_threads_test {

namespace {

/// Runs `body(i)` in several threads and waits for all.
void in_threads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&body, i] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("threads that share parameters lose no gradient") {
  constexpr int kThreads = 4;
  struct Work {
    std::int64_t elements;
    int sweeps;
  };
  // Much contention, and loops that are shared out to the library's own threads.
  for (const Work& work : {Work{3, 200}, Work{100000, 5}}) {
    const Variable<double> w(Tensor<double>::full({work.elements}, 2.0), true);
    const Variable<double> b(Tensor<double>::scalar(0.5), true);
    for (const bool recomputed : {false, true}) {
      Variable<double>(w).zero_grad();
      Variable<double>(b).zero_grad();
      in_threads(kThreads, [&](int thread) {
        const auto model = [&](const std::vector<Variable<double>>& in) {
          return ops::sum(in[0] * w * w + b);
        };
        const Variable<double> x(Tensor<double>::full(w.shape(), static_cast<double>(thread)));
        for (int i = 0; i < work.sweeps; ++i) {
          backward(recomputed ? checkpoint(model, {x}) : model({x}));
        }
      });
      // Sums over threads and sweeps: whole numbers, so that the order does not matter.
      const auto sweeps = static_cast<double>(work.sweeps);
      const auto elements = static_cast<std::size_t>(work.elements);
      CHECK(w.grad().value().to_vector() ==
            std::vector<double>(elements, 2.0 * 2.0 * (0 + 1 + 2 + 3) * sweeps));
      CHECK(b.grad().item() == kThreads * sweeps * static_cast<double>(elements));
    }
  }
}

TEST_CASE("each thread records or not on its own") {
  const Variable<double> x(Tensor<double>::scalar(3.0), true);
  std::vector<int> recorded(2, 0);
  in_threads(2, [&](int thread) {
    const GradMode mode(thread == 0);
    for (int i = 0; i < 100; ++i) {
      recorded[static_cast<std::size_t>(thread)] += (x * x).requires_grad() ? 1 : 0;
    }
  });
  CHECK(recorded == std::vector<int>{100, 0});
  CHECK(grad_enabled());
}

}  // namespace sfumato::autodiff_threads_test
