// Children of fork(): they compute what their parent does and end in order, whatever the parent's
// threads were doing meanwhile.

#include <doctest/doctest.h>

#if defined(__unix__) || defined(__APPLE__)

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/sanitizers.hpp"
#include "support/threads.hpp"

namespace sfumato::core_fork_test {

namespace {

bool is_child = false;

}  // namespace

// What its parent's other threads held when a child was forked is nobody's in the child, and the
// leak sanitizer, which asks this before it looks, would say so.
extern "C" int __lsan_is_turned_off() {  // NOLINT(bugprone-reserved-identifier)
  return is_child ? 1 : 0;
}

namespace {

/// What a child that calls `body` ends with: its status, or 1000 and the signal that killed it. It
/// ends as a program does, by exit(), which destroys all that is static.
template <class Body>
int status_of_child(const Body& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    is_child = true;
    alarm(30);  // a child that hangs is killed
    int status = 99;
    try {
      status = body();
    } catch (...) {
    }
    std::exit(status);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

std::vector<float> compute() {
  Random random(3);
  const Variable<float> x(Tensor<float>::randn({2, 8, 40, 40}, random), true);
  const Variable<float> w(Tensor<float>::randn({8, 8, 3, 3}, random), true);
  const auto y = ops::conv2d(x, w, {}, {.padding = 1});
  return grad({ops::sum(y * y)}, {w})[0].value().to_vector();
}

int equals(const std::vector<float>& expected) {
  return compute() == expected ? 0 : 1;
}

}  // namespace

// The thread sanitizer mistakes a child's threads for those of its parent.
TEST_CASE("a child computes what its parent does, on as many threads, and ends in order" *
          doctest::skip(kThreadSanitizer)) {
  for (const int count : {1, 3}) {
    CAPTURE(count);
    const Threads threads(count);
    const auto expected = compute();
    CHECK(status_of_child([] { return 0; }) == 0);
    CHECK(status_of_child([&] { return equals(expected); }) == 0);
    CHECK(status_of_child([&] {
            set_thread_count(2);
            return thread_count() == 2 ? equals(expected) : 2;
          }) == 0);
    CHECK(status_of_child([&] {  // grandchildren, of a parent that has computed and of one that
            if (status_of_child([&] { return equals(expected); }) != 0) return 2;  // has not
            if (equals(expected) != 0) return 3;
            return status_of_child([&] { return equals(expected); });
          }) == 0);
    CHECK(status_of_child([&] {
            std::atomic<std::int64_t> sum = 0;
            parallel_for(1000, 1, [&](std::int64_t begin, std::int64_t) { sum += begin; });
            return sum == 499500 && thread_count() == count ? 0 : 1;
          }) == 0);
    CHECK(compute() == expected);
  }
}

TEST_CASE("a child computes although another thread of its parent was in the middle of a loop" *
          doctest::skip(kThreadSanitizer)) {
  const Threads threads(3);
  const auto expected = compute();
  std::atomic<bool> over = false;
  std::thread busy([&] {
    while (!over) compute();
  });
  std::thread hungry([&] {  // holds the pool's lock as often as it can
    while (!over) (void)Tensor<float>::empty({100}).defined();
  });
  for (int i = 0; i < 20; ++i) {
    CAPTURE(i);
    CHECK(status_of_child([&] { return equals(expected); }) == 0);
  }
  over = true;
  busy.join();
  hungry.join();
}

TEST_CASE("a child forked inside a loop is told that it can't end the loop") {
  const Threads threads(2);
  const pid_t parent = getpid();
  const auto caller = std::this_thread::get_id();
  pid_t child = -1;
  try {
    std::fflush(nullptr);
    parallel_for(8, 1, [&](std::int64_t, std::int64_t) {
      if (std::this_thread::get_id() == caller && child == -1) child = fork();
    });
    if (getpid() != parent) _exit(1);
  } catch (const ResourceError&) {
    if (getpid() == parent) throw;
    _exit(equals(compute()));  // loops of its own are no different
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

#endif

}  // namespace sfumato::core_fork_test
