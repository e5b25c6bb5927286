// The loops on threads: each index once, exceptions, loops inside loops, and the same bits for any
// number of threads.

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"
#include "support/threads.hpp"

namespace sfumato::core_threads_test {

namespace {

template <class T>
Variable<T> random_variable(const Shape& shape, std::uint64_t seed, bool requires_grad = false) {
  Random random(seed);
  return Variable<T>(Tensor<T>::randn(shape, random), requires_grad);
}

/// Checks that `compute` gives the same bits with 2, 3 and 7 threads as with one.
template <class Compute>
void check_same_bits(const Compute& compute) {
  const auto alone = [&] {
    const Threads one(1);
    return compute();
  }();
  for (const int count : {2, 3, 7}) {
    CAPTURE(count);
    const Threads several(count);
    CHECK(compute() == alone);
  }
}

}  // namespace

TEST_CASE("pieces cover the range once, in lengths that depend on the grain alone") {
  for (const int threads : {1, 2, 5}) {
    const Threads several(threads);
    for (const std::int64_t count : {0, 1, 2, 63, 64, 65, 1001, 65537}) {
      for (const std::int64_t grain : {1, 7, 64, 1000, 100000}) {
        if (count / grain > 2000) continue;  // many tiny pieces teach nothing more
        std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
        std::atomic<bool> as_promised = true;
        parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
          if (begin % grain != 0 || end != std::min(begin + grain, count)) as_promised = false;
          for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
        });
        CHECK(as_promised);
        bool once = true;
        for (const auto& visit : visits) once = once && visit == 1;
        CHECK(once);
      }
    }
  }
}

TEST_CASE("a grain below one means one and a huge one means one piece") {
  for (const std::int64_t grain : {std::int64_t{0}, std::int64_t{-5}}) {
    std::atomic<int> pieces = 0;
    parallel_for(10, grain, [&](std::int64_t begin, std::int64_t end) {
      if (end == begin + 1) ++pieces;
    });
    CHECK(pieces == 10);
  }
  std::int64_t seen = 0;
  parallel_for(10, std::numeric_limits<std::int64_t>::max(),
               [&](std::int64_t begin, std::int64_t end) { seen = begin == 0 ? end : -1; });
  CHECK(seen == 10);
  parallel_for(-3, 1, [&](std::int64_t, std::int64_t) { seen = -1; });
  CHECK(seen == 10);
}

TEST_CASE("each thread begins with a part of the range of its own") {
  const Threads several(2);
  REQUIRE(thread_count() == 2);
  std::mutex mutex;
  std::map<std::thread::id, std::int64_t> first_chunks;
  std::atomic<int> arrived = 0;
  parallel_for(100, 1, [&](std::int64_t chunk, std::int64_t) {
    {
      const std::lock_guard lock(mutex);
      if (first_chunks.emplace(std::this_thread::get_id(), chunk).second) ++arrived;
    }
    while (arrived < 2) std::this_thread::yield();  // lest one does all before the other comes
  });
  CHECK(first_chunks.extract(std::this_thread::get_id()).mapped() == 0);
  REQUIRE(first_chunks.size() == 1);
  CHECK(first_chunks.begin()->second == 50);
}

