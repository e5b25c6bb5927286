// Random numbers: which they are, that a Random can be saved and restored, and that what used one
// can be done again with the same numbers.

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "sfumato/core/random.hpp"
#include "sfumato/core/random_journal.hpp"
#include "support/complaint.hpp"

namespace sfumato::core_random_test {

namespace {
std::vector<double> normals(Random& random, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(random.normal());
  return values;
}
}  // namespace

TEST_CASE("the generator is the standard's") {
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{5489}, ~std::uint64_t{0}}) {
    std::mt19937_64 standard(seed);
    Random random(seed);
    int different = 0;
    for (int i = 0; i < 2000; ++i) {
      different += random.uniform() != static_cast<double>(standard() >> 11) * 0x1p-53 ? 1 : 0;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("a Random goes on from a stored state, wherever it was stored") {
  for (const int drawn : {0, 1, 2, 7, 311, 312, 313, 1000}) {
    Random random(42);
    normals(random, drawn);
    const Random::State state = random.state();
    CHECK(state[313] == static_cast<std::uint64_t>(drawn % 2));  // a value to spare
    const auto expected = normals(random, 700);
    Random other(7);
    other.normal();  // its own spare value is forgotten
    other.set_state(state);
    CHECK(other.state() == state);
    CHECK(normals(other, 700) == expected);
    CHECK(other.state() == random.state());
  }
}

TEST_CASE("copies and assignments of a Random go on from the same place, each on its own") {
  Random random(1);
  random.normal();
  Random copy = random;
  const auto expected = normals(copy, 5);
  Random assigned(9);
  assigned = random;
  CHECK(normals(assigned, 5) == expected);
  const Random moved = std::move(random);
  Random from_constant = moved;
  CHECK(normals(from_constant, 5) == expected);
}

TEST_CASE("a state that no Random can have is refused and changes nothing") {
  Random random(3);
  random.normal();
  const Random::State right = random.state();
  const auto refused = [&](std::size_t place, std::uint64_t value) {
    Random::State wrong = right;
    wrong[place] = value;
    return complaint([&] { random.set_state(wrong); });
  };
  const std::string expected = "Random: set_state was given numbers that no state() has returned";
  CHECK(refused(312, 313) == expected);
  CHECK(refused(313, 2) == expected);
  CHECK(refused(314, 0x7ff0000000000000) == expected);  // an infinite spare value
  CHECK(complaint([&] { random.set_state({}); }) == expected);
  CHECK(random.state() == right);
}

TEST_CASE("a journal repeats the random numbers of what it has seen and nothing else changes") {
  Random first(1);
  Random second(2);
  Random unused(3);
  std::vector<double> seen;
  const auto use = [&] {
    Random copy = second;
    Random own(4);
    return std::vector<double>{first.normal(), first.uniform(), second.normal(), copy.normal(),
                               own.uniform()};
  };
  second.normal();
  std::vector<detail::RandomEntry> entries;
  {
    detail::RandomJournal outer;
    {
      detail::RandomJournal journal;
      seen = use();
      entries = journal.entries();
    }
    CHECK(outer.entries().size() == entries.size());
  }
  Random moved = std::move(first);  // is followed
  const auto again = [&] {
    Random copy = second;
    Random own(4);
    return std::vector<double>{moved.normal(), moved.uniform(), second.normal(), copy.normal(),
                               own.uniform()};
  };
  unused.normal();
  const auto at_moved = moved.state();
  const auto at_second = second.state();
  const auto at_unused = unused.state();
  for (int i = 0; i < 2; ++i) {
    const detail::RandomReplay replay(entries);
    CHECK(again() == seen);
    unused.normal();
  }
  CHECK(moved.state() == at_moved);
  CHECK(second.state() == at_second);
  CHECK(unused.state() != at_unused);
  CHECK(again() != seen);
}

}  // namespace sfumato::core_random_test
