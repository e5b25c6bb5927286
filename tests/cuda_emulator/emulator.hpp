#pragma once

// What tests see of the emulated GPU: a CPU implementation of those entry points of the CUDA
// runtime, cuBLAS and cuDNN that include/sfumato/cuda/ uses, stricter than the real libraries.
// README.md says what it checks and how.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace emulator {

// ---- What callers did wrong
// -----------------------------------------------------------------------

/// Each wrong use so far, in words, oldest first; empties the list. A program that ends with any
/// left prints them and exits with kUntakenExit.
std::vector<std::string> take_violations();

/// How many there are, taking none.
std::size_t violation_count();

/// A test ends: its untaken violations are printed and, whatever follows, the program's exit status
/// will be kUntakenExit. Nothing is to fail any more, and the device is there with all its memory.
void end_of_test();

/// Exit status of a program that did something wrong which no test took.
inline constexpr int kUntakenExit = 86;

/// What violations that follow are ascribed to, such as the running test case.
void set_context(const std::string& context);

/// Everything alive, in words: device memory, streams, events, graphs, handles,
/// descriptors.
std::vector<std::string> live_objects();

/// From now on, what is alive at this moment counts as gone: for tests that make calls fail which
/// free things.
void forgive_live_objects();

/// Makes a violation of each live object. The program's end does the same.
void check_leaks();

// ---- Failing on demand
// ----------------------------------------------------------------------------

/// Lets `call` succeed `after` times and then fail once with `status`. The call does nothing else.
/// With "*" for a name, any call that can fail counts; status is then a cudaError_t, and cuBLAS and
/// cuDNN report that they could not execute.
void fail_next_call(const std::string& call, int status, std::size_t after);

/// Lets every n-th `call` from now on fail with `status`.
void fail_every_call(const std::string& call, int status, std::size_t n);

template <class Status>
void fail_next(const std::string& call, Status status, std::size_t after = 0) {
  fail_next_call(call, static_cast<int>(status), after);
}
template <class Status>
void fail_every(const std::string& call, Status status, std::size_t n) {
  fail_every_call(call, static_cast<int>(status), n);
}

/// The last call that was made to fail, or "".
std::string failed_call();

/// Takes back what fail_next and fail_every asked for; true if every fail_next had its failure.
bool stop_failing();

/// How much memory the device has at first.
inline constexpr std::size_t kMemoryLimit = std::size_t{8} << 30;

/// How much memory the device has from now on; what is in use stays.
void set_memory_limit(std::size_t bytes);

/// How many devices there are, 1 at first; with none, every call fails with cudaErrorNoDevice.
void set_device_count(int count);

// ---- What was done
// --------------------------------------------------------------------------------

/// Bytes that kernels or library calls of one name moved: each operand once, workspaces not at all.
struct Traffic {
  std::uint64_t read = 0;
  std::uint64_t written = 0;
};

/// Work since the last reset. What is captured counts when its graph is launched.
struct Counters {
  std::map<std::string, std::uint64_t> launches;  ///< kernels by name
  std::map<std::string, std::uint64_t> calls;     ///< entry points by name, failed ones included
  std::map<std::string, std::uint64_t> library_calls;  ///< work done by cuBLAS and cuDNN, by name
  std::uint64_t kernel_launches = 0;
  std::uint64_t synchronizations = 0;  ///< waits of the host for the device
  std::uint64_t graph_launches = 0;
  std::uint64_t bytes_to_device = 0;
  std::uint64_t bytes_to_host = 0;
  std::uint64_t bytes_on_device = 0;       ///< copied or set there
  std::map<std::string, Traffic> traffic;  ///< by name of kernel or library call
  std::uint64_t bytes_read = 0;            ///< the sum of the traffic
  std::uint64_t bytes_written = 0;
  std::uint64_t allocations = 0;
  std::size_t bytes_in_use = 0;
  std::size_t peak_bytes_in_use = 0;
};
Counters counters();

/// Zeroes the counters; the peak starts anew from the present use.
void reset_counters();

}  // namespace emulator
