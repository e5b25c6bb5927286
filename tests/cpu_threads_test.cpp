// The CPU's loops: every index once, the same bits for any number of threads.

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "sfumato/sfumato.hpp"

using namespace sfumato;

TEST_CASE("parallel loops visit every index once") {
  for (const std::int64_t count : {0, 1, 7, 1000, 4097}) {
    for (const std::int64_t grain : {1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
        CHECK(end - begin <= grain);
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const auto& visit : visits) CHECK(visit == 1);
    }
  }
}

TEST_CASE("loops inside loops, in several program threads, and exceptions in them") {
  set_thread_count(3);
  std::atomic<int> total = 0;
  const auto nested = [&] {
    parallel_for(10, 1, [&](std::int64_t, std::int64_t) {
      parallel_for(10, 1, [&](std::int64_t, std::int64_t) { ++total; });
    });
  };
  std::thread other([&] {
    for (int i = 0; i < 20; ++i) nested();
  });
  for (int i = 0; i < 20; ++i) nested();
  other.join();
  CHECK(total == 4000);
  const auto failing = [] {
    parallel_for(100, 1, [](std::int64_t begin, std::int64_t) {
      if (begin == 57) throw std::runtime_error("at 57");
    });
  };
  CHECK_THROWS_WITH_AS(failing(), "at 57", std::runtime_error);
  nested();  // the pool still works
  CHECK(total == 4100);
  CHECK_THROWS_WITH_AS(set_thread_count(0), "set_thread_count: 0 is not between 1 and 1024",
                       ValueError);
  CHECK_THROWS_WITH_AS(parallel_for(2, 1, [](std::int64_t, std::int64_t) { set_thread_count(2); }),
                       "set_thread_count: called inside a parallel loop; call it outside",
                       ValueError);
  CHECK(thread_count() == 3);
}

TEST_CASE("results have the same bits for any number of threads") {
  Random random(1);
  const Variable<float> x(Tensor<float>::normal({2, 24, 61, 67}, random), true);
  const Variable<float> w(Tensor<float>::normal({40, 24, 3, 3}, random), true);
  const Variable<float> strided(Tensor<float>::normal({8, 24, 5, 5}, random), true);
  const Variable<float> tall(Tensor<float>::normal({24, 70000}, random));
  const auto compute = [&] {
    std::vector<std::vector<float>> results;
    const auto keep = [&](const Variable<float>& y) { results.push_back(y.value().to_vector()); };
    const auto y = ops::conv2d(x, w, {}, {.padding = 1});
    const auto z = ops::conv2d(x, strided, {}, {.stride = 2});
    keep(y);
    keep(z);
    for (const auto& gradient : grad({ops::sum(y * y) + ops::sum(z)}, {x, w, strided}))
      keep(gradient);
    keep(ops::sum(x));
    keep(ops::sum(x, {0, 2, 3}));
    keep(ops::sum(x, {1}));
    keep(ops::softmax(x, 1));
    keep(ops::matmul(tall, tall, {.transpose_b = true}));
    keep(ops::matmul(ops::slice(tall, 1, {.stop = 24}), tall));
    return results;
  };
  set_thread_count(1);
  const auto alone = compute();
  for (const int threads : {2, 3, 7}) {
    set_thread_count(threads);
    CHECK(compute() == alone);
  }
}

TEST_CASE("map reads and writes with any strides, up to eight dimensions") {
  const Shape shape{2, 1, 3, 2, 1, 2, 2, 3};
  const auto x = Tensor<int>::arange(static_cast<int>(shape.elements())).reshape(shape);
  auto y = Tensor<int>::zeros(shape);
  // Backwards along the last axis, and the third axis repeated from its first element.
  Strides strides = row_major_strides(shape);
  strides[7] = -strides[7];
  strides[2] = 0;
  Cpu::map(detail::Identity{}, shape, Strided<int>{y.data(), row_major_strides(shape)},
           Strided<const int>{x.data() + 2, strides});
  for (std::int64_t a = 0; a < 2; ++a) {
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t h = 0; h < 3; ++h) {
        CHECK(y.at({a, 0, c, 1, 0, 1, 0, h}) == x.at({a, 0, 0, 1, 0, 1, 0, 2 - h}));
      }
    }
  }
}
