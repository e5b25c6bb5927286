// How a program ends that used the device wrongly, and no test took notice.

#include <fcntl.h>

#include "support.hpp"

using namespace emulator_tests;

namespace {

/// The exit status of this program when it runs that test case only.
int exit_status(const char* test_case) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    const std::string filter = std::string("--test-case=") + test_case;
    execl("/proc/self/exe", "program", "--no-skip", filter.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

// Run by the test below alone.
TEST_CASE("deed: nothing wrong" * doctest::skip()) {
  const Device device;
  CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
}
TEST_CASE("deed: a wrong handle" * doctest::skip()) {
  CHECK(cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(8)) != cudaSuccess);
}
TEST_CASE("deed: a leak" * doctest::skip()) {
  CHECK(new_pool() != nullptr);
}

TEST_CASE("a program that used the device wrongly fails, though its tests pass") {
  CHECK(exit_status("deed: nothing wrong") == 0);
  CHECK(exit_status("deed: a wrong handle") == emulator::kUntakenExit);
  CHECK(exit_status("deed: a leak") == emulator::kUntakenExit);
}
