// Batches of examples: what is in them, in which order, and how an epoch ends.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"

namespace sfumato {

namespace {

/// An image of three numbers and a label.
std::pair<Tensor<float>, Tensor<std::int64_t>> example(std::int64_t i) {
  return {Tensor<float>::full({3}, static_cast<float>(i)), Tensor<std::int64_t>::scalar(i)};
}

template <class Loader>
std::vector<std::vector<std::int64_t>> labels_of(Loader& loader) {
  std::vector<std::vector<std::int64_t>> batches;
  for (const auto& [images, labels] : loader) {
    REQUIRE(images.shape() == Shape{labels.numel(), 3});
    for (std::int64_t i = 0; i < labels.numel(); ++i) {
      CHECK(images(i, 2) == static_cast<float>(labels(i)));
    }
    batches.push_back(labels.to_vector());
  }
  CHECK(static_cast<std::int64_t>(batches.size()) == loader.size());
  return batches;
}

using Batches = std::vector<std::vector<std::int64_t>>;

}  // namespace

TEST_CASE("examples come in batches, the last of which may be dropped") {
  for (const bool prefetch : {true, false}) {
    data::DataLoader loader(5, example, {.batch_size = 2, .prefetch = prefetch});
    CHECK(labels_of(loader) == Batches{{0, 1}, {2, 3}, {4}});
    CHECK(labels_of(loader) == Batches{{0, 1}, {2, 3}, {4}});
    data::DataLoader full(5, example, {.batch_size = 2, .drop_last = true, .prefetch = prefetch});
    CHECK(labels_of(full) == Batches{{0, 1}, {2, 3}});
    data::DataLoader even(4, example, {.batch_size = 2, .drop_last = true, .prefetch = prefetch});
    CHECK(labels_of(even) == Batches{{0, 1}, {2, 3}});
    data::DataLoader larger(3, example, {.batch_size = 8, .prefetch = prefetch});
    CHECK(labels_of(larger) == Batches{{0, 1, 2}});
    data::DataLoader nothing(0, example, {.prefetch = prefetch});
    CHECK(labels_of(nothing).empty());
  }
}

TEST_CASE("a seed and the number of the epoch say in which order") {
  const auto order = [](std::uint64_t seed, int epochs) {
    data::DataLoader loader(20, example, {.batch_size = 20, .shuffle = true, .seed = seed});
    Batches all;
    for (int i = 0; i < epochs; ++i) all.push_back(labels_of(loader)[0]);
    return all;
  };
  const Batches found = order(1, 2);
  CHECK(found == order(1, 2));
  CHECK(found[0] != found[1]);
  CHECK(found[0] != order(2, 1)[0]);
  for (auto epoch : found) {
    std::sort(epoch.begin(), epoch.end());
    for (std::int64_t i = 0; i < 20; ++i) CHECK(epoch[static_cast<std::size_t>(i)] == i);
  }
  // Whatever an epoch before has left out.
  data::DataLoader loader(20, example, {.batch_size = 5, .shuffle = true, .seed = 1});
  for (const auto& batch : loader) {
    CHECK(batch.second.numel() == 5);
    break;
  }
  Batches second;
  for (const auto& batch : loader) second.push_back(batch.second.to_vector());
  CHECK(second[0] == std::vector<std::int64_t>(found[1].begin(), found[1].begin() + 5));
}

TEST_CASE("examples may be one tensor or three") {
  data::DataLoader one(3, [](std::int64_t i) { return example(i).first; }, {.batch_size = 3});
  for (const Tensor<float>& batch : one) CHECK(batch.shape() == Shape{3, 3});
  data::DataLoader three(
      2,
      [](std::int64_t i) {
        return std::tuple(example(i).first, example(i).second, Tensor<double>::ones({2, 1}));
      },
      {.batch_size = 2});
  for (const auto& [a, b, c] : three) {
    CHECK(a.shape() == Shape{2, 3});
    CHECK(b.shape() == Shape{2});
    CHECK(c.shape() == Shape{2, 2, 1});
  }
}

TEST_CASE("another thread makes the next batch while one is used, and only if it may") {
  std::promise<void> second_is_made;
  const auto get = [&](std::int64_t i) {
    if (i == 1) second_is_made.set_value();
    return example(i);
  };
  data::DataLoader loader(2, get);
  auto epoch = loader.begin();
  second_is_made.get_future().wait();
  CHECK((*epoch).second(0) == 0);

  std::atomic<bool> elsewhere = false;
  const auto here = std::this_thread::get_id();
  const auto look = [&](std::int64_t i) {
    if (std::this_thread::get_id() != here) elsewhere = true;
    return example(i);
  };
  data::DataLoader alone(3, look, {.prefetch = false});
  labels_of(alone);
  CHECK_FALSE(elsewhere);
}

TEST_CASE("examples draw other random numbers in each batch and epoch, the same in each run") {
  const auto get = [](std::int64_t) { return Tensor<float>::rand({1}); };
  std::vector<std::vector<float>> runs;
  for (const bool prefetch : {true, false}) {
    data::DataLoader loader(4, get, {.batch_size = 2, .prefetch = prefetch});
    manual_seed(5);
    const float here = Tensor<float>::rand({1}).item();
    manual_seed(5);
    std::vector<float> numbers;
    for (int epoch = 0; epoch < 2; ++epoch) {
      for (const auto& batch : loader) {
        for (const float number : batch.to_vector()) numbers.push_back(number);
      }
    }
    CHECK(Tensor<float>::rand({1}).item() == here);  // the caller's go on
    runs.push_back(numbers);
    std::sort(numbers.begin(), numbers.end());
    CHECK(std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end());
    CHECK(numbers.size() == 8);
  }
  CHECK(runs[0] == runs[1]);
}

TEST_CASE("loops in one another call get() one at a time") {
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  const auto get = [&](std::int64_t i) {
    most = std::max<int>(most, ++running);
    std::this_thread::yield();
    --running;
    return example(i);
  };
  data::DataLoader loader(200, get, {.batch_size = 50});
  int batches = 0;
  for (const auto& outer : loader) {
    for (const auto& inner : loader) batches += outer.second.numel() == inner.second.numel();
  }
  CHECK(batches == 16);
  CHECK(most == 1);
}

TEST_CASE("what get() throws is thrown where its batch is due, and the next epoch is a new one") {
  for (const bool prefetch : {true, false}) {
    bool fails = true;
    const auto get = [&](std::int64_t i) {
      if (fails && i == 3) throw std::runtime_error("no example 3");
      return example(i);
    };
    data::DataLoader loader(6, get, {.batch_size = 2, .prefetch = prefetch});
    int batches = 0;
    std::string caught;
    try {
      for (const auto& batch : loader) batches += batch.second(0) == 0 ? 1 : 10;
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    CHECK(caught == "no example 3");
    CHECK(batches == 1);
    fails = false;
    CHECK(labels_of(loader).size() == 3);
  }
}

TEST_CASE("an epoch may be left at any time") {
  std::atomic<int> calls = 0;
  const auto get = [&](std::int64_t i) {
    ++calls;
    return example(i);
  };
  for (int taken = 0; taken < 5; ++taken) {
    data::DataLoader loader(100, get, {.batch_size = 10});
    int batches = 0;
    for (const auto& batch : loader) {
      CHECK(batch.second.numel() == 10);
      if (++batches > taken) break;
    }
    const int after = calls;
    std::this_thread::yield();
    CHECK(calls == after);  // nobody goes on
  }
}

TEST_CASE("the loader says what does not fit") {
  CHECK(complaint([] { data::DataLoader(-1, example); }) ==
        "DataLoader: -1 examples in batches of 1; give at least none, and batches of 1");
  CHECK(complaint([] { data::DataLoader(3, example, {.batch_size = 0}); }) ==
        "DataLoader: 3 examples in batches of 0; give at least none, and batches of 1");
  const auto uneven = [](std::int64_t i) { return Tensor<float>::zeros({i + 1}); };
  data::DataLoader loader(2, uneven, {.batch_size = 2});
  CHECK(complaint([&] { loader.begin(); }) == "stack: (2,) does not fit (1,)");
  const auto undefined = [](std::int64_t) { return Tensor<float>(); };
  data::DataLoader nothing(2, undefined, {.batch_size = 2});
  CHECK(complaint([&] { nothing.begin(); }).starts_with("stack: the Variable is undefined"));
}

}  // namespace sfumato