TEST_CASE("a thread that has finished takes chunks of those that have not") {
  for (const std::int64_t slow : {0, 50}) {
    CAPTURE(slow);
    const Threads several(2);
    REQUIRE(thread_count() == 2);
    std::atomic<int> others = 0;
    std::atomic<bool> in_time = false;
    parallel_for(100, 1, [&](std::int64_t chunk, std::int64_t) {
      if (chunk != slow) {
        ++others;
        return;
      }
      // Until all others are done, of which its own thread does none meanwhile.
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      while (others < 99 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      in_time = others == 99;
    });
    CHECK(in_time);
    CHECK(others == 99);
  }
}

TEST_CASE("an exception ends the loop, reaches the caller, and leaves the pool usable") {
  for (const int threads : {1, 4}) {
    const Threads several(threads);
    for (int round = 0; round < 50; ++round) {
      CHECK_THROWS_WITH_AS(parallel_for(1000, 1,
                                        [&](std::int64_t begin, std::int64_t) {
                                          if (begin == 500) throw std::runtime_error("at 500");
                                        }),
                           "at 500", std::runtime_error);
    }
    // One of several is chosen; the others are dropped, not terminated for.
    CHECK_THROWS_AS(
        parallel_for(100, 1, [](std::int64_t, std::int64_t) { throw ValueError("everywhere"); }),
        ValueError);
    std::atomic<int> visits = 0;
    parallel_for(100, 1, [&](std::int64_t, std::int64_t) { ++visits; });
    CHECK(visits == 100);
  }
}

TEST_CASE("loops inside loops run every index, and exceptions leave both") {
  const Threads several(3);
  std::atomic<int> visits = 0;
  parallel_for(20, 1, [&](std::int64_t, std::int64_t) {
    parallel_for(30, 4, [&](std::int64_t begin, std::int64_t end) {
      parallel_for(end - begin, 1, [&](std::int64_t, std::int64_t) { ++visits; });
    });
  });
  CHECK(visits == 600);
  CHECK_THROWS_AS(parallel_for(20, 1,
                               [](std::int64_t outer, std::int64_t) {
                                 parallel_for(20, 1, [&](std::int64_t inner, std::int64_t) {
                                   if (outer == 7 && inner == 13) throw ValueError("inside");
                                 });
                               }),
                  ValueError);
}

TEST_CASE("program threads may run loops at the same time and change the number of threads") {
  const Threads several(3);
  std::atomic<std::int64_t> total = 0;
  std::vector<std::thread> programs;
  for (int i = 0; i < 3; ++i) {
    programs.emplace_back([&, i] {
      for (int round = 0; round < 30; ++round) {
        if (i == 0 && round % 10 == 9) set_thread_count(2 + round / 10);
        parallel_for(100, 3, [&](std::int64_t begin, std::int64_t end) { total += end - begin; });
      }
    });
  }
  for (auto& program : programs) program.join();
  CHECK(total == 3 * 30 * 100);
}

TEST_CASE("program threads train networks of their own at once and share constants") {
  const Threads several(2);
  const auto images = random_variable<float>({4, 2, 12, 12}, 1);
  const auto labels = Tensor<std::int64_t>::from({0, 1, 2, 1}, {4});
  const auto train = [&](std::uint64_t seed) {
    Random random(seed);
    nn::Sequential<float> model{
        std::make_shared<nn::Conv2d<float>>(2, 4, 3, random), std::make_shared<nn::ReLU<float>>(),
        std::make_shared<nn::MaxPool2d<float>>(), std::make_shared<nn::Flatten<float>>(),
        std::make_shared<nn::Linear<float>>(100, 3, random)};
    optim::Adam<float> adam(model.parameters());
    std::vector<float> course;
    for (int i = 0; i < 5; ++i) {
      adam.zero_grad();
      const auto loss = losses::cross_entropy(model(images), labels);
      backward(loss);
      adam.step();
      course.push_back(loss.item());
    }
    return course;
  };
  std::vector<std::vector<float>> together(3);
  std::vector<std::thread> programs;
  for (std::size_t i = 0; i < together.size(); ++i) {
    programs.emplace_back([&, i] { together[i] = train(i); });
  }
  for (auto& program : programs) program.join();
  for (std::size_t i = 0; i < together.size(); ++i) CHECK(together[i] == train(i));
}

TEST_CASE("the number of threads is between 1 and 1024") {
  const Threads several(4);
  CHECK(thread_count() == 4);
  for (const int wrong : {0, -1, 1025, std::numeric_limits<int>::max()}) {
    CHECK(complaint([&] { set_thread_count(wrong); }) ==
          "set_thread_count: " + std::to_string(wrong) + " is not between 1 and 1024");
    CHECK_THROWS_AS(set_thread_count(wrong), ValueError);
  }
  CHECK(complaint([] {
          parallel_for(2, 1, [](std::int64_t, std::int64_t) { set_thread_count(2); });
        }) == "set_thread_count: called inside a parallel loop; call it outside");
  CHECK(thread_count() == 4);
  set_thread_count(1);
  CHECK(thread_count() == 1);
  std::atomic<bool> elsewhere = false;
  const auto here = std::this_thread::get_id();
  parallel_for(100, 1, [&](std::int64_t, std::int64_t) {
    if (std::this_thread::get_id() != here) elsewhere = true;
  });
  CHECK_FALSE(elsewhere);
}

TEST_CASE("sums have the same bits for any number of threads") {
  const auto x = random_variable<float>({1000003}, 1);
  const auto matrix = random_variable<float>({137, 1009}, 2);
  check_same_bits([&] { return ops::sum(x).item(); });
  check_same_bits([&] { return ops::sum(matrix, {0}).value().to_vector(); });
  check_same_bits([&] { return ops::sum(matrix, {1}).value().to_vector(); });
  check_same_bits([&] { return ops::mean(ops::transpose(matrix), {0}).value().to_vector(); });
}

TEST_CASE("matrix products have the same bits for any number of threads") {
  struct Sizes {
    std::int64_t m, n, k;
  };
  for (const Sizes& size : {Sizes{5, 7, 3}, Sizes{65, 63, 64}, Sizes{300, 520, 33},
                            Sizes{1, 700, 129}, Sizes{17, 19, 16384}, Sizes{3, 2, 70001}}) {
    CAPTURE(size.m);
    const auto a = random_variable<float>({size.m, size.k}, 3);
    const auto b = random_variable<float>({size.k, size.n}, 4);
    check_same_bits([&, a = a, b = b] { return ops::matmul(a, b).value().to_vector(); });
    check_same_bits([&, a = a, b = ops::transpose(b)] {
      return ops::matmul(a, b, {.transpose_b = true}).value().to_vector();
    });
  }
}

TEST_CASE("convolutions and their gradients have the same bits for any number of threads") {
  struct Case {
    Shape input;
    Shape weight;
    ops::Conv2dOptions options;
  };
  for (const Case& c : {Case{{2, 3, 33, 35}, {8, 3, 3, 3}, {.padding = 1}},
                        Case{{1, 32, 40, 37}, {48, 32, 3, 3}, {.padding = 1}},
                        Case{{1, 8, 31, 30}, {12, 4, 5, 5}, {.stride = 2, .groups = 2}},
                        Case{{2, 24, 19, 17}, {40, 24, 1, 1}, {}}}) {
    CAPTURE(c.weight.to_string());
    const auto x = random_variable<float>(c.input, 5, true);
    const auto w = random_variable<float>(c.weight, 6, true);
    check_same_bits([&] {
      const auto y = ops::conv2d(x, w, {}, c.options);
      const auto gradients = grad({ops::sum(ops::square(y))}, {x, w});
      return std::vector{y.value().to_vector(), gradients[0].value().to_vector(),
                         gradients[1].value().to_vector()};
    });
  }
}

TEST_CASE("softmax and pooling have the same bits for any number of threads") {
  const auto x = random_variable<float>({3, 17, 41, 29}, 7, true);
  for (const int axis : {0, 1, 3}) {
    check_same_bits([&] {
      const auto y = ops::softmax(x, axis);
      return std::vector{y.value().to_vector(),
                         grad({ops::sum(ops::square(y))}, {x})[0].value().to_vector()};
    });
  }
  check_same_bits([&] {
    const auto y = ops::max_pool2d(x, {.kernel = 3, .stride = 2}) +
                   ops::avg_pool2d(x, {.kernel = 3, .stride = 2});
    return std::vector{y.value().to_vector(),
                       grad({ops::sum(ops::square(y))}, {x})[0].value().to_vector()};
  });
}

}  // namespace sfumato::core_threads_test
