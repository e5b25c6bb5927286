// Work that is done again and again, on devices that can record it and on those that can't.

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "sfumato/core/repeat.hpp"
#include "sfumato/cpu/cpu.hpp"

namespace sfumato::core_repeat_test {

namespace {

std::string done;

struct Recorder {
  struct CapturedStep {
    void run(const std::function<void()>& work) {
      done += '[';
      work();
      done += ']';
    }
  };
};

std::string run_twice(auto repeat) {
  done.clear();
  repeat();
  repeat();
  return done;
}

}  // namespace

TEST_CASE("the work is done every time, unless the device records and nobody minds") {
  const auto work = [] { done += 'w'; };
  CHECK(run_twice(Repeat<Cpu>(work)) == "ww");
  CHECK(run_twice(Repeat<Cpu>(work, false)) == "ww");
  CHECK(run_twice(Repeat<Recorder>(work)) == "[w][w]");
  CHECK(run_twice(Repeat<Recorder>(work, false)) == "ww");
}

}  // namespace sfumato::core_repeat_test
