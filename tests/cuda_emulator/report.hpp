#pragma once

// What went wrong, what was counted and what shall fail: shared by all parts of the emulator.

#include <cstddef>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>

#include "emulator.hpp"

namespace emulator {

/// One lock for everything: calls come from any thread, and none of them is quick.
std::recursive_mutex& big_lock();

void add_violation(std::string what);

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

/// Records a wrong use: the arguments joined into one line.
template <class... Parts>
void violation(const Parts&... parts) {
  add_violation(text(parts...));
}

/// The counters, to be counted up.
Counters& count();

/// Counts the call; the status that it shall fail with on demand, or 0. `by_any` is set when it is
/// "*" that asked.
int called(const char* call, bool& by_any);

int device_count();

// ---- Handles
// --------------------------------------------------------------------------------------

/// Objects behind handles are never deleted, so that a handle that was destroyed is known as such.
void handle_created(const void* handle, const char* kind);

/// Whether it is a live handle of that kind; if not, records a violation that names the call.
bool handle_alive(const char* call, const void* handle, const char* kind);

/// As handle_alive; afterwards it is dead.
bool handle_destroyed(const char* call, const void* handle, const char* kind);

}  // namespace emulator
